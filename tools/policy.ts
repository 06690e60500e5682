/**
 * `npm run policy -- --stack <name>`: checks the evaluated program with the policy pack, without engine, cluster or
 * login.
 * For a pre-commit hook and for forks, which have no secrets.
 */
import { parseArgs } from "node:util";
import { judge, today, type Violation } from "../policy/judgement.ts";
import { rules } from "../policy/rules/index.ts";
import { projectFile, runTool, UsageError } from "./cli.ts";
import { packConfigOf, readPackConfig, withNode } from "./evaluation/policy-config.ts";
import { evaluate } from "./evaluation/evaluate.ts";
import { resourcesOf } from "./evaluation/policy-stack.ts";
import { hostnameOf, readStackFile, refusePlainSecrets } from "./stack-file/stack-file.ts";

const usage = `usage: npm run policy -- --stack <name> [--config-file <file>] [--policy-config <file>]
       npm run policy -- --declare      renews the declared hashes of the Commands' scripts
  --stack <name>          the stack, as in Pulumi.<name>.yaml
  --config-file <file>    its configuration. Default: Pulumi.<stack>.yaml
  --policy-config <file>  the pack's configuration. Default: policy/config.<stack>.json, else production's with the
                          stack's own node`;

/** A violation as text: which rule, which resource, why, and what to write instead. */
function blockOf({ rule, subject, why, remedy }: Violation): string {
  return [
    `${rule.level === "mandatory" ? "✖" : "!"} ${rule.name} (${rule.level}): ${subject}`,
    `  ${rule.description}.`,
    `  Why: ${why}.`,
    `  Instead: ${remedy}.`,
  ].join("\n");
}

/** Renews the declarations of the program's own Commands. */
async function declare(): Promise<void> {
  // Needs prettier, which is not installed for those who only check.
  const { renewCommands } = await import("./digests/commands.ts");
  const written = await renewCommands();
  for (const name of written) console.log(`written: policy/${name}`);
  if (written.length === 0) console.log("no declared script has changed");
}

await runTool(usage, async () => {
  const { values } = parseArgs({
    options: {
      stack: { type: "string" },
      "config-file": { type: "string" },
      "policy-config": { type: "string" },
      declare: { type: "boolean" },
    },
  });
  if (values.declare) return declare();
  const { stack } = values;
  if (stack === undefined) throw new UsageError(usage);
  const file = values["config-file"] ?? projectFile(`Pulumi.${stack}.yaml`);
  const stackFile = readStackFile(file);
  refusePlainSecrets(stack, stackFile);
  const config =
    values["policy-config"] === undefined
      ? packConfigOf(stack, hostnameOf(file))
      : readPackConfig(values["policy-config"]);
  const evaluation = await evaluate(stack, withNode(stack, stackFile.config), stackFile.secretKeys);
  for (const warning of evaluation.warnings) console.error(`warning: ${warning}`);
  const resources = resourcesOf(evaluation);
  const violations = judge(rules, resources, config, today());
  for (const violation of violations) console.log(`${blockOf(violation)}\n`);
  const mandatory = violations.filter(({ rule }) => rule.level === "mandatory").length;
  console.log(
    `${stack}: ${resources.length} resources, ${rules.length} rules, ${mandatory} mandatory and ${violations.length - mandatory} advisory violations`,
  );
  if (mandatory > 0) process.exitCode = 1;
});
