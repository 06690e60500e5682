/** `npm run down`: removes what `npm run up` created. The data directory stays, unless --remove-data is given. */
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { runTool } from "./cli.ts";
import { downWithEngine } from "./dev/deploy-with-engine.ts";
import { downWithKubectl } from "./dev/deploy-with-kubectl.ts";
import { DevState } from "./dev/state.ts";
import { findEngine } from "./engine/engine.ts";
import { start, stop } from "./local-cluster/cluster.ts";
import { withLock } from "./lock.ts";

const usage = `usage: npm run down -- [--remove-data]
  --remove-data  remove the data directory too, which is otherwise kept for the next \`npm run up\``;

await runTool(usage, async () => {
  const { values } = parseArgs({ options: { "remove-data": { type: "boolean", default: false } } });
  const state = new DevState();
  state.prepare();
  await withLock(`${state.directory}/lock`, console.log, async () => {
    const { deployment } = state;
    if (deployment) {
      const log = (line: string) => console.log(`  ${line}`);
      // After a restart of the machine the deployment's record exists, but its cluster does not.
      if (deployment.localCluster !== undefined) await start({ name: deployment.localCluster, log });
      if (deployment.by === "pulumi") {
        const engine = await findEngine();
        if ("reason" in engine) {
          throw new Error(
            `stack dev was deployed by the Pulumi CLI, which is not available now: ${engine.reason}`,
          );
        }
        await downWithEngine(engine, state);
      } else {
        await downWithKubectl(deployment, state);
      }
      if (deployment.localCluster !== undefined) await stop({ name: deployment.localCluster, log });
      state.deployment = undefined;
    } else {
      console.log("there is nothing to take down");
    }
    if (values["remove-data"]) {
      rmSync(state.dataDirectory, { recursive: true, force: true });
      console.log(`removed ${state.dataDirectory}`);
    } else if (deployment) {
      console.log(
        `the data stays in ${state.dataDirectory}, for the next \`npm run up\`. To remove it: npm run down -- --remove-data`,
      );
    }
  });
});
