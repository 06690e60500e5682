import { type Declared, declaredSchema, isDeclared, undeclaredScript } from "../declared.ts";
import { scriptFilesOf } from "../programs.ts";
import type { KubernetesObject } from "../resources.ts";
import { type Finding, objectRule } from "../rule.ts";
import { field, hasUnknown } from "../values.ts";
import OWN from "../scripts.json" with { type: "json" };

const NAME = "declared-scripts";

/** Files that a ConfigMap of the program lacks: missing SQL grants too much, or revokes nothing. */
function missingIn({ subject, body }: KubernetesObject): Finding[] {
  if (hasUnknown([body.data, body.metadata])) return [];
  return OWN.filter((line) => line.startsWith(`${subject} `)).flatMap((line) => {
    const file = line.split(" ")[1] ?? "";
    if (field(body, "data", file) !== undefined) return [];
    return [
      {
        subject,
        why: `data["${file}"] is missing; the program puts it there`,
        remedy: `data["${file}"] as the program writes it; if the project no longer has the file: npm run policy -- --declare`,
      },
    ];
  });
}

export const declaredScripts = objectRule<Declared>({
  name: NAME,
  asks: "scripts in ConfigMaps, and SQL except the migrations: only as declared, by file and hash",
  description:
    "Changing a script that runs next to the data, or SQL that runs as superuser, runs something unreviewed",
  level: "mandatory",
  schema: declaredSchema("Scripts in ConfigMaps, `ConfigMap/<name> <file> sha256:<hash>`"),
  check: (object, config) => [
    ...missingIn(object),
    ...scriptFilesOf(object).flatMap(({ file, line }) => {
      if (isDeclared(line, OWN, config)) return [];
      const { why, remedy } = undeclaredScript(NAME, line, [...OWN, ...config.declared]);
      return [{ subject: object.subject, why: `data["${file}"] is a script ${why}`, remedy }];
    }),
  ],
});
