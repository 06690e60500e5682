import assert from "node:assert/strict";
import { CLUSTER, npm, state, theCluster, theEngine, up } from "../support.ts";
import { KINDS } from "./faults.ts";
import { figures } from "./figures.ts";
import { Lab } from "./lab.ts";
import { lineOf, type Outcome, runFault } from "./runner.ts";
import { chosen, SAMPLE_SEED } from "../../sample.ts";
import { skip } from "../../skip.ts";

/** The seed of this run: the same again with `FAULTS_SEED=<seed> SAMPLE_SEED=<seed> npm test cluster`. */
const SEED = Number(process.env.FAULTS_SEED ?? SAMPLE_SEED);

describe("every acknowledged commit outlives", function () {
  this.timeout(480_000);
  let lab: Lab;
  const outcomes: Outcome[] = [];

  before(async () => {
    const engine = engineOrNone();
    await up();
    lab = new Lab({ cluster: theCluster(), state: state(), engine, up });
    await lab.open();
  });

  after(async () => {
    // Nothing to close where the stack did not come up.
    await (lab as Lab | undefined)?.close();
    if (outcomes.length > 0) console.log(figures(outcomes, []).split("\n").slice(-5).join("\n"));
  });

  // What a fault left behind must not be the next one's fault.
  afterEach(async function () {
    if (this.currentTest?.state !== "failed") return;
    await lab.startNode();
    const ran = await npm("up", "--local-cluster", CLUSTER);
    assert.equal(ran.status, 0, ran.output);
    await lab.openDoor();
  });

  // All of them, with more seeds: npm run test:faults, which is a part of npm run test:long.
  const taken = KINDS.flatMap(({ name, faults, usual }) => chosen(`faults: ${name}`, faults, usual));
  for (const fault of taken) {
    it(fault.name, async function () {
      if (fault.needsEngine && !lab.engine) {
        skip(this, "no Pulumi CLI can be had on this machine");
      }
      const outcome = await runFault(lab, fault, SEED);
      outcomes.push(outcome);
      console.log(`      ${lineOf(outcome)}`);
    });
  }
});

function engineOrNone(): ReturnType<typeof theEngine> | undefined {
  try {
    return theEngine();
  } catch {
    return undefined;
  }
}
