import assert from "node:assert/strict";
import { sql } from "../support.ts";
import { archiveNow, burnDown, configure, deploy, info, onStored, restoreEverything } from "./stored.ts";

const ROWS = 60_000;
const FINGERPRINT = "select count(*), md5(string_agg(words, ',' order by id)) from mistaken";

describe("backup.restoreTime: an empty directory is filled with what was there at a moment", function () {
  this.timeout(400_000);
  onStored();

  it(`${ROWS} rows that were deleted after it are back, what was written after it is not, and the archive goes on`, async () => {
    await sql(`create table mistaken (id int primary key, words text);
      insert into mistaken select i, md5(i::text) from generate_series(1, ${ROWS}) as i`);
    const before = await sql(FINGERPRINT);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const moment = await sql("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await sql(`delete from mistaken; insert into mistaken values (0, 'after the mistake')`);
    await archiveNow();
    await burnDown();

    const seconds = await restoreEverything({ "backup.restoreTime": moment });
    console.log(`      back after ${seconds.toFixed(0)} s (with pulumi up)`);
    assert.equal(await sql(FINGERPRINT), before);
    assert.equal(await sql("select pg_is_in_recovery()", "postgres"), "f");
    await sql("insert into mistaken values (0, 'another way')");
    await archiveNow();
    assert.equal((await info()).status.code, 0);
    // Deployed as well: the next empty directory would be filled up to this moment again.
    configure({ "backup.restoreFrom": undefined, "backup.restoreTime": undefined });
    await deploy();
  });
});
