/**
 * What backups cost, and what they are worth: `dev`, deployed by `npm run up` with a state of its own on a local cluster.
 * Transactions with archiving and without it, in turns; their times while a base backup is made; and how long a database
 * with an HNSW index takes to come back, by the repository and by the guide's dump. Prints ratios with their aims, removes
 * what it made, and never fails because of a time. Without options the figures are kept in results/backup.md.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { APPLICATION } from "../components/kubernetes/labels.ts";
import { BACKUP_CRON_JOBS, COPY_JOB, SERVER_CONTAINER, SERVER_POD } from "../components/kubernetes/names.ts";
import { projectFile, runTool } from "../tools/cli.ts";
import { stop } from "../tools/local-cluster/cluster.ts";
import { attempt, run } from "../tools/processes.ts";
import { DevState } from "../tools/dev/state.ts";
import { machineLine, median } from "./figures.ts";

const usage = `usage: npm run bench:backup -- [--rounds 5] [--seconds 20] [--vectors 10000]

  --rounds   turns, each with one pgbench run with archiving and one without
  --seconds  length of a pgbench run
  --vectors  vectors of 1024 dimensions, with an index, in the database that is restored`;

const CLUSTER = "bench-backup";
const RESULTS = projectFile("bench/results/backup.md");
const CLIENTS = 8;
/** Of the ratios: transactions with archiving over without, and a restore by the dump over one by the repository. */
const AIMS = { archiving: 0.95, restore: 2 };

interface Options {
  rounds: number;
  seconds: number;
  vectors: number;
}

/** A pgbench run: transactions a second, and the 99th percentile of their milliseconds. */
interface Bench {
  transactions: number;
  p99: number;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

/** Commands in the deployed stack. */
class Stack {
  private readonly kubeconfig: string;
  constructor(kubeconfig: string) {
    this.kubeconfig = kubeconfig;
  }
  kubectl(args: readonly string[], input?: string): Promise<string> {
    return run("kubectl", ["--kubeconfig", this.kubeconfig, ...args], {
      ...(input !== undefined && { input }),
    });
  }
  /** A shell command in the server's container, as the superuser over its socket. */
  shell(command: string, input = ""): Promise<string> {
    const exec = ["exec", "-i", "-n", APPLICATION, SERVER_POD, "-c", SERVER_CONTAINER];
    return this.kubectl([...exec, "--", "bash", "-euo", "pipefail", "-c", command], input);
  }
  /** SQL of the superuser. In `bench`, which is this measurement's alone, it finds what was created there. */
  sql(text: string, database = "bench"): Promise<string> {
    const path = database === "bench" ? "public" : "pg_catalog";
    return this.shell(
      `PGOPTIONS='-c search_path=${path}' psql -X -q -At -v ON_ERROR_STOP=1 -U postgres -d ${database}`,
      `${text}\n`,
    );
  }
}

/** One run of pgbench's own transactions. */
async function pgbench(stack: Stack, seconds: number): Promise<Bench> {
  const command = `cd /tmp && rm -f bench-log.* && export PGOPTIONS='-c search_path=public'
    pgbench -n -U postgres -c ${CLIENTS} -j 2 -T ${seconds} --log --log-prefix=bench-log bench 2>/dev/null
    cat bench-log.* | awk '{ print $3 }' | sort -n | awk '{ at[NR] = $1 } END { print "p99 = " at[int(NR * 0.99)] / 1000 }'
    rm -f bench-log.*`;
  const report = await stack.shell(command);
  const of = (name: string) => Number(new RegExp(`^${name} = ([\\d.]+)`, "m").exec(report)?.[1] ?? NaN);
  return { transactions: of("tps"), p99: of("p99") };
}

/** Archives, or takes every segment for archived: the server does the same work either way. */
async function archive(stack: Stack, isOn: boolean): Promise<void> {
  await stack.sql(
    isOn ? "alter system reset archive_command" : "alter system set archive_command = '/bin/true'",
    "postgres",
  );
  await stack.sql("select pg_reload_conf()", "postgres");
  const is = await stack.sql("show archive_command", "postgres");
  if ((is.trim() === "/bin/true") === isOn) throw new Error(`archive_command is ${is.trim()}`);
}

async function measureArchiving(stack: Stack, { rounds, seconds }: Options) {
  const measured: Record<"on" | "off", Bench[]> = { on: [], off: [] };
  for (let round = 1; round <= rounds; round++) {
    // Each round the other way around, so that other load on the machine affects both.
    for (const how of round % 2 === 1 ? (["on", "off"] as const) : (["off", "on"] as const)) {
      await archive(stack, how === "on");
      await stack.sql("checkpoint; select pg_switch_wal()", "postgres");
      const bench = await pgbench(stack, seconds);
      measured[how].push(bench);
      console.log(
        `round ${round}, archiving ${how}: ${bench.transactions.toFixed(0)} transactions/s, p99 ${bench.p99.toFixed(1)} ms`,
      );
    }
  }
  await archive(stack, true);
  return measured;
}

/** A run while a full backup is made. */
async function measureBackup(stack: Stack, { seconds }: Options): Promise<Bench> {
  const name = `bench-${Date.now().toString(36)}`;
  await stack.kubectl([
    ...["create", "job", name, "-n", APPLICATION, `--from=cronjob/${BACKUP_CRON_JOBS.full}`],
  ]);
  const bench = await pgbench(stack, seconds);
  await stack.kubectl([
    "wait",
    "-n",
    APPLICATION,
    `job/${name}`,
    "--for=condition=Complete",
    "--timeout=600s",
  ]);
  return bench;
}

/** Seconds for the same database by the repository, with everything else in it, and by the guide's dump. */
async function measureRestore(stack: Stack, { vectors }: Options) {
  await stack.sql("create database restored", "postgres");
  await stack.sql(`create extension if not exists vector;
    create table items as
      select id, (select array_agg(random() - 0.5) from generate_series(1, 1024) where id > 0)::vector(1024) as embedding
        from generate_series(1, ${vectors}) as id;
    set maintenance_work_mem = '128MB';
    create index on items using hnsw (embedding vector_cosine_ops);`);
  const size = Number(await stack.sql("select pg_database_size('bench')"));
  const npm = (...args: string[]) =>
    run("npm", ["run", "--silent", "backup", "--", ...args], { cwd: projectFile(".") });
  await npm("now", "full");
  await stack.shell("pg_dump -U postgres -d bench >/var/lib/postgresql/data/bench.sql");

  let started = performance.now();
  await stack.shell(
    `PGOPTIONS='-c search_path=public' psql -X -q -v ON_ERROR_STOP=1 -U postgres -d restored </var/lib/postgresql/data/bench.sql >/dev/null`,
  );
  const dump = (performance.now() - started) / 1000;
  console.log(`by the dump: ${dump.toFixed(1)} s`);
  await stack.shell("rm /var/lib/postgresql/data/bench.sql");

  const moment = (
    await stack.sql("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || '+00'")
  ).trim();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await stack.sql("create table after_the_moment (i int)");
  await stack.sql("select pg_switch_wal()", "postgres");
  started = performance.now();
  await npm("copy", moment);
  const repository = (performance.now() - started) / 1000;
  const rows = await stack.kubectl([
    ...["exec", "-n", APPLICATION, `job/${COPY_JOB}`, "-c", "drill", "--"],
    ...["psql", "-h", "/tmp", "-U", "postgres", "-d", "bench", "-Atc", "select count(*) from public.items"],
  ]);
  if (Number(rows) !== vectors) throw new Error(`the copy has ${rows.trim()} rows instead of ${vectors}`);
  console.log(`by the repository: ${repository.toFixed(1)} s (with the pod)`);
  await npm("copy", "end");
  return { dump, repository, size };
}

await runTool(usage, async () => {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "20" },
      vectors: { type: "string", default: "10000" },
    },
  });
  const whole = (name: keyof Options) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number above 0`);
    return value;
  };
  const options = { rounds: whole("rounds"), seconds: whole("seconds"), vectors: whole("vectors") };
  // A state of its own: what somebody has deployed is not touched.
  const home = mkdtempSync(join(tmpdir(), "bench-backup-"));
  process.env.XDG_STATE_HOME = home;
  const npm = (...args: string[]) =>
    run("npm", ["run", "--silent", ...args], { cwd: projectFile("."), show: true });
  try {
    await npm("up", "--", "--local-cluster", CLUSTER);
    const stack = new Stack(new DevState().deployment?.kubeconfig ?? "");
    await stack.sql("create database bench", "postgres");
    await stack.shell("PGOPTIONS='-c search_path=public' pgbench -i -q -s 15 -U postgres bench 2>&1");
    const archiving = await measureArchiving(stack, options);
    const during = await measureBackup(stack, options);
    const restore = await measureRestore(stack, options);

    const ratios = archiving.on.map(
      ({ transactions }, round) => transactions / (archiving.off[round]?.transactions ?? NaN),
    );
    const usual = median(archiving.on.map(({ transactions }) => transactions));
    const faster = restore.dump / restore.repository;
    const met = (isMet: boolean) => (isMet ? "met" : "not met");
    const lines = [
      `- transactions with archiving over without, median of ${options.rounds} rounds: ${median(ratios).toFixed(2)} (aim: ${AIMS.archiving} or more, ${met(median(ratios) >= AIMS.archiving)}); ${usual.toFixed(0)} a second, p99 ${median(archiving.on.map(({ p99 }) => p99)).toFixed(1)} ms against ${median(archiving.off.map(({ p99 }) => p99)).toFixed(1)} ms`,
      `- while a full backup is made: ${(during.transactions / usual).toFixed(2)} of them, p99 ${during.p99.toFixed(1)} ms`,
      `- ${megabytes(restore.size)} with an HNSW index of ${options.vectors} vectors come back in ${restore.repository.toFixed(1)} s from the repository, with the pod, and in ${restore.dump.toFixed(1)} s from the guide's dump: ${faster.toFixed(2)} times as fast (aim: ${AIMS.restore} or more, ${met(faster >= AIMS.restore)})`,
    ];
    console.log(`\n${lines.join("\n")}`);
    if (process.argv.length === 2)
      writeFileSync(
        RESULTS,
        [
          "# What backups cost, and what they are worth",
          "",
          "`npm run bench:backup`: `dev` on the local cluster, backed up into a folder next to its data. Without archiving",
          "means that `archive_command` is /bin/true. The agent, pgbench and the server share the machine.",
          "",
          machineLine(),
          "",
          ...lines,
          "",
        ].join("\n"),
      );
  } finally {
    await attempt("npm", ["run", "--silent", "down", "--", "--remove-data"], {
      cwd: projectFile("."),
      show: true,
    });
    await stop({ name: CLUSTER, purge: true });
    rmSync(home, { recursive: true, force: true });
  }
});
