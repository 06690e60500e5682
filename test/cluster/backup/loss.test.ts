import assert from "node:assert/strict";
import { existsSync } from "node:fs";
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

describe("everything is lost: server, agent and data directory, at one moment", function () {
  this.timeout(400_000);
  onStored();

  it(`backup.restoreFrom brings back every row that was written ${PROMISED} s before, and the archive goes on`, async () => {
    const heartbeat = new Heartbeat();
    let moment;
    try {
      await new Promise((resolve) => setTimeout(resolve, WRITING * 1000));
      moment = await burnDown();
    } finally {
      heartbeat.stop();
    }
    assert.ok(heartbeat.acknowledged.length > WRITING / 2, `${heartbeat.acknowledged.length} rows written`);
    assert.ok(!existsSync(`${stored().checkout.dataDirectory}/pgdata`));

    const seconds = await restoreEverything({});
    const newest = await heartbeat.newestRestored();
    const lost = (moment - newest) / 1000;
    console.log(
      `      lost: ${lost.toFixed(1)} s of writing; back after ${seconds.toFixed(0)} s (with pulumi up)`,
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
});
