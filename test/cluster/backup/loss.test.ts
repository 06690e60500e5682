import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Random } from "../../random.ts";
import { itLong, SAMPLE_SEED } from "../../sample.ts";
import { shell, sql } from "../support.ts";
import {
  archiveNow,
  burnDown,
  configure,
  deploy,
  Heartbeat,
  info,
  logOf,
  NAMESPACE,
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

/** What can be seen of the archive before it is lost: whoever finds that too much is lost asks why. */
async function archiveEvidence(): Promise<string> {
  const archiver = await sql(
    `select 'now ' || clock_timestamp() || ', ' || row_to_json(pg_stat_archiver) from pg_stat_archiver;
     select name || ' ' || modification from pg_ls_archive_statusdir() order by modification desc limit 12`,
    "postgres",
  ).catch(String);
  const pods = await shell(`kubectl get pods -n ${NAMESPACE}`);
  const agent = await shell(`kubectl logs -n ${NAMESPACE} postgres-backup-0 --timestamps --tail=60`);
  const server = await shell(`kubectl logs -n ${NAMESPACE} postgres-0 -c postgres --timestamps --tail=40`);
  return [archiver, pods.output, agent.output, server.output].join("\n---\n");
}

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
  let evidence;
  try {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    evidence = await archiveEvidence();
    moment = await burnDown();
  } finally {
    heartbeat.stop();
  }
  assert.ok(heartbeat.acknowledged.length > seconds / 2, `${heartbeat.acknowledged.length} rows written`);
  assert.ok(!existsSync(`${stored().checkout.dataDirectory}/pgdata`));
  const back = await restoreEverything({});
  // Where nothing of this round is restored, its first row is the first that is lost: what was before it, and the time in
  // which nobody could write, is the loss before.
  const from = Math.max(await heartbeat.newestRestored(), heartbeat.acknowledged[0] ?? 0);
  const lost = (moment - from) / 1000;
  // Half a minute is the archive's own time: archive_timeout.
  if (lost > 45) console.log(`${lost} s were lost after ${seconds} s. Before it:\n${evidence}`);
  return { lost, back };
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
