import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import { scriptFilesOf } from "../programs.ts";
import { objectRule } from "../rule.ts";
import OWN from "../scripts.json" with { type: "json" };

const NAME = "declared-scripts";

export const declaredScripts = objectRule<Declared>({
  name: NAME,
  description:
    "Who changes a script that runs beside the data, or SQL that runs as superuser, has it run what nobody looked at",
  level: "mandatory",
  schema: declaredSchema("Scripts in ConfigMaps, `ConfigMap/<name> <file> sha256:<hash>`"),
  check: (object, config) =>
    scriptFilesOf(object).flatMap(({ file, line }) => {
      if (isDeclared(line, OWN, config)) return [];
      const named = [...OWN, ...config.declared].some((other) =>
        other.startsWith(`${object.subject} ${file} `),
      );
      return [
        {
          subject: object.subject,
          why: `data["${file}"] is a script ${named ? "other than the one that is declared" : "that is not declared"}`,
          remedy: `${declarationOf(NAME, line)}. For a script of this project that has changed: npm run policy -- --declare`,
        },
      ];
    }),
});
