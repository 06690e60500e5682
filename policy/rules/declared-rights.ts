import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import { type Finding, objectRule } from "../rule.ts";
import { field, hasUnknown, listAt, shown, textAt } from "../values.ts";

const NAME = "declared-rights";

/** Rights that need no declaration: reading what holds no secret. */
const HARMLESS: readonly string[] = ["get", "list", "watch"].flatMap((verb) =>
  [
    "pods",
    "services",
    "endpoints",
    "events",
    "persistentvolumeclaims",
    "statefulsets",
    "jobs",
    "endpointslices",
  ].map((resource) => `* ${verb} ${resource}`),
);

/** What rights amount to. */
const CONSEQUENCES: readonly { right: RegExp; does: string }[] = [
  { right: /\*/, does: "is every right that exists, or will exist" },
  { right: /^(bind|escalate|impersonate) /, does: "lets its holder take any other right" },
  { right: / secrets(\/|$)/, does: "reads or replaces the database's passwords" },
  {
    right: / pods\/(exec|attach|portforward|ephemeralcontainers)$/,
    does: "is a shell in the server's container",
  },
  { right: / (serviceaccounts\/token|certificatesigningrequests.*)$/, does: "creates logins to the cluster" },
  {
    right: /^(create|update|patch) /,
    does: "can run a pod with any Secret mounted, or change another object",
  },
  { right: /^delete/, does: "deletes what the stack deployed" },
];

/** Each right of a rule: `<verb> <resource>`. */
function rightsOf(rule: unknown): string[] {
  const verbs = listAt(rule, "verbs").map(String);
  const targets = [...listAt(rule, "resources"), ...listAt(rule, "nonResourceURLs")].map(String);
  return verbs.flatMap((verb) => targets.map((target) => `${verb} ${target}`));
}

export const declaredRights = objectRule<Declared>({
  name: NAME,
  asks: "rights that a Role grants, and whom a binding gives them: only as declared",
  description:
    "Granting an undeclared right lets a pod read the passwords, enter the server or take over the cluster",
  level: "mandatory",
  schema: declaredSchema(
    "Rights, `<kind>/<name> <verb> <resource>`, and bindings as the violation prints them",
  ),
  check: ({ kind, subject, body }, config) => {
    const findings: Finding[] = [];
    const refuse = (line: string, what: string, right: string) => {
      if (isDeclared(line, HARMLESS, { declared: [] }) || config.declared.includes(line)) return;
      const does = CONSEQUENCES.find((consequence) => consequence.right.test(right))?.does;
      findings.push({
        subject,
        why: `it ${what}, which is not declared${does === undefined ? "" : `; that ${does}`}`,
        remedy: declarationOf(NAME, line),
      });
    };
    if (/^(Cluster)?Role$/.test(kind)) {
      if (hasUnknown(body.rules)) {
        findings.push({
          subject,
          why: `rules is ${shown(body.rules)}: what it grants is not known before the deployment`,
          remedy: "rules as plain values",
        });
      }
      for (const rule of listAt(body, "rules")) {
        if (hasUnknown(rule)) continue;
        for (const right of rightsOf(rule)) {
          const line = `${subject} ${right}`;
          if (HARMLESS.includes(`* ${right}`)) continue;
          refuse(line, `grants "${right}"`, right);
        }
      }
      if (body.aggregationRule !== undefined)
        refuse(`${subject} aggregationRule`, "gathers the rights of other roles", "");
    }
    if (/^(Cluster)?RoleBinding$/.test(kind) && !hasUnknown([body.roleRef, body.subjects])) {
      const role = `${textAt(body, "roleRef", "kind") ?? ""}/${textAt(body, "roleRef", "name") ?? ""}`;
      for (const holder of listAt(body, "subjects")) {
        const who = `${textAt(holder, "kind") ?? ""}/${textAt(holder, "name") ?? ""}`;
        const where = field(holder, "namespace") === undefined ? "" : ` of ${textAt(holder, "namespace")}`;
        const line = `${subject} ${role} to ${who}${where}`;
        refuse(line, `gives ${role} to ${who}${where}`, "");
      }
    }
    return findings;
  },
});
