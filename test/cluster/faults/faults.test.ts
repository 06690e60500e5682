import assert from "node:assert/strict";
import { CLUSTER, npm, state, theCluster, theEngine, up } from "../support.ts";
import { faults } from "./faults.ts";
import { figures } from "./figures.ts";
import { Lab } from "./lab.ts";
import { lineOf, type Outcome, runFault } from "./runner.ts";

/** The seed of this run: the same again with `FAULTS_SEED=<seed> npm test cluster`. */
const SEED = Number(process.env.FAULTS_SEED ?? 1);

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

  for (const fault of faults) {
    it(fault.name, async function () {
      if (fault.needsEngine && !lab.engine) {
        (this.test as { skipReason?: string }).skipReason = "no Pulumi CLI can be had on this machine";
        this.skip();
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
