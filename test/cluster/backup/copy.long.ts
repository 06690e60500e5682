import assert from "node:assert/strict";
import type { Status } from "../../../tools/backup/status.ts";
import { kubectl, needsEngine, npm, shell, sql, until, up } from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const VOLUME = "/var/lib/postgresql/data";

const drills = async () => (JSON.parse((await npm("backup", "status", "--json")).stdout) as Status).drills;
const left = () =>
  kubectl("exec", ...NAMESPACE, "postgres-backup-0", "--", "bash", "-c", `ls -A ${VOLUME}/drill`);

describe("npm run backup -- copy: the database as it was at a moment, next to the running server", function () {
  this.timeout(240_000);
  needsEngine();
  before(async () => {
    await up();
    await until("a restore is proven", async () => (await drills()).length > 0);
  });
  afterEach(async () => {
    await npm("backup", "copy", "end");
  });

  it("brings back a dropped table by the printed command, and leaves what was written since", async () => {
    await sql("create table dropped as select i, md5(i::text) as words from generate_series(1, 5000) as i");
    await sql("create table since as select 1 as i");
    const rows = await sql("select count(*), md5(string_agg(words, ',' order by i)) from dropped");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const moment = await sql("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || '+00'");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await sql("drop table dropped");
    await sql("insert into since values (2)");
    await sql("select pg_switch_wal()", "postgres");
    const proofs = await drills();
    const started = await sql("select pg_postmaster_start_time()");

    const ran = await npm("backup", "copy", moment);
    assert.equal(ran.status, 0, ran.output);
    const line = ran.stdout.split("\n").find((printed) => /pg_dump.*\| kubectl/.test(printed)) ?? "";
    const back = await shell(line.replace("--table recordings", "--table dropped"));
    assert.equal(back.status, 0, back.output);
    assert.equal(await sql("select count(*), md5(string_agg(words, ',' order by i)) from dropped"), rows);
    assert.equal(await sql("select count(*) from since"), "2");
    assert.equal(await sql("select pg_postmaster_start_time()"), started);

    const again = await npm("backup", "copy", moment);
    assert.equal(again.status, 2, again.output);
    assert.match(again.output, /there is one already.*copy end/);
    const end = await npm("backup", "copy", "end");
    assert.equal(end.status, 0, end.output);
    assert.equal((await left()).trim(), "");
    assert.deepEqual(await drills(), proofs, "a copy is no proof");
    await sql("drop table dropped, since");
  });

  it("of a moment that no backup has, it says so and leaves nothing", async () => {
    const ran = await npm("backup", "copy", "2020-01-01 00:00:00Z");
    assert.equal(ran.status, 1, ran.output);
    assert.match(ran.stdout, /drill: FAILED for repository local: .*2020-01-01 00:00:00\+00/);
    assert.equal((await left()).trim(), "");
  });

  it("of a repository that there is none of, it says which there are", async () => {
    const ran = await npm("backup", "copy", "2026-01-01 00:00:00Z", "--from", "cloud");
    assert.equal(ran.status, 1, ran.output);
    assert.match(ran.stdout, /there is no repository cloud\. Allowed: local/);
  });
});
