import { type Declared, declaredSchema, isDeclared, undeclaredScript } from "../declared.ts";
import { scriptsOf } from "../programs.ts";
import { subjectOf } from "../resources.ts";
import { resourceRule } from "../rule.ts";

const NAME = "declared-commands";

export const declaredCommands = resourceRule<Declared>({
  name: NAME,
  asks: "Commands: only as declared, by logical name and hash of the script",
  description:
    "An undeclared script in a Command runs, as root, what no rule can read: kubectl delete pv, for example",
  level: "mandatory",
  schema: declaredSchema("Scripts of Commands, `<logical name> <field> sha256:<hash>`"),
  check: (resource, config) =>
    scriptsOf(resource).flatMap(({ at, line }) => {
      // Not known yet: judged again, with its text, before it runs.
      if (line === undefined || isDeclared(line, [], config)) return [];
      const { why, remedy } = undeclaredScript(NAME, line, config.declared);
      return [{ subject: subjectOf(resource), why: `${at} runs a script ${why}`, remedy }];
    }),
});
