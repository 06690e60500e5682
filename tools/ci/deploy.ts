/**
 * `deploy`: deploys this checkout to a stack. Recovers from a killed run first, without a prompt; then previews and
 * updates, with the policy pack, which refuses before anything changes.
 */
import { runTool } from "../cli.ts";
import { openStack, policyFlags, readStackArguments } from "./stack.ts";
import { operateRecovered } from "../engine/recovery.ts";

const usage = "usage: node tools/ci/deploy.ts --stack <name> [--config-file <file>] [--policy-pack <dir>]";

await runTool(usage, async () => {
  const { stack, configFile, policyPack } = readStackArguments(usage);
  const engine = await openStack(stack, configFile === undefined ? {} : { configFile });
  try {
    const commit = process.env.GITHUB_SHA;
    const up = [
      ...["up", "--yes", "--suppress-outputs", "--suppress-progress"],
      ...policyFlags(engine, policyPack),
      ...(commit === undefined ? [] : ["--message", `commit ${commit}`]),
    ];
    const { status } = await operateRecovered(engine, up);
    if (status !== 0) throw new Error(`stack ${stack} was not deployed, or only in part: see above`);
    console.log(`stack ${stack} is deployed`);
  } finally {
    engine.close();
  }
});
