import assert from "node:assert/strict";
import { existsSync, readdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Status } from "../../../tools/backup/status.ts";
import { releaseClaims } from "./stored.ts";
import { configured, kubectl, needsEngine, npm, pulumi, sql, state, until, up } from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];

const status = async () => JSON.parse((await npm("backup", "status", "--json")).stdout) as Status;

/** Completes a segment of WAL. Returns its name. */
async function switchWal(): Promise<string> {
  await sql("select pg_logical_emit_message(false, 'tests', 'a row')", "postgres");
  return sql("select pg_walfile_name(pg_switch_wal())", "postgres");
}

describe("two repositories, one of which is away for a while", function () {
  this.timeout(400_000);
  needsEngine();
  const directory = (name: string) => join(dirname(state().dataDirectory), `repository-${name}`);
  const holds = (name: string, segment: string) =>
    readdirSync(directory(name), { recursive: true })
      .map(String)
      .some((file) => file.includes(segment));
  /** As a share that is not mounted: without its marker. */
  const marker = (name: string) => join(directory(name), "volume.identity");
  const segments: string[] = [];

  before(async () => {
    await up();
    const repository = (name: string) => ({ kind: "directory", path: directory(name), capacity: "1Gi" });
    const ran = await pulumi([
      ...["up", "--yes", "--skip-preview"],
      "--config-file",
      configured({ "backup.repositories": { far: repository("far"), near: repository("near") } }),
    ]);
    assert.equal(ran.status, 0, ran.output);
    await kubectl(
      "wait",
      ...NAMESPACE,
      "--for=condition=Complete",
      "job/postgres-backup-first",
      "--timeout=300s",
    );
  });
  after(async function () {
    this.timeout(600_000);
    if (existsSync(`${marker("far")}.away`)) renameSync(`${marker("far")}.away`, marker("far"));
    await releaseClaims();
    await up();
  });

  it("all WAL goes into the other one meanwhile, segment after segment, and the status names the one that lacks it", async () => {
    renameSync(marker("far"), `${marker("far")}.away`);
    for (let round = 0; round < 3; round++) segments.push(await switchWal());
    for (const segment of segments) {
      const begin = Date.now();
      await until(`${segment} is in the other one`, () => holds("near", segment), 60_000, 500);
      console.log(`      ${segment}: ${((Date.now() - begin) / 1000).toFixed(1)} s`);
    }
    assert.ok(!segments.some((segment) => holds("far", segment)));
    // One attempt goes on for 50 s before it counts as a failure.
    await until("archiving fails", async () => (await status()).archiving.state === "fails", 120_000, 1000);
    const { repositories, archiving } = await status();
    assert.ok((archiving.waiting ?? 0) >= 3, String(archiving.waiting));
    assert.deepEqual(
      repositories.map(({ name, behind }) => [name, behind === undefined]),
      [
        ["far", false],
        ["near", true],
      ],
    );
    assert.match((await npm("backup", "status")).stdout, /^ {2}LACKS WAL .*that another repository has/m);
    const log = await kubectl("logs", ...NAMESPACE, "postgres-backup-0", "--tail=20");
    assert.match(log, /repository far: its directory on the node has no marker volume\.identity.*Mount it/);
  });

  it("a backup is made in the other one meanwhile, and ends with the name of the one without", async () => {
    const backups = async () =>
      (await status()).repositories.find(({ name }) => name === "near")?.backups.length;
    const before = (await backups()) ?? 0;
    await kubectl("create", "job", "one-away", "--from=cronjob/postgres-backup-incremental", ...NAMESPACE);
    await until("it is made", async () => (await backups()) === before + 1, 180_000, 2000);
    await kubectl("delete", "job", "one-away", ...NAMESPACE);
  });

  it("the one that is back gets everything by itself", async () => {
    renameSync(`${marker("far")}.away`, marker("far"));
    segments.push(await switchWal());
    for (const segment of segments)
      await until(`${segment} is in it`, () => holds("far", segment), 150_000, 500);
    await until("nothing waits", async () => {
      const { archiving, repositories } = await status();
      return archiving.state === "works" && repositories.every(({ behind }) => behind === undefined);
    });
    const drilled = await npm("backup", "drill");
    assert.equal(drilled.status, 0, drilled.output);
    const { drills } = await status();
    assert.deepEqual(
      drills.slice(0, 2).map(({ repository, proven }) => [repository, proven]),
      [
        ["near", true],
        ["far", true],
      ],
    );
  });
});
