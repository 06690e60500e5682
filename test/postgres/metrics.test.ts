import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import {
  databaseQueries,
  DATABASE_METRICS,
  FIGURE_METRICS,
  figureQueries,
  METRIC_PREFIX,
  SILENT_METRIC,
} from "../../components/monitoring/metrics.ts";
import { projectFile } from "../../tools/cli.ts";
import { prometheusLayer } from "../../tools/local-cluster/images.ts";
import {
  makeDataDirectory,
  type Programs,
  query,
  startServer,
  stopServer,
} from "../../tools/postgres-programs.ts";
import { withPrograms } from "./programs.ts";

const SCRIPTS = ["heartbeat.sql", "figures.sql", "figures-now.sql"].map(
  (name) => `components/server/scripts/${name}`,
);

/** What node-figures.sh says of a node: every name and every label that it has. */
const NODE = [
  "disk_size_bytes\t\t1000000000",
  "disk_free_bytes\t\t600000000",
  "disk_free_ratio\t\t0.6000",
  "disk_files_free_ratio\t\t0.9000",
  "disk_read_only\t\t0",
  "raid_missing_devices\tmd0\t1",
  "certificate_refused\t\t0",
  "certificate_left_seconds\t\t2000000",
  "certificate_overdue_seconds\t\t-1000",
  "configuration_refused\t\t0",
  "settings_refused\t\t0",
  "credentials_refused\tpostgres-secret\t1",
].join("\n");

/** What the backup agent says, and a slot and a drill for the figures that are there with one alone. */
const REPORT = JSON.stringify({
  repositories: '1:nas "two"',
  info: [
    {
      repo: [{ key: 1, status: { code: 0 } }],
      backup: [{ database: { "repo-key": 1 }, timestamp: { stop: Math.round(Date.now() / 1000) - 7200 } }],
    },
  ],
}).replace('1:nas \\"two\\"', "1:nas");

const JOBS = `
  create table jobs (kind text, status text, run_at timestamptz);
  insert into jobs values ('embed', 'queued', now() - interval '2 hours'), ('embed', 'dead', now()),
    ('transcribe', 'running', now()), ('transcribe', 'done', now());
  create view job_counts as select kind, status, count(*) as jobs, min(run_at) as oldest_run_at from jobs group by 1, 2;
  grant select on job_counts to transcripts_monitoring;
  create extension pg_trgm;
  create index jobs_kind on jobs (kind);`;

describe("the metrics that postgres_exporter reads", function () {
  this.timeout(120_000);
  const ports = { figures: 19187, database: 19188 };
  let programs: Programs;
  let data: string;
  let root: string;
  let way: Server;
  const exporters: ChildProcess[] = [];
  let log = "";

  async function runFile(name: string, variables: Readonly<Record<string, string>> = {}): Promise<void> {
    const { ok, errors } = await programs.run("psql", [
      ...["-XAtq", "-v", "ON_ERROR_STOP=1"],
      ...Object.entries(variables).flatMap(([key, value]) => ["-v", `${key}=${value}`]),
      ...["-f", join(programs.scratch, name)],
    ]);
    assert.ok(ok, errors);
  }

  const password = (text: string) => writeFileSync(join(root, "etc/credentials/POSTGRES_PASSWORD"), text);

  function start(what: keyof typeof ports, bin: string, database: string, collectors: string): void {
    const { port } = way.address() as { port: number };
    const script = projectFile("components/monitoring/scripts/exporter.sh");
    const queries = join(root, `${what}.yaml`);
    const exporter = spawn("sh", [script, String(ports[what]), database, queries, collectors], {
      env: { PATH: `${bin}:${process.env.PATH}`, ROOT: root, PGHOST: "127.0.0.1", PGPORT: String(port) },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    for (const stream of [exporter.stdout, exporter.stderr])
      stream.on("data", (text: Buffer) => (log += text.toString()));
    exporters.push(exporter);
  }

  /** The samples of an exporter, by name with labels. */
  async function scrape(what: keyof typeof ports): Promise<Map<string, number>> {
    for (let tries = 0; ; tries++) {
      try {
        const answer = await fetch(`http://127.0.0.1:${ports[what]}/metrics`);
        const lines = (await answer.text()).split("\n").filter((line) => /^[a-z]/.test(line));
        return new Map(
          lines.map((line) => [
            line.slice(0, line.lastIndexOf(" ")),
            Number(line.slice(line.lastIndexOf(" ") + 1)),
          ]),
        );
      } catch (error) {
        if (tries === 100) throw new Error(`${what} does not answer: ${log}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  withPrograms(async (ready) => {
    programs = ready;
    root = mkdtempSync(join(tmpdir(), "metrics-"));
    const layer = await prometheusLayer(() => undefined);
    execFileSync("tar", [
      ...["-xf", layer, "-C", root],
      ...["./usr/bin/prometheus-postgres-exporter", "./usr/bin/postgres_exporter"],
    ]);
    for (const folder of ["etc/credentials", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
    // As it may be: each character that a file of passwords quotes.
    password("a:b\\c d");
    writeFileSync(join(root, "etc/credentials/POSTGRES_USER"), "exporter");
    writeFileSync(join(root, "etc/credentials/POSTGRES_DB"), "transcripts_db");
    writeFileSync(join(root, "figures.yaml"), figureQueries());
    writeFileSync(join(root, "database.yaml"), databaseQueries());

    data = await makeDataDirectory(programs, "metrics");
    const started = await startServer(
      programs,
      data,
      "archive_mode = on\narchive_command = '/bin/true'\nwal_level = logical\nshared_preload_libraries = 'pg_stat_statements'\n",
    );
    assert.ok(started.ready, started.log);
    await query(programs, "create role transcripts_monitoring");
    await query(programs, "grant pg_monitor to transcripts_monitoring");
    await query(programs, "create role exporter login password 'x' in role transcripts_monitoring");
    await query(programs, "create database transcripts_db");
    for (const path of SCRIPTS) copyFileSync(projectFile(path), join(programs.scratch, basename(path)));
    await runFile("heartbeat.sql");
    await query(
      programs,
      "insert into backup.drill (proven, repository, words) values (true, 'nas', ''); select pg_create_physical_replication_slot('reader', true)",
    );
    const handover = join(programs.scratch, "handover");
    mkdirSync(handover, { recursive: true });
    writeFileSync(join(handover, "report.file"), REPORT);
    await runFile("figures.sql", { node: NODE });
    // A day in which the disk filled by a quarter: a line needs six hours.
    await query(
      programs,
      "insert into monitoring.disk (at, free) select now() - n * interval '1 hour', 600000000 + n * 10000000 from generate_series(10, 1, -1) as n",
    );
    await runFile("figures.sql", { node: NODE });
    writeFileSync(
      join(programs.scratch, "jobs.sql"),
      `\\c transcripts_db\ncreate schema extensions; grant usage on schema extensions to public;
       create extension pg_stat_statements schema extensions;\n${JOBS}`,
    );
    await runFile("jobs.sql");

    way = createServer((client) => {
      const server = connect(join(programs.scratch, ".s.PGSQL.5432"));
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const)
        from.on("error", () => to.destroy()).pipe(to);
    });
    await new Promise<void>((resolve) => way.listen(0, "127.0.0.1", resolve));
    start("figures", join(root, "usr/bin"), "postgres", "none");
    start("database", join(root, "usr/bin"), "-", "all");
  });
  after(async () => {
    for (const { pid } of exporters) if (pid !== undefined) process.kill(-pid, "SIGKILL");
    way.close();
    await stopServer(programs, data);
    rmSync(root, { recursive: true, force: true });
  });

  it("are every figure, under its name, with its label", async () => {
    const samples = await scrape("figures");
    const names = new Set([...samples.keys()].map((name) => name.replace(/\{.*/, "")));
    for (const { name, of } of [...FIGURE_METRICS, SILENT_METRIC]) {
      assert.ok(names.has(METRIC_PREFIX + name), `${name} is missing: ${log}`);
      const labels = [...samples.keys()].filter(
        (sample) => sample.replace(/\{.*/, "") === METRIC_PREFIX + name,
      );
      for (const sample of labels)
        assert.match(sample, of === undefined ? /^[a-z_]+(\{server="[^"]*"\})?$/ : new RegExp(`[{,]${of}="`));
    }
    const value = (pattern: RegExp) => [...samples].find(([name]) => pattern.test(name))?.[1];
    assert.equal(value(/^transcripts_raid_missing_devices\{.*array="md0"/), 1);
    assert.equal(value(/^transcripts_disk_free_ratio/), 0.6);
    const age = value(/^transcripts_backup_age_seconds\{.*repository="nas"/) ?? NaN;
    assert.ok(age > 7190 && age < 7300, String(age));
  });

  it("are nothing else of the database postgres, so that no figure of the server is counted twice", async () => {
    const names = [...(await scrape("figures")).keys()].filter((name) => name.startsWith("pg_"));
    assert.deepEqual(
      names.filter((name) => !/^pg_(up|exporter_|scrape_collector_)/.test(name)),
      [],
    );
  });

  it("are the application's, and the exporter's own about the server", async () => {
    const samples = await scrape("database");
    const value = (pattern: RegExp) => [...samples].find(([name]) => pattern.test(name))?.[1];
    for (const { name, of } of DATABASE_METRICS)
      assert.ok(value(new RegExp(`^${METRIC_PREFIX}${name}\\{.*${of}="`)) !== undefined, `${name}: ${log}`);
    assert.equal(value(/^transcripts_jobs_dead\{.*kind="embed"/), 1);
    assert.equal(value(/^transcripts_jobs_running\{.*kind="transcribe"/), 1);
    const waiting = value(/^transcripts_jobs_waiting_seconds\{.*kind="embed"/) ?? NaN;
    assert.ok(waiting > 7190 && waiting < 7300, String(waiting));
    for (const name of ["pg_up", "pg_stat_database_xact_commit", "pg_stat_statements_seconds_total"])
      assert.ok(value(new RegExp(`^${name}\\b`)) !== undefined, `${name}: ${log}`);
  });

  it("show no statement's text", async () => {
    await query(programs, "select 'canary-of-a-statement' as c");
    const text = [...(await scrape("database")).keys()].join("\n");
    assert.doesNotMatch(text, /canary-of-a-statement|\bselect /i);
  });

  it("are read with a new password without a restart, and it is in no process list and no environment", async () => {
    const { pid } = exporters[0] ?? {};
    password("another:one");
    const passwords = join(root, "tmp/pgpass");
    for (let tries = 0; ; tries++) {
      if (execFileSync("cat", [passwords], { encoding: "utf8" }) === "*:*:*:*:another\\:one\n") break;
      assert.ok(tries < 100, "the file with the password");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(execFileSync("stat", ["-c", "%a", passwords], { encoding: "utf8" }).trim(), "600");
    const processes = execFileSync("ps", ["eww", "-o", "args", "-g", String(pid)], { encoding: "utf8" });
    assert.match(processes, /DATA_SOURCE_NAME=/);
    assert.doesNotMatch(processes, /another/);
  });

  it("say that the server is gone when it is", async () => {
    await stopServer(programs, data);
    const samples = await scrape("figures");
    assert.equal([...samples].find(([name]) => /^pg_up\b/.test(name))?.[1], 0);
    assert.ok(![...samples.keys()].some((name) => name.startsWith(METRIC_PREFIX)));
  });
});
