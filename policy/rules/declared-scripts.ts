import { type Declared, declaredSchema, isDeclared, undeclaredScript } from "../declared.ts";
import { scriptFilesOf } from "../programs.ts";
import type { KubernetesObject } from "../resources.ts";
import { type Finding, objectRule } from "../rule.ts";
import { field, hasUnknown } from "../values.ts";
import OWN from "../scripts.json" with { type: "json" };

const NAME = "declared-scripts";

/** What a ConfigMap of the program is without: SQL that is not there grants too much, or takes nothing away. */
function missingIn({ subject, body }: KubernetesObject): Finding[] {
  if (hasUnknown([body.data, body.metadata])) return [];
  return OWN.filter((line) => line.startsWith(`${subject} `)).flatMap((line) => {
    const file = line.split(" ")[1] ?? "";
    if (field(body, "data", file) !== undefined) return [];
    return [
      {
        subject,
        why: `data["${file}"] is missing, which the program puts there`,
        remedy: `data["${file}"] as it is; for a file that the project no longer has: npm run policy -- --declare`,
      },
    ];
  });
}

export const declaredScripts = objectRule<Declared>({
  name: NAME,
  asks: "scripts in ConfigMaps, and SQL except the migrations: only as declared, by file and hash",
  description:
    "Who changes a script that runs beside the data, or SQL that runs as superuser, has it run what nobody looked at",
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
