import { CONSEQUENCES, DECLARED_KINDS } from "../kinds.ts";
import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import { objectsOf, type Resource, subjectOf, tokenOf } from "../resources.ts";
import { type Finding, resourceRule } from "../rule.ts";
import { shown, textAt } from "../values.ts";

const NAME = "declared-kinds";

/** A resource registered as one kind whose object says another: the cluster gets what the object says. */
function disguised({ type, inputs }: Resource): string | undefined {
  const [provider, group, kind] = type.split(":");
  // A Patch's and a List's kind is in their type alone, or differs from it by that word.
  if (provider !== "kubernetes" || kind === undefined) return undefined;
  const [apiVersion, written] = [textAt(inputs, "apiVersion"), textAt(inputs, "kind")];
  if (written !== undefined && written !== kind && `${written}Patch` !== kind) {
    return `it is registered as ${type}, but its kind is ${shown(written)}`;
  }
  if (apiVersion !== undefined && apiVersion !== group?.replace(/^core\//, "")) {
    return `it is registered as ${type}, but its apiVersion is ${shown(apiVersion)}`;
  }
  return undefined;
}

export const declaredKinds = resourceRule<Declared>({
  name: NAME,
  asks: "kinds of resource: only as declared",
  description:
    "Adding an undeclared kind of resource deploys what no rule was written for: rights, charts, webhooks",
  level: "mandatory",
  schema: declaredSchema("Kinds beyond those of the pack, by type token"),
  check: (resource, config) => {
    const findings: Finding[] = [];
    const subject = subjectOf(resource);
    const disguise = disguised(resource);
    if (disguise !== undefined) {
      findings.push({ subject, why: disguise, remedy: "the SDK's class for the intended kind" });
    }
    const tokens = new Map([[resource.type, subject]]);
    // The items of a List are objects like others.
    for (const object of objectsOf(resource)) tokens.set(tokenOf(object), object.subject);
    for (const [token, name] of tokens) {
      if (isDeclared(token, DECLARED_KINDS, config)) continue;
      const kind =
        token
          .split(":")
          .at(-1)
          ?.replace(/(Patch|List)$/, "") ?? "";
      const does = CONSEQUENCES.find((consequence) => consequence.kind.test(kind))?.does;
      findings.push({
        subject: name,
        why: `${token} is not a kind that this stack is declared to have${does === undefined ? "" : `; a ${kind} ${does}`}`,
        remedy: declarationOf(NAME, token),
      });
    }
    return findings;
  },
});
