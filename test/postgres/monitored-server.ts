/**
 * A server with its figures, the exporters that have them as metrics and, if wanted, a Prometheus that collects these. All
 * on this machine: the server listens on its socket, the others on loopback. No cluster, no reconciler and no backup agent:
 * what those two write is written by the test.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { AlertGroup } from "../../components/monitoring/alerts.ts";
import { databaseQueries, figureQueries } from "../../components/monitoring/metrics.ts";
import { projectFile } from "../../tools/cli.ts";
import { prometheusLayer } from "../../tools/local-cluster/images.ts";
import {
  makeDataDirectory,
  type Programs,
  query,
  startServer,
  stopServer,
} from "../../tools/postgres-programs.ts";
import { copyFigureScripts } from "./programs.ts";

/** What node-figures.sh says of a node without a fault: every figure, with a label where it has one. */
export const NODE: Readonly<Record<string, number>> = {
  disk_size_bytes: 1e9,
  disk_free_bytes: 6e8,
  disk_free_ratio: 0.6,
  disk_files_free_ratio: 0.9,
  disk_read_only: 0,
  "raid_missing_devices\tmd0": 0,
  certificate_refused: 0,
  certificate_left_seconds: 2e6,
  certificate_overdue_seconds: -1000,
  configuration_refused: 0,
  settings_refused: 0,
  "credentials_refused\tpostgres-secret": 0,
};

/** A repository as the backup agent reports it. */
export interface Reported {
  /** Age of its only backup in seconds, and whether it can be read. */
  age: number;
  status: number;
  /** How long ago that was said, in seconds. */
  said: number;
}

/** Settings of the server: what its figures need. */
const SETTINGS = `archive_mode = on
archive_command = '/bin/true'
wal_level = logical
max_connections = 30
max_prepared_transactions = 5
shared_preload_libraries = 'pg_stat_statements'
`;

/** As in the application's database: the view that monitoring reads, and an index. */
const APPLICATION = `\\c transcripts_db
create schema extensions; grant usage on schema extensions to public;
create extension pg_stat_statements schema extensions;
create extension pg_trgm schema extensions;
create extension vector schema extensions;
create table embeddings (v extensions.vector(3));
insert into embeddings select array[n, 1, 2]::real[]::extensions.vector from generate_series(1, 100) as n;
create index embeddings_hnsw on embeddings using hnsw (v extensions.vector_l2_ops);
create table jobs (kind text, status text, run_at timestamptz);
create view job_counts as select kind, status, count(*) as jobs, min(run_at) as oldest_run_at from jobs group by 1, 2;
grant select on job_counts to transcripts_monitoring;
create index jobs_kind on jobs (kind);
insert into jobs values ('embed', 'queued', now()), ('transcribe', 'running', now()), ('transcribe', 'done', now());
`;

/** A port that nobody uses at this moment. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Puts programs of the stand-in's into the folder usr/bin of another one. Built if missing. */
export async function unpackPrometheus(root: string, ...names: string[]): Promise<void> {
  const layer = await prometheusLayer(() => undefined);
  execFileSync("tar", ["-xf", layer, "-C", root, ...names.map((name) => `./usr/bin/${name}`)]);
}

/** See the file's first line. */
export class MonitoredServer {
  readonly #programs: Programs;
  readonly #data: string;
  readonly #root: string;
  readonly #way: Server;
  readonly #children = new Map<string, ChildProcess>();
  readonly #ports = new Map<string, number>();
  /** What the programs have said. */
  log = "";
  /** What the node is like. */
  node: Record<string, number> = { ...NODE };

  private constructor(programs: Programs, data: string, root: string, way: Server) {
    [this.#programs, this.#data, this.#root, this.#way] = [programs, data, root, way];
  }

  /** Starts the server, and writes its figures once. */
  static async start(programs: Programs): Promise<MonitoredServer> {
    const root = mkdtempSync(join(tmpdir(), "monitored-"));
    await unpackPrometheus(root, "prometheus", "prometheus-postgres-exporter", "postgres_exporter");
    for (const folder of [
      "etc/credentials",
      "etc/exporter",
      "etc/prometheus",
      "etc/prometheus-alerts",
      "tmp",
    ])
      mkdirSync(join(root, folder), { recursive: true });
    const write = (path: string, text: string) => writeFileSync(join(root, path), text);
    // As it may be: each character that a file of passwords quotes.
    write("etc/credentials/POSTGRES_PASSWORD", "a:b\\c d");
    write("etc/credentials/POSTGRES_USER", "exporter");
    write("etc/credentials/POSTGRES_DB", "transcripts_db");
    write("etc/exporter/figures.yaml", figureQueries());
    write("etc/exporter/database.yaml", databaseQueries());

    const data = await makeDataDirectory(programs, basename(root));
    writeFileSync(join(data, "pg_hba.conf"), "local all exporter scram-sha-256\nlocal all all trust\n");
    // Short, because a socket's path is limited.
    const way = createServer((client) => {
      const server = connect(join(programs.scratch, ".s.PGSQL.5432"));
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const)
        from.on("error", () => to.destroy()).pipe(to);
    });
    await new Promise<void>((resolve) => way.listen(0, "127.0.0.1", resolve));
    const monitored = new MonitoredServer(programs, data, root, way);
    await monitored.startServer();
    await query(programs, "create role transcripts_monitoring");
    await query(programs, "grant pg_monitor to transcripts_monitoring");
    await query(
      programs,
      String.raw`create role exporter login password 'a:b\c d' in role transcripts_monitoring`,
    );
    await query(programs, "create database transcripts_db");
    copyFigureScripts(programs);
    writeFileSync(join(programs.scratch, "application.sql"), APPLICATION);
    await monitored.#run("application.sql");
    mkdirSync(join(programs.scratch, "handover"), { recursive: true });
    monitored.report({ age: 7200, status: 0, said: 0 });
    await monitored.#run("heartbeat.sql");
    await query(
      programs,
      "insert into backup.drill (proven, repository, words) values (true, 'nas', ''); select pg_create_physical_replication_slot('reader', true)",
    );
    await monitored.lookAt();
    return monitored;
  }

  /** Starts the server that was stopped. */
  async startServer(more = ""): Promise<void> {
    const started = await startServer(this.#programs, this.#data, SETTINGS + more);
    assert.ok(started.ready, started.log);
  }

  stopServer(): Promise<void> {
    return stopServer(this.#programs, this.#data);
  }

  /** Sends a signal to each process of the running server. */
  signalServer(signal: NodeJS.Signals): void {
    const [postmaster = ""] = readFileSync(join(this.#data, "postmaster.pid"), "utf8").split("\n");
    const children = execFileSync("pgrep", ["-P", postmaster], { encoding: "utf8" });
    for (const pid of [postmaster, ...children.trim().split("\n")])
      // One that has ended by itself meanwhile needs none.
      if (existsSync(`/proc/${pid}`)) process.kill(Number(pid), signal);
  }

  /** Has the stopped server go on with this transaction number, as if all before it had been used. */
  async useTransactions(next: number): Promise<void> {
    const { ok, errors } = await this.#programs.run("pg_resetwal", [
      ...["--force", `--next-transaction-id=${next}`, `--pgdata=${this.#data}`],
    ]);
    assert.ok(ok, errors);
    // Where the next ones' ends are written: two bits for each, 256 KiB a file.
    const segment = Math.floor(next / 2 ** 20)
      .toString(16)
      .toUpperCase()
      .padStart(4, "0");
    const { uid, gid } = statSync(this.#data);
    const path = join(this.#data, "pg_xact", segment);
    writeFileSync(path, Buffer.alloc(2 ** 18));
    chownSync(path, uid, gid);
  }

  /** The path of a file of the server's. */
  dataFile(path: string): string {
    return join(this.#data, path);
  }

  sql(...statements: string[]): Promise<string> {
    return query(this.#programs, ...statements);
  }

  /** Runs statements in the application's database. */
  async application(sql: string): Promise<void> {
    writeFileSync(join(this.#programs.scratch, "statements.sql"), `\\c transcripts_db\n${sql}`);
    await this.#run("statements.sql");
  }

  /** A session that stays, with these statements in it, for as long as the test runs. */
  session(name: string, ...statements: string[]): void {
    this.#spawn(
      name,
      "setpriv",
      [
        ...["--reuid", "65534", "--regid", "65534", "--clear-groups", join(this.#programs.bin, "psql")],
        ...["-XAtq", "-h", this.#programs.scratch, "-U", "postgres", "-d", "postgres"],
        ...[...statements, "select pg_sleep(600)"].flatMap((statement) => ["-c", statement]),
      ],
      {},
    );
  }

  async #run(name: string, variables: Readonly<Record<string, string>> = {}): Promise<void> {
    const { ok, errors } = await this.#programs.run("psql", [
      ...["-XAtq", "-v", "ON_ERROR_STOP=1"],
      ...Object.entries(variables).flatMap(([key, value]) => ["-v", `${key}=${value}`]),
      ...["-f", join(this.#programs.scratch, name)],
    ]);
    assert.ok(ok, errors);
  }

  /** Writes what the backup agent says of its one repository. */
  report({ age, status, said }: Reported): void {
    const now = Date.now() / 1000;
    const file = join(this.#programs.scratch, "handover/report.file");
    writeFileSync(
      file,
      JSON.stringify({
        repositories: "1:nas",
        info: [
          {
            repo: [{ key: 1, status: { code: status } }],
            backup: [{ database: { "repo-key": 1 }, timestamp: { stop: Math.round(now - age) } }],
          },
        ],
      }),
    );
    utimesSync(file, now - said, now - said);
  }

  /** What the reconciler does every few seconds: a heartbeat, and the figures. */
  async lookAt(): Promise<void> {
    await this.#run("heartbeat.sql");
    const node = Object.entries(this.node).map(
      ([name, value]) => `${name.includes("\t") ? name : `${name}\t`}\t${value}`,
    );
    await this.#run("figures.sql", { node: node.join("\n") });
  }

  /** Gives the login another password, in the database and in the Secret. */
  async rotate(password: string): Promise<void> {
    await this.sql(`alter role exporter password '${password}'`);
    writeFileSync(join(this.#root, "etc/credentials/POSTGRES_PASSWORD"), password);
  }

  /** Has the exporter look at another server, as whoever reaches its port may. */
  async probe(target: string): Promise<void> {
    await this.#ask("figures", `/probe?target=${encodeURIComponent(target)}`);
  }

  /** The file in which an exporter finds it. */
  get passwordFile(): string {
    return join(this.#root, `tmp/${this.#ports.get("figures")}.pgpass`);
  }

  /** Starts the exporters. */
  async startExporters(): Promise<void> {
    const { port } = this.#way.address() as AddressInfo;
    for (const [name, database, collectors] of [
      ["figures", "postgres", "none"],
      ["database", "-", "all"],
    ] as const) {
      this.#ports.set(name, this.#ports.get(name) ?? (await freePort()));
      const queries = join(this.#root, `etc/exporter/${name}.yaml`);
      this.#spawn(
        name,
        "sh",
        [
          projectFile("components/monitoring/scripts/exporter.sh"),
          ...[String(this.#ports.get(name)), database, queries, collectors],
        ],
        { PGHOST: "127.0.0.1", PGPORT: String(port) },
      );
    }
  }

  /** Ends one of the programs. */
  end(name: string): void {
    const pid = this.#children.get(name)?.pid;
    this.#children.delete(name);
    try {
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended by itself, as a session does with its server.
    }
  }

  /** The process of one of the programs. */
  pid(name: string): number {
    return this.#children.get(name)?.pid ?? NaN;
  }

  /**
   * Starts a Prometheus that collects every two seconds.
   *
   * @param job the exporters' job
   */
  async startPrometheus(groups: readonly AlertGroup[], job: string): Promise<void> {
    const port = this.#ports.get("prometheus") ?? (await freePort());
    this.#ports.set("prometheus", port);
    const targets = ["figures", "database"].map((name) => `127.0.0.1:${this.#ports.get(name)}`);
    writeFileSync(
      join(this.#root, "etc/prometheus/prometheus.yml"),
      JSON.stringify({
        global: { scrape_interval: "2s", evaluation_interval: "1s" },
        rule_files: [join(this.#root, "etc/prometheus-alerts/*.yaml")],
        scrape_configs: [{ job_name: job, static_configs: [{ targets, labels: { stack: "test" } }] }],
      }),
    );
    this.alerts(groups);
    this.#spawn("prometheus", "sh", [projectFile("components/monitoring/scripts/prometheus.sh")], {
      ...{ PORT: String(port), RETENTION: "1", SIZE: "100", PAUSE: "1" },
    });
  }

  /** Gives Prometheus other alerts. */
  alerts(groups: readonly AlertGroup[]): void {
    writeFileSync(join(this.#root, "etc/prometheus-alerts/alerts.yaml"), JSON.stringify({ groups }));
  }

  #spawn(name: string, command: string, args: readonly string[], env: Record<string, string>): void {
    const child = spawn(command, args, {
      env: { PATH: `${join(this.#root, "usr/bin")}:${process.env.PATH}`, ROOT: this.#root, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (this.log += `${name}: ${text}`));
    this.#children.set(name, child);
  }

  /** What a program answers, once it does. */
  async #ask(name: string, path: string): Promise<string> {
    for (let tries = 0; ; tries++) {
      try {
        const answer = await fetch(`http://127.0.0.1:${this.#ports.get(name)}${path}`);
        // As Prometheus says before it is ready.
        if (answer.status === 503) throw new Error(await answer.text());
        return await answer.text();
      } catch (error) {
        if (tries === 100) throw new Error(`${name} does not answer: ${this.log}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** The samples of an exporter, by name with labels. */
  async scrape(name: "figures" | "database"): Promise<Map<string, number>> {
    const lines = (await this.#ask(name, "/metrics")).split("\n").filter((line) => /^[a-z]/.test(line));
    return new Map(
      lines.map((line) => [
        line.slice(0, line.lastIndexOf(" ")),
        Number(line.slice(line.lastIndexOf(" ") + 1)),
      ]),
    );
  }

  /** The values that an expression has now. */
  async values(expression: string): Promise<number[]> {
    const text = await this.#ask("prometheus", `/api/v1/query?query=${encodeURIComponent(expression)}`);
    const answer = JSON.parse(text) as {
      status: string;
      error?: string;
      data?: { result: { value: [number, string] }[] };
    };
    assert.equal(answer.status, "success", `${expression}: ${answer.error}`);
    return (answer.data?.result ?? []).map(({ value }) => Number(value[1]));
  }

  /** The alerts that fire now, each with what it says. */
  async firing(): Promise<Map<string, string>> {
    const text = await this.#ask("prometheus", "/api/v1/alerts");
    const { data } = JSON.parse(text) as {
      data: {
        alerts: { state: string; labels: { alertname: string }; annotations: { summary: string } }[];
      };
    };
    return new Map(
      data.alerts
        .filter(({ state }) => state === "firing")
        .map(({ labels, annotations }) => [labels.alertname, annotations.summary]),
    );
  }

  /** Ends everything. */
  async remove(): Promise<void> {
    for (const name of [...this.#children.keys()]) this.end(name);
    this.#way.close();
    await this.stopServer();
    rmSync(this.#root, { recursive: true, force: true });
  }
}
