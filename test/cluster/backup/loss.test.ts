import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Random } from "../../random.ts";
import { itLong, SAMPLE_SEED } from "../../sample.ts";
import { sql } from "../support.ts";
import {
  archiveNow,
  burnDown,
  configure,
  deploy,
  Heartbeat,
  info,
  logOf,
  onStored,
  restoreEverything,
  stored,
  untilReady,
} from "./stored.ts";

/** Seconds that may be lost. */
const PROMISED = 60;
/** Seconds for which rows are written before the loss: longer than WAL may wait before it is archived. */
const WRITING = 45;

/** Rounds of the long run. */
const ROUNDS = 20;
/** Rows of about 100 bytes that the long run writes a second, next to the one that is looked for: 0.8 MB/s of WAL. */
const LOAD = 5000;

/**
 * Writes a row a second, loses everything, and restores it.
 *
 * @param seconds for which rows are written
 * @param load further rows a second
 * @returns the seconds of writing that were lost, and how long the restore took
 */
async function loseEverything(seconds: number, load = 0): Promise<{ lost: number; back: number }> {
  const heartbeat = new Heartbeat(load);
  let moment;
  try {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    moment = await burnDown();
  } finally {
    heartbeat.stop();
  }
  assert.ok(heartbeat.acknowledged.length > seconds / 2, `${heartbeat.acknowledged.length} rows written`);
  assert.ok(!existsSync(`${stored().checkout.dataDirectory}/pgdata`));
  const back = await restoreEverything({});
  return { lost: (moment - (await heartbeat.newestRestored())) / 1000, back };
}

describe("everything is lost: server, agent and data directory, at one moment", function () {
  this.timeout(400_000);
  onStored();

  it(`backup.restoreFrom brings back every row that was written ${PROMISED} s before, and the archive goes on`, async () => {
    const { lost, back } = await loseEverything(WRITING);
    console.log(
      `      lost: ${lost.toFixed(1)} s of writing; back after ${back.toFixed(0)} s (with pulumi up)`,
    );
    assert.ok(lost <= PROMISED, `${lost} s are lost`);

    // The restored server writes a timeline of its own: nothing of the old one's is overwritten.
    assert.equal(await sql("select pg_is_in_recovery()", "postgres"), "f");
    const timeline = await sql("select timeline_id from pg_control_checkpoint()", "postgres");
    assert.ok(Number(timeline) >= 2, `timeline ${timeline}`);
    await archiveNow();
    assert.equal((await info()).status.code, 0);
    assert.match(await logOf("postgres-backup-0"), /restoring from repository cloud/);
  });

  it("without backup.restoreFrom the next start is as before, and restores nothing", async () => {
    const rows = await sql("select count(*) from heartbeat");
    configure({ "backup.restoreFrom": undefined });
    await deploy();
    await untilReady();
    assert.equal(await sql("select count(*) from heartbeat"), rows);
  });

  itLong(`${ROUNDS} times of ${ROUNDS}, under load, at random moments`, async function (this: Mocha.Context) {
    this.timeout(ROUNDS * 400_000);
    const random = new Random("losses", SAMPLE_SEED);
    const lost: number[] = [];
    for (let round = 0; round < ROUNDS; round++)
      lost.push((await loseEverything(20 + 40 * random.next(), LOAD)).lost);
    const listed = lost.map((seconds) => seconds.toFixed(1)).join(" ");
    console.log(`      lost, in seconds: ${listed}`);
    assert.ok(Math.max(...lost) <= PROMISED, listed);
  });
});
