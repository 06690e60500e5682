/**
 * `npm run test:faults`: every fault with several seeds, on a local cluster of its own. Writes the figures to
 * bench/results/faults.md. Options: --seeds 5, --first-seed 1, --only <pattern of names>, --keep (leave the cluster),
 * --local-cluster <name>. Ctrl-C ends it after the fault that is under way, with everything taken down; nothing is
 * written then. What a killed run left behind, the next one removes.
 */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { answersHelp, projectFile } from "../../../tools/cli.ts";
import { DevState } from "../../../tools/dev/state.ts";
import { findEngine } from "../../../tools/engine/engine.ts";
import { start } from "../../../tools/local-cluster/cluster.ts";
import { clusterObstacle, npm, removeCluster } from "../support.ts";
import { faults } from "./faults.ts";
import { figures } from "./figures.ts";
import { Lab } from "./lab.ts";
import { lineOf, type Outcome, runFault } from "./runner.ts";

const usage = `usage: npm run test:faults -- [--seeds <n>] [--first-seed <n>] [--only <pattern>] [--keep] [--local-cluster <name>]
  --seeds <n>             how often each fault is tried. Default: 5
  --first-seed <n>        the first of them. Default: 1
  --only <pattern>        only faults whose name matches
  --keep                  leave the cluster running
  --local-cluster <name>  its name. Default: faults`;
if (answersHelp(usage)) process.exit(0);

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "5" },
    "first-seed": { type: "string", default: "1" },
    only: { type: "string", default: "" },
    keep: { type: "boolean", default: false },
    "local-cluster": { type: "string", default: "faults" },
  },
});

const obstacle = clusterObstacle();
if (obstacle !== undefined) {
  console.error(obstacle);
  process.exit(1);
}

const name = values["local-cluster"];
const stateHome = join(tmpdir(), `transcript-pipeline-${name}`);
process.env.XDG_STATE_HOME = stateHome;

let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    interrupted = true;
    console.log("ending with this fault, and taking everything down …");
  });
}

const outcomes: Outcome[] = [];
const failures: string[] = [];
const skipped: string[] = [];
try {
  await removeCluster(name, stateHome);
  const found = await findEngine();
  const engine = "reason" in found ? undefined : found;
  const cluster = await start({ name, gpu: 1, log: console.log });
  process.env.PATH = `${process.env.PATH}${delimiter}${dirname(cluster.kubectl)}`;
  const up = async () => {
    const ran = await npm("up", "--local-cluster", name);
    if (ran.status !== 0) throw new Error(ran.output);
    return ran;
  };
  await up();
  const lab = new Lab({ cluster, engine, up, state: new DevState(join(stateHome, "transcript-pipeline")) });
  await lab.open();
  const chosen = faults.filter((fault) => new RegExp(values.only).test(fault.name));
  for (const fault of chosen.filter(({ needsEngine }) => needsEngine && !engine))
    skipped.push(`${fault.name}: no Pulumi CLI can be had on this machine`);
  const first = Number(values["first-seed"]);
  for (let seed = first; seed < first + Number(values.seeds); seed++) {
    for (const fault of chosen) {
      if (interrupted || (fault.needsEngine && !engine)) continue;
      try {
        const outcome = await runFault(lab, fault, seed);
        outcomes.push(outcome);
        console.log(`✔ ${lineOf(outcome)} (${outcome.took.toFixed(0)} s in all)`);
      } catch (error) {
        if (interrupted) continue;
        const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
        failures.push(`${fault.name} [seed ${seed}]: ${message}`);
        console.log(`✖ ${failures.at(-1)}`);
        // In any state: the next one needs a deployment.
        await lab.startNode();
        await up();
        await lab.openDoor();
      }
    }
  }
  if (values.only === "" && !interrupted)
    writeFileSync(projectFile("bench/results/faults.md"), figures(outcomes, failures));
  await lab.close().catch((error: unknown) => {
    // In the middle of a fault there may be no server to tidy up.
    if (!interrupted) throw error;
  });
} finally {
  if (!values.keep)
    for (const left of await removeCluster(name, stateHome)) failures.push(`left behind: ${left}`);
}
console.log(`\n${figures(outcomes, failures)}`);
for (const line of skipped) console.log(`skipped: ${line}`);
console.log(`${outcomes.length} passed, ${failures.length} failed, ${skipped.length} skipped`);
process.exitCode = failures.length === 0 && !interrupted ? 0 : 1;
