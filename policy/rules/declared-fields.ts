import { OBJECT_FIELDS, SECRET_KEYS } from "../declarations.ts";
import { type Declared, declarationOf, declaredSchema, fits } from "../declared.ts";
import { allows, type Leaf, leavesOf, pathText } from "../fields.ts";
import { FIELDS } from "../kinds.ts";
import { objectsOf, type Resource, subjectOf, tokenOf } from "../resources.ts";
import { type Finding, resourceRule } from "../rule.ts";
import { field, shown, UNKNOWN } from "../values.ts";

const NAME = "declared-fields";

/** What is judged of a resource: each of its objects, or its inputs if it is not a Kubernetes object. */
interface Judged {
  subject: string;
  token: string;
  body: Record<string, unknown>;
}

/** How much of a path is shown for a kind without known fields. */
const DEPTH = 2;

/** Whether a path begins in a Secret's values. ConfigMaps use the same name. */
const isOfSecrets = (path: string) => /^(data|stringData)\b/.test(path);

/** Whether a field is a key that one of the program's own Secrets does not have. */
function strangeKey(subject: string, { path: [part = "", key] }: Leaf): boolean {
  const keys = SECRET_KEYS[subject];
  return keys !== undefined && isOfSecrets(part) && key !== undefined && !keys.includes(key);
}

function judgedIn(resource: Resource): Judged[] {
  const objects = objectsOf(resource).map((object) => ({
    subject: object.subject,
    token: tokenOf({ ...object, patch: false }),
    body: object.body,
  }));
  if (objects.length > 0 || !(resource.type in FIELDS)) return objects;
  return [{ subject: subjectOf(resource), token: resource.type, body: resource.inputs }];
}

export const declaredFields = resourceRule<Declared>({
  name: NAME,
  asks: "fields of objects, annotations, and files of ConfigMaps: only as declared",
  description: "Using an undeclared field changes how the object works in a way that no rule was written for",
  level: "mandatory",
  schema: declaredSchema("Fields beyond those of the pack, `<kind>/<name> <field>`"),
  check: (resource, { declared }) =>
    judgedIn(resource).flatMap(({ subject, token, body }): Finding[] => {
      const known = FIELDS[token];
      const own = [...(known ?? ["apiVersion", "kind", "metadata.name", "metadata.namespace"])];
      own.push(
        ...Object.entries(OBJECT_FIELDS).flatMap(([pattern, fields]) =>
          fits(pattern, subject) ? fields : [],
        ),
      );
      if (known === undefined) own.push('metadata.labels["*"]', 'metadata.labels["app.kubernetes.io/*"]');
      const configured = declared
        .filter((line) => line.startsWith(`${subject} `))
        .map((line) => line.slice(subject.length + 1));
      const refused = new Map<string, Leaf>();
      for (const leaf of leavesOf(body)) {
        if (own.some((pattern) => allows(pattern, leaf)) && !strangeKey(subject, leaf)) continue;
        if (configured.some((path) => allows(path, leaf, { literal: true }))) continue;
        const path = known === undefined ? leaf.path.slice(0, DEPTH) : leaf.path;
        refused.set(pathText(path), leaf);
      }
      const unnamed = field(body, "metadata", "name") === UNKNOWN;
      return [...refused].map(([path, { value }]) => ({
        subject,
        why:
          // A Secret's values stay out of logs.
          `${path} is ${known === undefined || isOfSecrets(path) ? "a field" : `${shown(value)}, a field or value`} ` +
          `that is not declared for ${subject}${unnamed ? ", whose name is not known before the deployment" : ""}`,
        remedy: declarationOf(NAME, `${subject} ${path}`),
      }));
    }),
});
