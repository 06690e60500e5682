import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { Status } from "../../../tools/backup/status.ts";
import { releaseClaims } from "./stored.ts";
import { clockImages, setClocks } from "../faketime.ts";
import {
  AS_SUPERUSER,
  configured,
  inPod,
  kubectl,
  needsEngine,
  npm,
  pulumi,
  sql,
  state,
  until,
  up,
} from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const HOUR = 3600;

const status = async () => JSON.parse((await npm("backup", "status", "--json")).stdout) as Status;
const newest = async () => (await status()).repositories[0]?.backups.at(-1)?.label;
/** Heartbeats so far; they are in the database `postgres`. */
async function beats(): Promise<number> {
  const ran = await inPod([...AS_SUPERUSER, "-d", "postgres"], "select max(n) from backup.heartbeat");
  assert.equal(ran.status, 0, ran.output);
  return Number(ran.stdout);
}

/** Waits until what is written now is archived; nobody helps. Returns the seconds it took. */
async function archivedByItself(): Promise<number> {
  const begin = Date.now();
  await sql("create table if not exists written (at timestamptz); insert into written values (now())");
  const lsn = await sql("select pg_current_wal_insert_lsn()", "postgres");
  const archived = `select coalesce(pg_walfile_name('${lsn}') <= left(last_archived_wal, 24), false) from pg_stat_archiver`;
  await until("it is archived", async () => (await sql(archived, "postgres")) === "t", 120_000, 500);
  return (Date.now() - begin) / 1000;
}

describe("a clock that is set back by an hour, of server and backup agent", function () {
  this.timeout(400_000);
  needsEngine();

  before(async () => {
    await up();
    const { server, agent } = await clockImages();
    const path = join(dirname(state().dataDirectory), "repository-clock");
    const ran = await pulumi([
      ...["up", "--yes", "--skip-preview"],
      "--config-file",
      configured({
        "database.image": server,
        "backup.image": agent,
        // Of its own: the labels of its backups are an hour ahead.
        "backup.repositories": { ahead: { kind: "directory", path, capacity: "1Gi" } },
      }),
    ]);
    assert.equal(ran.status, 0, ran.output);
    await kubectl(
      "wait",
      ...NAMESPACE,
      "--for=condition=Complete",
      "job/postgres-backup-first",
      "--timeout=240s",
    );
  });
  after(async function () {
    this.timeout(600_000);
    await setClocks(0);
    await releaseClaims();
    await up();
  });

  it("after a start of the server, what is written is archived within 60 s too", async () => {
    await kubectl("delete", "pod", ...NAMESPACE, "postgres-0");
    await kubectl("wait", ...NAMESPACE, "--for=condition=ready", "pod/postgres-0", "--timeout=120s");
    const seconds = await archivedByItself();
    console.log(`      archived after ${seconds.toFixed(1)} s`);
    assert.ok(seconds < 60, String(seconds));
  });

  it("archiving goes on, and within 60 s; so do the heartbeats; nothing says that a loss would cost less than it would", async () => {
    await setClocks(2 * HOUR);
    const n = await beats();
    await until("a heartbeat is ahead", async () => (await beats()) > n + 1, 60_000, 1000);
    await archivedByItself();
    const before = await sql("select now()");
    await setClocks(HOUR);
    assert.equal(await sql(`select now() < '${before}'`), "t", "the clock was not set");
    const beatsBefore = await beats();
    for (let round = 0; round < 2; round++) {
      const seconds = await archivedByItself();
      console.log(`      archived after ${seconds.toFixed(1)} s`);
      assert.ok(seconds < 60, String(seconds));
    }
    assert.ok((await beats()) > beatsBefore + 3, "the heartbeats have stopped");
    const found = await status();
    assert.equal(found.archiving.state, "works");
    const { lost = -1 } = found.archiving;
    console.log(`      a loss would cost ${lost} s`);
    assert.ok(lost >= 0 && lost < 60, String(lost));
    const { clockSetBack } = found;
    assert.ok(clockSetBack);
    const by = (Date.parse(clockSetBack.from) - Date.parse(clockSetBack.to)) / 1000;
    assert.ok(by > HOUR - 60 && by < HOUR, String(by));
  });

  it("a backup made afterwards is usable, and its drill's loss is neither negative nor an hour", async () => {
    const before = await newest();
    const made = await npm("backup", "now");
    assert.equal(made.status, 0, made.output);
    const label = await newest();
    assert.notEqual(label, before);
    const drilled = await npm("backup", "drill");
    assert.equal(drilled.status, 0, drilled.output);
    const [drill] = (await status()).drills;
    assert.equal(drill?.label, label);
    console.log(`      a loss would have cost ${drill?.rpo} s; proven in ${drill?.seconds} s`);
    assert.ok(Number(drill?.rpo) >= 0 && Number(drill?.rpo) < 60, String(drill?.rpo));
    assert.ok(Number(drill?.seconds) > 0 && Number(drill?.seconds) < 300, String(drill?.seconds));
  });

  it("a backup that would be older than the newest one is refused, with the time until which; archiving goes on", async () => {
    await setClocks(0);
    await kubectl("create", "job", "early", "--from=cronjob/postgres-backup-incremental", ...NAMESPACE);
    try {
      const label = (await newest()) ?? "";
      const [, date = "", time = ""] = /(\d{8})-(\d{6})[FDI]$/.exec(label) ?? [];
      const at = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)} ${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4)}`;
      await until("it says until when", async () =>
        (await kubectl("logs", ...NAMESPACE, "job/early").catch(() => "")).includes(
          `No backup can be made before the clock shows ${at}; archiving goes on`,
        ),
      );
      assert.ok((await archivedByItself()) < 60);
      // It tries for ten minutes, and succeeds once the clock is right.
      await setClocks(HOUR + 120);
      await kubectl("wait", ...NAMESPACE, "--for=condition=Complete", "job/early", "--timeout=120s");
      assert.notEqual(await newest(), label);
    } finally {
      await kubectl("delete", "job", "early", ...NAMESPACE, "--ignore-not-found");
    }
  });
});
