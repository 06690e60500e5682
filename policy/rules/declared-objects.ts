import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import { OBJECTS } from "../declarations.ts";
import { DECLARED_KINDS } from "../kinds.ts";
import { isClusterWide, type KubernetesObject, tokenOf } from "../resources.ts";
import { objectRule } from "../rule.ts";
import { field, textAt, UNKNOWN } from "../values.ts";

const NAME = "declared-objects";

/** `<kind>/<name>`, with ` in <namespace>` where the kind has one; undefined where that is not known yet. */
function lineOf({ kind, subject, body }: KubernetesObject): string | undefined {
  if (
    [body.metadata, field(body, "metadata", "name"), field(body, "metadata", "namespace")].includes(UNKNOWN)
  )
    return undefined;
  return isClusterWide(kind)
    ? subject
    : `${subject} in ${textAt(body, "metadata", "namespace") ?? "default"}`;
}

export const declaredObjects = objectRule<Declared>({
  name: NAME,
  asks: "objects of the kinds that the pack has: only as declared, by name and namespace",
  description:
    "Adding an undeclared object adds what the rules for the declared ones never check: a second volume on the data, a Job, a copy of a Secret",
  level: "mandatory",
  schema: declaredSchema(
    "Objects of the kinds that the pack has, `<kind>/<name> in <namespace>`; without a namespace where the kind has none",
  ),
  check: (object, config) => {
    // Declaring a kind declares each of its objects.
    if (!DECLARED_KINDS.includes(tokenOf(object))) return [];
    const line = lineOf(object);
    // Judged again, with its names, before it is deployed.
    if (line === undefined || isDeclared(line, OBJECTS, config)) return [];
    return [
      {
        subject: object.subject,
        why: `${line} is not an object that this stack is declared to have`,
        remedy: declarationOf(NAME, line),
      },
    ];
  },
});
