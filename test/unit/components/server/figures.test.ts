import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Figure, RULES } from "../../../../components/monitoring/rules.ts";
import { projectFile } from "../../../../tools/cli.ts";
import { reconcileParts } from "./reconcile-parts.ts";
import { containerFor, type Run, ServerContainer } from "./server-container.ts";

const SCRIPT = projectFile("components/server/scripts/node-figures.sh");

/** Lines of node-figures.sh by name and label. */
const figuresIn = (lines: string) =>
  Object.fromEntries(
    lines
      .trim()
      .split("\n")
      .map((line) => line.split("\t"))
      .map(([name, label, value]) => [label === "" ? name : `${name} ${label}`, value]),
  ) as Record<string, string>;

describe("what the node knows of the server", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "node-figures-"));
    mkdirSync(join(root, "var/lib/postgresql/data"), { recursive: true });
    mkdirSync(join(root, "run/reconcile"), { recursive: true });
    mkdirSync(join(root, "proc/self"), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true }));
  const put = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  const figures = () => {
    const ran = spawnSync("bash", [SCRIPT], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, ROOT: root },
    });
    assert.equal(ran.status, 0, ran.stderr);
    assert.equal(ran.stderr, "");
    return figuresIn(ran.stdout);
  };

  it("is the size of the data's disk and what is left of it, in bytes and as a share", () => {
    const { disk_size_bytes: size, disk_free_bytes: free, disk_free_ratio: ratio } = figures();
    assert.ok(Number(free) > 0 && Number(free) < Number(size), `${free} of ${size}`);
    assert.ok(Math.abs(Number(ratio) - Number(free) / Number(size)) < 0.01, ratio);
  });

  it("is not a disk that is not there", () => {
    rmSync(join(root, "var"), { recursive: true });
    assert.ok(!Object.keys(figures()).some((name) => name.startsWith("disk_")), JSON.stringify(figures()));
  });

  describe("of whether the disk can be written to", () => {
    const line = (point: string, options: string, own = "rw,relatime") =>
      `36 35 8:1 /data ${point} ${own} master:1 - ext4 /dev/sda1 ${options}\n`;
    for (const [what, mounts, expected] of [
      ["a disk that can", line("/", "rw") + line("/var/lib/postgresql/data", "rw,errors=remount-ro"), "0"],
      [
        "a disk that was mounted again read-only",
        line("/", "rw") + line("/var/lib/postgresql/data", "ro"),
        "1",
      ],
      [
        "a disk after an error, as Linux 6.15 has it",
        line("/var/lib/postgresql/data", "rw,errors=remount-ro,emergency_ro"),
        "1",
      ],
      // A container may mount it for reading only.
      ["a container that may only read", line("/var/lib/postgresql/data", "rw", "ro,relatime"), "0"],
      ["the disk below, where the volume is not a mount", line("/", "ro") + line("/var/lib", "rw"), "0"],
      ["no disk of a similar name", line("/", "rw") + line("/var/lib/postgresql/data2", "ro"), "0"],
      [
        "the disk that was mounted last",
        line("/var/lib/postgresql/data", "ro") + line("/var/lib/postgresql/data", "rw"),
        "0",
      ],
    ] as const)
      it(`is that of ${what}`, () => {
        put("proc/self/mountinfo", mounts);
        assert.equal(figures().disk_read_only, expected);
      });

    it("is not known without a list of mounts", () => {
      assert.equal(figures().disk_read_only, undefined);
    });
  });

  describe("of its RAID", () => {
    it("is the devices that each array lacks, while it is rebuilt too", () => {
      put(
        "proc/mdstat",
        `Personalities : [raid1] [raid10]
md127 : active raid10 sdd1[3] sdc1[2] sdb1[1] sda1[0]
      7813772288 blocks super 1.2 512K chunks 2 near-copies [4/4] [UUUU]
      bitmap: 2/59 pages [8KB], 65536KB chunk

md0 : active raid1 sdf1[2] sde1[0]
      1953383488 blocks super 1.2 [2/1] [U_]
      [=>...................]  recovery =  8.5% (166000000/1953383488) finish=150.1min speed=198000K/sec

md1 : active (auto-read-only) raid5 sdg1[0] sdh1[1]
      3906766976 blocks super 1.2 level 5, 512k chunk, algorithm 2 [4/2] [UU__]

md2 : inactive sdi1[0](S)
      1953383488 blocks super 1.2

md3 : active raid0 sdj1[0] sdk1[1]
      3906766976 blocks super 1.2 512k chunks

unused devices: <none>
`,
      );
      const found = Object.entries(figures()).filter(([name]) => name.startsWith("raid_"));
      assert.deepEqual(Object.fromEntries(found), {
        "raid_missing_devices md127": "0",
        "raid_missing_devices md0": "1",
        "raid_missing_devices md1": "2",
        "raid_missing_devices md2": "1",
      });
    });

    it("is none of Intel's container, whose arrays are the RAID, nor of one that waits to be checked", () => {
      put(
        "proc/mdstat",
        `Personalities : [raid1] [raid6] [raid5] [raid4]
md126 : active raid1 sda[1] sdb[0]
      1953381376 blocks super external:/md127/0 [2/2] [UU]

md127 : inactive sdb[1](S) sda[0](S)
      6306 blocks super external:imsm

md125 : inactive sdd[0]
      1953381376 blocks super external:/md127/1

md5 : active raid5 sde[3] sdf[2] sdg[1] sdh[0]
      23441679360 blocks super 1.2 level 5, 512k chunk, algorithm 2 [4/4] [UUUU]
      [===>.................]  reshape = 15.0% (1172083968/7813893120) finish=900.0min speed=123000K/sec

md6 : active (auto-read-only) raid1 sdi[0] sdj[1]
      1953381376 blocks super 1.2 [2/2] [UU]
      	resync=PENDING

md7 : inactive sdk[0](S)
      1953381376 blocks super 1.2

unused devices: <none>
`,
      );
      const found = Object.entries(figures()).filter(([name]) => name.startsWith("raid_"));
      assert.deepEqual(Object.fromEntries(found), {
        "raid_missing_devices md126": "0",
        "raid_missing_devices md125": "1",
        "raid_missing_devices md5": "0",
        "raid_missing_devices md6": "0",
        "raid_missing_devices md7": "1",
      });
    });

    it("is nothing where there is none", () => {
      put("proc/mdstat", "Personalities : \nunused devices: <none>\n");
      assert.ok(!Object.keys(figures()).some((name) => name.startsWith("raid_")));
    });
  });

  describe("of its certificate", () => {
    const DAY = 86_400;
    const made = (days: number, daysAgo: number) => {
      mkdirSync(join(root, "run/tls/current"), { recursive: true });
      const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
      const out = ["-keyout", join(root, "key"), "-out", join(root, "run/tls/current/tls.crt")];
      const date = (at: number) => new Date(at).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
      const from = Date.now() - daysAgo * DAY * 1000;
      const request = spawnSync("openssl", [
        "req",
        "-x509",
        ...key,
        ...out,
        "-subj",
        "/CN=postgres",
        "-days",
        "1",
      ]);
      assert.equal(request.status, 0);
      // Debian 12's openssl sets no dates of a self-signed certificate but by `ca`.
      const config = join(root, "ca.cnf");
      put("index.txt", "");
      writeFileSync(
        config,
        `[ca]\ndefault_ca=a\n[a]\ndatabase=${root}/index.txt\nnew_certs_dir=${root}\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n[req]\ndistinguished_name=p2\n[p2]\n`,
      );
      const csr = ["req", "-new", "-config", config, "-key", join(root, "key"), "-subj", "/CN=postgres"];
      assert.equal(spawnSync("openssl", [...csr, "-out", join(root, "csr")]).status, 0);
      const signed = spawnSync("openssl", [
        ...["ca", "-batch", "-notext", "-selfsign", "-config", config, "-keyfile", join(root, "key")],
        ...["-in", join(root, "csr"), "-out", join(root, "run/tls/current/tls.crt")],
        ...["-startdate", date(from), "-enddate", date(from + days * DAY * 1000)],
      ]);
      assert.equal(signed.status, 0, String(signed.stderr));
    };

    it("is how long it is valid, and since when it should have been renewed: with a third of its time left", () => {
      made(30, 1);
      const young = figures();
      assert.ok(Math.abs(Number(young.certificate_left_seconds) - 29 * DAY) < 60, JSON.stringify(young));
      assert.ok(Math.abs(Number(young.certificate_overdue_seconds) - -19 * DAY) < 60);
      assert.equal(young.certificate_refused, "0");
      made(90, 61);
      assert.ok(Math.abs(Number(figures().certificate_overdue_seconds) - DAY) < 60);
    });

    it("is due 30 days before its end, however long it is valid", () => {
      made(365, 330);
      assert.ok(Math.abs(Number(figures().certificate_overdue_seconds) - -5 * DAY) < 60);
      made(365, 336);
      assert.ok(Math.abs(Number(figures().certificate_overdue_seconds) - DAY) < 60);
    });

    it("says that a new one was refused, and nothing of one that there is not", () => {
      put("run/tls/problem", "tls.key does not belong to tls.crt");
      assert.equal(figures().certificate_refused, "1");
      assert.equal(figures().certificate_left_seconds, undefined);
    });

    it("is nothing without TLS", () => {
      assert.ok(!Object.keys(figures()).some((name) => name.startsWith("certificate_")));
    });
  });

  it("is which of what was deployed is not in force", () => {
    put("run/reconcile/refused-configuration", "no");
    put("run/reconcile/refused-settings", "");
    put("run/reconcile/refused-logins", "login api: no");
    const found = figures();
    assert.equal(found.configuration_refused, "1");
    assert.equal(found.settings_refused, "0");
    assert.equal(found["credentials_refused postgres-secret"], "0");
    assert.equal(found["credentials_refused postgres-logins"], "1");
  });
});

describe("the figures that monitoring reads", function () {
  this.timeout(120_000);
  let container: ServerContainer;
  let run: Run;

  const reconcile = (program: string, environment: Record<string, string> = {}) =>
    reconcileParts(container, ["reconcile-heartbeat.sh", "reconcile-figures.sh"], program, environment);
  const sql = (text: string) => reconcile('administer -At -c "$SQL"', { SQL: text });
  const written = () => assert.equal(reconcile("write_figures"), "");
  const kept = (): Figure[] =>
    JSON.parse(sql("select coalesce(json_agg(figure), '[]') from monitoring.figure")) as Figure[];
  const value = (name: string, label = "") =>
    kept().find((figure) => figure.name === name && figure.label === label)?.value;

  /** What pgBackRest's agent answers. */
  const answer = (text: string, secondsAgo = 0) => {
    const file = join(container.root, "volume/handover/report.file");
    writeFileSync(file, text);
    chownSync(file, 999, 999);
    const at = Date.now() / 1000 - secondsAgo;
    utimesSync(file, at, at);
  };
  const DAY = 86_400;
  const now = () => Math.floor(Date.now() / 1000);
  const backup = (key: number, daysAgo: number, error = false) => ({
    database: { "repo-key": key },
    timestamp: { start: now() - daysAgo * DAY - 60, stop: now() - daysAgo * DAY },
    error,
  });
  const report = (backups: object[], codes: readonly number[] = [0, 0]) =>
    JSON.stringify({
      repositories: "1:cloud:s3 2:nas:directory",
      info: [{ backup: backups, repo: codes.map((code, index) => ({ key: index + 1, status: { code } })) }],
    });

  before(async function () {
    container = await containerFor(this);
    container.deploy({ settings: "archive_mode = on\narchive_command = 'true'\narchive_timeout = 30s" });
    run = await container.started();
    mkdirSync(join(container.root, "volume/handover"), { mode: 0o700 });
    chownSync(join(container.root, "volume/handover"), 999, 999);
  });
  after(async () => {
    await run?.end("SIGINT");
    container?.remove();
  });

  it("are written every 15 seconds, the same names again", () => {
    written();
    const names = kept().map(({ name, label }) => `${name} ${label}`);
    assert.ok(names.includes("server_running_seconds ") && names.includes("disk_free_bytes "), names.join());
    written();
    assert.deepEqual(
      kept()
        .map(({ name, label }) => `${name} ${label}`)
        .sort(),
      names.sort(),
    );
    assert.equal(reconcile("tick; write_figures; echo $((figures_at - elapsed))"), "15");
  });

  it("can be read, and not written, by whoever may monitor", () => {
    sql("create role watcher in role pg_monitor");
    assert.match(sql("set role watcher; select count(*) > 5 from monitoring.figure"), /t$/);
    for (const act of [
      "delete from monitoring.figure",
      "insert into monitoring.disk (at, free) values (now(), 1)",
      "create table monitoring.own ()",
    ])
      assert.match(sql(`set role watcher; ${act}`), /permission denied/, act);
    sql("create role stranger");
    assert.match(sql("set role stranger; select * from monitoring.figure"), /permission denied/);
  });

  it("are all that a login of monitoring finds in their database: nothing that takes the server away from others", () => {
    sql("create role transcripts_monitoring in role pg_monitor; revoke all on database postgres from public");
    written();
    assert.match(sql("select has_database_privilege('transcripts_monitoring', 'postgres', 'CONNECT')"), /t$/);
    for (const act of ["lo_create(0)", "pg_advisory_lock(1)", "pg_export_snapshot()", "txid_current()"])
      assert.match(sql(`set role transcripts_monitoring; select ${act}`), /permission denied/, act);
    const listed = (file: string) =>
      /AND \(proname IN \([^)]*\)\s+OR proname ~ '[^']*'\)/.exec(
        readFileSync(projectFile(file), "utf8"),
      )?.[0];
    assert.ok(listed("sql/bootstrap/03-privileges.sql"));
    assert.equal(
      listed("components/server/scripts/figures.sql")?.replaceAll(/\s+/g, " "),
      listed("sql/bootstrap/03-privileges.sql")?.replaceAll(/\s+/g, " "),
    );
  });

  it("have nothing of backups before the agent has said what there is, who is asked every ten minutes", () => {
    assert.equal(value("backup_age_seconds", "cloud"), undefined);
    assert.match(container.read("volume/handover/report.wanted") ?? "", /^\d+-\d+-[\d.]+\n$/);
    // Nobody has answered yet.
    assert.equal(reconcile("tick; request_report; echo $((report_at - elapsed))"), "30");
    answer(report([]));
    assert.equal(reconcile("tick; request_report; echo $((report_at - elapsed))"), "600");
  });

  it("have each repository's newest backup without errors, and since when no restore was proven", () => {
    reconcile("write_heartbeat");
    answer(report([backup(1, 9), backup(1, 2), backup(1, 1, true), backup(2, 4)], [0, 99]), 120);
    written();
    const days = (name: string, label: string) => Math.round((value(name, label) ?? NaN) / DAY);
    assert.equal(days("backup_age_seconds", "cloud"), 2);
    assert.equal(days("backup_age_seconds", "nas"), 4);
    assert.equal(value("repository_failing", "cloud"), 0);
    assert.equal(value("repository_failing", "nas"), 1);
    // Never: since the oldest backup.
    assert.equal(days("restore_proven_seconds", "cloud"), 9);
    assert.ok(Math.abs((value("repositories_silent_seconds") ?? NaN) - 120) < 30);
  });

  it("have the last drill of each repository, and those that failed before one was chosen", () => {
    sql(`insert into backup.drill (at, proven, repository, words) values
           (now() - interval '3 days', true, 'cloud', 'proven'), (now() - interval '2 days', true, 'nas', 'proven'),
           (now() - interval '1 day', false, 'nas', 'not')`);
    written();
    assert.equal(value("drill_failed", "cloud"), 0);
    assert.equal(value("drill_failed", "nas"), 1);
    assert.equal(Math.round((value("restore_proven_seconds", "cloud") ?? NaN) / DAY), 3);
    assert.equal(Math.round((value("restore_proven_seconds", "nas") ?? NaN) / DAY), 2);
    sql("insert into backup.drill (proven, words) values (false, 'no space')");
    written();
    assert.equal(value("drill_failed", "cloud"), 1);
  });

  it("say what a loss of the disk costs where nothing has ever been archived, or not for days", () => {
    reconcile("write_heartbeat");
    sql("select pg_stat_reset_shared('archiver')");
    reconcile("sleep 1; write_figures");
    const behind = value("archive_behind_seconds") ?? NaN;
    assert.ok(behind >= 1 && behind < 60, String(behind));
  });

  it("do not call a repository failing that has no backup yet, but one that has none after a day", () => {
    answer(report([backup(1, 0)], [0, 2]));
    written();
    assert.equal(value("repository_failing", "nas"), 0);
    sql("update backup.heartbeat set at = at - interval '27 hours'");
    written();
    sql("update backup.heartbeat set at = at + interval '27 hours'");
    assert.equal(value("repository_failing", "nas"), 1);
  });

  it("are not lost to an answer that is none", () => {
    const stopped = (stop: unknown) =>
      JSON.stringify({
        repositories: "1:cloud:s3 1:cloud:s3",
        info: [
          {
            backup: [{ database: { "repo-key": 1 }, timestamp: { stop } }],
            repo: [{ key: 1 }, { key: 1, status: 7 }],
          },
        ],
      });
    for (const text of [
      // As after a loss of power.
      "\0".repeat(300),
      '{"repositories": "\\u0000"}',
      '{"repositories": 1e200000}',
      ...["x", "9", null, 1.5, -1e15, 9e17, 1e300].map(stopped),
      "",
      "{",
      "[]",
      '{"repositories": 7}',
      '{"repositories": "1:cloud:s3", "info": [{"backup": [{}]}]}',
    ]) {
      answer(text);
      sql("delete from monitoring.figure");
      written();
      assert.ok((value("server_running_seconds") ?? -1) >= 0, text);
      // What has no time is no backup of now.
      assert.notEqual(value("backup_age_seconds", "cloud"), 0, text);
    }
  });

  it("have a client's transactions, locks and prepared transactions, and none of this program's own", () => {
    sql("create table public.t ()");
    /** Runs SQL under another name in the background, and the figures once a condition on sessions holds. */
    const during = (sessions: readonly [name: string, statements: string][], holds: string) => {
      const begun = sessions.map(
        ([name, statements]) =>
          `PGAPPNAME=${name} psql -X -q -h "$SUPERUSER_SOCKET" -U postgres -d postgres -c "${statements}" >/dev/null 2>&1 &`,
      );
      const asked = `for i in $(seq 100); do [ "$(administer -At -c "select count(*) from ${holds}")" = 0 ] || break; sleep 0.1; done`;
      return reconcile(`${begun.join("\n")}\n${asked}\nsleep 1.1; write_figures; kill $(jobs -p); wait`);
    };
    const lock = "begin; lock public.t; select pg_sleep(20)";
    during(
      [
        ["other", lock],
        ["transcript-pipeline/dump", `select pg_sleep(0.5); ${lock}`],
      ],
      "pg_locks where waitstart is not null",
    );
    const [open, waits] = [value("transaction_open_seconds") ?? NaN, value("lock_wait_seconds") ?? NaN];
    assert.ok(open >= 1 && open < 30, String(open));
    assert.ok(waits >= 1 && waits < 30, String(waits));
    sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(20)%' and pid <> pg_backend_pid()",
    );
    during(
      [["transcript-pipeline/dump", lock]],
      "pg_stat_activity where application_name like '%/dump' and xact_start is not null",
    );
    assert.ok((value("transaction_open_seconds") ?? NaN) < 1);
  });

  it("say when the disk is full, if it goes on as in a day, and nothing of one that does not fill", () => {
    const history = (perHour: number, hours: number) =>
      sql(`truncate monitoring.disk; insert into monitoring.disk (at, free)
             select now() - hour * interval '1 hour', 240e9 + hour * ${perHour} from generate_series(${hours}, 0, -1) hour`);
    history(10e9, 12);
    written();
    assert.ok(Math.abs((value("disk_full_seconds") ?? NaN) - DAY) < 3600, String(value("disk_full_seconds")));
    sql("delete from monitoring.figure where name = 'disk_full_seconds'");
    history(-10e9, 12);
    written();
    assert.equal(value("disk_full_seconds"), undefined);
    // A morning's import is not a day's.
    history(10e9, 3);
    written();
    assert.equal(value("disk_full_seconds"), undefined);
  });

  it("keep the free space of each minute for 14 days", () => {
    sql("truncate monitoring.disk");
    written();
    written();
    assert.equal(sql("select count(*) from monitoring.disk"), "1");
    sql(
      "insert into monitoring.disk (at, free) select now() - interval '20 days', 1 from generate_series(1, 21000)",
    );
    written();
    assert.equal(sql("select count(*) from monitoring.disk"), "20160");
  });

  it("forget what is no more after an hour", () => {
    sql(
      "insert into monitoring.figure values ('backup_age_seconds', 'gone', 1, now() - interval '61 minutes')",
    );
    written();
    assert.equal(value("backup_age_seconds", "gone"), undefined);
  });

  it("cost nothing but themselves when they cannot be written, and that is said once", () => {
    sql(
      "alter table monitoring.figure rename to elsewhere; create view monitoring.figure as select 1 as name",
    );
    const words = reconcile("write_figures; figures_at=0; write_figures");
    sql("drop view monitoring.figure; alter table monitoring.elsewhere rename to figure");
    assert.match(words, /^SAID the figures for monitoring could not be written: .+/);
    written();
  });

  it("are all that the rules ask for, but those of the queue", () => {
    answer(report([backup(1, 1), backup(2, 1)]));
    sql(
      "insert into backup.drill (proven, repository, words) values (true, 'cloud', 'x'), (true, 'nas', 'x')",
    );
    sql(`truncate monitoring.disk; insert into monitoring.disk (at, free)
           select now() - hour * interval '1 hour', 240e9 + hour * 1e9 from generate_series(12, 0, -1) hour`);
    reconcile("write_heartbeat; administer -c 'select pg_switch_wal()'; sleep 1; write_heartbeat");
    reconcile("administer -c \"select pg_create_physical_replication_slot('reader', true)\"");
    written();
    // Of a node with RAID and TLS; of the owner's database; of whoever looks.
    const elsewhere = /^(raid_|certificate_|jobs_|disk_read_only|database_silent_|figures_silent_)/;
    const names = new Set(kept().map(({ name }) => name));
    assert.deepEqual(
      RULES.map(({ figure }) => figure).filter((figure) => !elsewhere.test(figure) && !names.has(figure)),
      [],
    );
  });
});
