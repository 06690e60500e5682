/**
 * `preview`: what a deployment of this checkout would do to a stack. Prints the summary and writes
 * `<out>/<stack>.json` with it and the engine's diff. With `--drift`: whether the cluster is still as it was deployed.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runTool } from "../cli.ts";
import { parseEventLog } from "../engine/events.ts";
import { type PlanSummary, summarize } from "../plan/summary.ts";
import { readableDiff, type StackPlan, summaryMarkdown } from "../plan/markdown.ts";
import { openStack, policyFlags, type CiStack, stackOf, stackOptions } from "./stack.ts";
import { masker } from "./masking.ts";

const usage =
  "usage: node tools/ci/preview.ts --stack <name> [--out <dir>] [--drift] [--config-file <file>] [--policy-pack <dir>]";

/** The engine's closing messages that do not explain a failure. */
const NOT_A_REASON = /no changes were expected|preview failed$|update canceled/;

/** Why a preview failed if no event says so: an unknown stack, a backend that does not answer. */
function reasonsIn(output: string): string[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith("error: ") && !NOT_A_REASON.test(line))
    .map((line) => line.slice("error: ".length));
}

/** Previews. A failed preview is a plan too, one with errors. */
export async function preview(engine: CiStack, policyPack: string, drift: boolean): Promise<StackPlan> {
  const {
    status,
    stdout,
    output,
    eventLog = "",
  } = await engine.operate(
    [
      ...["preview", "--diff", "--suppress-progress"],
      ...policyFlags(engine, policyPack),
      ...(drift ? ["--refresh", "--expect-no-changes"] : []),
    ],
    { eventLog: true },
  );
  const mask = masker();
  const events = parseEventLog(eventLog);
  const summary = summarize(events.map((event) => mask.event(event)));
  const explained = summary.errors.length > 0 || summary.refusals.length > 0;
  const reasons = explained ? [] : reasonsIn(output);
  if (reasons.length > 0 || (status !== 0 && !explained && summary.changes === 0)) {
    summary.errors.push(...(reasons.length > 0 ? reasons : [`the engine exited with ${status}`]));
    summary.statements = summary.statements.filter(({ severity }) => severity !== "none");
  }
  const commit = process.env.GITHUB_SHA ?? "";
  return mask.plan({ stack: engine.stack, commit, summary, diff: readableDiff(mask.text(stdout)) });
}

/** Whether a plan must not be deployed. */
export function hasFailed({ errors, refusals }: PlanSummary): boolean {
  return errors.length > 0 || refusals.length > 0;
}

/** The plans that earlier commands wrote to a directory. */
export function readPlans(directory: string, stacks: readonly string[]): StackPlan[] {
  return stacks.flatMap((stack) => {
    const file = join(directory, `${stack}.json`);
    return existsSync(file) ? [JSON.parse(readFileSync(file, "utf8")) as StackPlan] : [];
  });
}

if (import.meta.main) {
  await runTool(usage, async () => {
    const { values } = parseArgs({
      options: { ...stackOptions, out: { type: "string" }, drift: { type: "boolean", default: false } },
    });
    const stack = stackOf(values, usage);
    const configFile = values["config-file"];
    const engine = await openStack(stack, configFile === undefined ? {} : { configFile });
    const plan = await preview(engine, values["policy-pack"], values.drift).finally(engine.close);
    if (values.out !== undefined) {
      mkdirSync(values.out, { recursive: true });
      writeFileSync(join(values.out, `${stack}.json`), `${JSON.stringify(plan, undefined, 2)}\n`);
    }
    console.log(`${summaryMarkdown(plan.summary)}\n\n${plan.diff}`);
    // Drift is a finding, not a failure: the issue reports it.
    const failed = values.drift
      ? hasFailed(plan.summary) && plan.summary.changes === 0
      : hasFailed(plan.summary);
    process.exitCode = failed ? 1 : 0;
  });
}
