import assert from "node:assert/strict";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { reconcileParts } from "./reconcile-parts.ts";
import { containerFor, type Run, ServerContainer } from "./server-container.ts";

/** A name that would mean something to psql, to the shell, to pgBackRest, and to who reads the annotation. */
const STRANGE = `a=b host=x;"$(touch /tmp/ran)" é:,%\n--repo=7`;
const quoted = `"${STRANGE.replaceAll('"', '""')}"`;

describe("what the server writes down for its backups", function () {
  this.timeout(120_000);
  let container: ServerContainer;
  let run: Run;

  const reconcile = (program: string, environment: Record<string, string> = {}) =>
    reconcileParts(container, ["reconcile-heartbeat.sh", "reconcile-description.sh"], program, environment);
  const sql = (text: string) => reconcile('administer -At -c "$SQL"', { SQL: text });
  const description = () => container.read("volume/handover/description");

  before(async function () {
    container = await containerFor(this);
    container.deploy({ settings: "archive_mode = on\narchive_command = 'true'\narchive_timeout = 30s" });
    run = await container.started();
  });
  after(async () => {
    await run?.end("SIGINT");
    container?.remove();
  });

  it("is nothing while nobody is there to read it", () => {
    assert.equal(reconcile("describe; echo $((describe_at - elapsed))"), "5");
    assert.equal(description(), undefined);
  });

  it("is each database's extensions with their versions, whatever the names are, and the settings that a standby needs", () => {
    mkdirSync(join(container.root, "volume/handover"), { mode: 0o700 });
    chownSync(join(container.root, "volume/handover"), 999, 999);
    assert.equal(sql(`create database ${quoted}`), "");
    assert.equal(
      reconcile(
        'PGDATABASE=$NAME superuser test "" -c "create extension pg_trgm"; administer -c "create extension vector"',
        {
          NAME: STRANGE,
        },
      ),
      "",
    );
    assert.equal(reconcile("describe; echo $((describe_at - elapsed))"), "60");
    const [extensions = "", version, settings, end, ...more] = (description() ?? "").split("\n");
    assert.match(
      extensions,
      /^extensions=a%3db%20host%3dx%3b%22%24%28touch%20%2ftmp%2fran%29%22%20%c3%a9%3a%2c%25%0a--repo%3d7:pg_trgm=1\.\d+;postgres:vector=0\.\d+\.\d+$/,
    );
    const [encoded = ""] = extensions.slice("extensions=".length).split(":");
    assert.equal(decodeURIComponent(encoded), STRANGE);
    assert.match(version ?? "", /^version=16\.\d+$/);
    assert.match(settings ?? "", /^settings=max_connections=\d+,.*,wal_level=replica$/);
    assert.deepEqual([end, more], ["end", [""]]);
  });

  it("stays what it was if a database cannot be asked, which is said", () => {
    const before = description();
    assert.equal(sql(`alter database ${quoted} rename to gone`), "");
    const words = reconcile('mapfile() { databases=("gone" "no such database"); }; describe');
    assert.match(
      words,
      /^SAID backups are not annotated with extensions, as a database cannot be asked: .*"no such database" does not exist$/,
    );
    assert.equal(description(), before);
  });

  describe("of how much a loss would cost", () => {
    const beat = () => assert.equal(reconcile("write_heartbeat"), "");
    const lost = () => sql("select lost from backup.archived");
    /** All of the WAL so far is archived. */
    const archived = () =>
      sql(
        "select pg_switch_wal()" +
          "; do $$ begin for i in 1..200 loop perform pg_stat_clear_snapshot(); exit when not exists (select from pg_ls_archive_statusdir() where name like '%.ready'); perform pg_sleep(0.05); end loop; end $$",
      );

    it("is measured by a clock that nobody sets: not less than nothing, where the machine's was set back", () => {
      beat();
      // As if it had been an hour ahead.
      sql("update backup.heartbeat set at = at + interval '1 hour'");
      beat();
      archived();
      const seconds = Number(lost());
      assert.ok(seconds >= 0 && seconds < 60, String(seconds));
      // Nor more, where it was set forward.
      sql("update backup.heartbeat set at = at - interval '2 hours'");
      assert.ok(Number(lost()) < 60, lost());
    });

    it("is not less than the time since the machine's start, if it was before that", () => {
      sql("update backup.heartbeat set boot = gen_random_uuid(), at = at + interval '300 days'");
      const up = Number(sql("select seconds from backup.uptime"));
      assert.ok(Math.abs(Number(lost()) - up) < 10, `${lost()}, ${up}`);
    });

    it("a segment that PostgreSQL keeps open for longer than archive_timeout is ended, and no other", () => {
      const segment = () => sql("select pg_walfile_name(pg_current_wal_insert_lsn())");
      sql("truncate backup.heartbeat");
      archived();
      beat();
      const open = segment();
      beat();
      assert.equal(segment(), open, "it was ended at once");
      // As if PostgreSQL's own clock stood before the segment's beginning.
      sql("update backup.heartbeat set uptime = uptime - 41");
      beat();
      assert.notEqual(segment(), open);
    });
  });
});
