/**
 * What `database.tuning: auto` is worth: two servers of the same image with dev's limits, one with the image's
 * default settings and one with dev's, measured in turns on the local cluster. Prints ratios with their aims, removes
 * what it made, and never fails because of a time. Without options the figures are kept in bench/results/hnsw.md.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mebibytes } from "../quantities.ts";
import { readSettings, type Settings } from "../config.ts";
import { machineLine, median } from "./figures.ts";
import { type LocalCluster, start, status, stop } from "../tools/local-cluster/cluster.ts";
import { projectFile } from "../tools/cli.ts";
import { run } from "../tools/processes.ts";
import { plainSections, readDocument } from "../tools/stack-file/stack-file.ts";

const usage = `usage: npm run bench:hnsw -- [--vectors 38000] [--rounds 3] [--seconds 20] [--scale 15]

  --vectors  vectors of 1024 dimensions in the index; 64 MB, the default, hold the graph of 14000
  --rounds   turns, each with one build and one pgbench run on each server
  --seconds  length of a pgbench run
  --scale    pgbench's scale: 15 MB each`;

const CLUSTER = "bench";
const RESULTS = join(import.meta.dirname, "results/hnsw.md");
const NAMESPACE = "bench-hnsw";
const CLIENTS = 8;

interface Measured {
  build: number[];
  recall: number[];
  transactions: number[];
}

/** Dev's configuration, with a node's name in it. */
function devSettings(): Settings {
  const sections = plainSections(readDocument(projectFile("Pulumi.dev.yaml")));
  return readSettings("dev", { ...sections, node: { hostname: "node" } }).settings;
}

/** A pod with a new database; its settings are those of the command line, over the image's defaults. */
function serverPod(
  cluster: LocalCluster,
  name: string,
  settings: Readonly<Record<string, string>>,
  database: Settings["database"],
  sharedMemory?: number,
) {
  const options = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  const initdb = "initdb --pgdata=/data/pgdata --username=postgres --locale=C.UTF-8 --data-checksums >&2";
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NAMESPACE },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      securityContext: { runAsUser: 999, runAsGroup: 999, fsGroup: 999 },
      containers: [
        {
          name: "postgres",
          image: cluster.postgresImage,
          imagePullPolicy: "Never",
          command: ["bash", "-c", `${initdb} && exec postgres -D /data/pgdata "$@"`, "server", ...options],
          env: [
            { name: "PGUSER", value: "postgres" },
            { name: "PGHOST", value: "127.0.0.1" },
          ],
          resources: { requests: { ...database.requests }, limits: { ...database.limits } },
          readinessProbe: { exec: { command: ["pg_isready", "-q"] }, periodSeconds: 1 },
          volumeMounts: [
            { name: "data", mountPath: "/data" },
            ...(sharedMemory === undefined ? [] : [{ name: "shared-memory", mountPath: "/dev/shm" }]),
          ],
        },
      ],
      volumes: [
        { name: "data", emptyDir: {} },
        ...(sharedMemory === undefined
          ? []
          : [{ name: "shared-memory", emptyDir: { medium: "Memory", sizeLimit: mebibytes(sharedMemory) } }]),
      ],
    },
  };
}

/** What the pods of this benchmark lack, because the program does not deploy them. */
const WITHOUT = ["hba_file", "ident_file", "unix_socket_directories", "listen_addresses"];

async function bench(
  cluster: LocalCluster,
  options: Record<"vectors" | "rounds" | "seconds" | "scale", number>,
) {
  const kubectl = (args: string[], input?: string) =>
    run(cluster.kubectl, ["--kubeconfig", cluster.kubeconfig, ...args], {
      ...(input !== undefined && { input }),
    });
  const inPod = (pod: string, command: string[], input = "") =>
    kubectl(["exec", "-i", "-n", NAMESPACE, pod, "--", ...command], input);
  const psql = (pod: string, sql: string, ...args: string[]) =>
    inPod(pod, ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", ...args], sql);
  const sqlFile = (name: string) => readFileSync(join(import.meta.dirname, name), "utf8");

  const { database, server } = devSettings();
  const tuned = Object.fromEntries(
    Object.entries(server.inForce).filter(([name]) => !WITHOUT.includes(name)),
  );
  const servers = ["defaults", "tuned"] as const;
  console.log(`limits ${database.limits.memory} and ${database.limits.cpu} CPUs for each of two servers`);
  // An interrupted benchmark could not remove its objects.
  await kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found"]);
  await kubectl(["create", "namespace", NAMESPACE]);
  try {
    const pods = [
      serverPod(cluster, "defaults", {}, database),
      serverPod(cluster, "tuned", tuned, database, server.memory.sharedMemory),
    ];
    await kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: pods }));
    for (const pod of servers) {
      await kubectl(["wait", "-n", NAMESPACE, `pod/${pod}`, "--for=condition=Ready", "--timeout=120s"]);
      await psql(pod, sqlFile("hnsw-data.sql"), "-v", `vectors=${options.vectors}`);
      await inPod(pod, ["pgbench", "-i", "-q", "-s", String(options.scale), "postgres"]);
    }
    const measured: Record<(typeof servers)[number], Measured> = {
      defaults: { build: [], recall: [], transactions: [] },
      tuned: { build: [], recall: [], transactions: [] },
    };
    for (let round = 1; round <= options.rounds; round++) {
      // In turns, and each round the other way around, so that other load on the machine affects both.
      for (const pod of round % 2 === 1 ? servers : servers.toReversed()) {
        await psql(pod, "DROP INDEX IF EXISTS items_embedding; CHECKPOINT;");
        const begun = performance.now();
        await psql(
          pod,
          "SET client_min_messages = error; CREATE INDEX items_embedding ON items USING hnsw (embedding vector_cosine_ops);",
        );
        const seconds = (performance.now() - begun) / 1000;
        const recall = Number(await psql(pod, sqlFile("hnsw-recall.sql")));
        measured[pod].build.push(seconds);
        measured[pod].recall.push(recall);
        console.log(`round ${round} ${pod}: build ${seconds.toFixed(1)} s, recall@10 ${recall}`);
      }
      for (const pod of round % 2 === 1 ? servers : servers.toReversed()) {
        await psql(pod, "CHECKPOINT;");
        const report = await inPod(pod, [
          "pgbench",
          ...["-c", String(CLIENTS), "-j", "2", "-T", String(options.seconds), "postgres"],
        ]);
        const transactions = Number(/^tps = ([\d.]+)/m.exec(report)?.[1] ?? NaN);
        measured[pod].transactions.push(transactions);
        console.log(`round ${round} ${pod}: pgbench ${transactions.toFixed(0)} transactions/s`);
      }
    }
    return measured;
  } finally {
    await kubectl(["delete", "namespace", NAMESPACE, "--wait=true"]);
  }
}

/** The figures of a run, in Markdown. */
function page(measured: Record<"defaults" | "tuned", Measured>, ratios: readonly string[]): string {
  const rows = Object.entries(measured).flatMap(([server, { build, recall, transactions }]) =>
    build.map(
      (seconds, round) =>
        `| ${server} | ${round + 1} | ${seconds.toFixed(1)} | ${recall[round]} | ${transactions[round]?.toFixed(0)} |`,
    ),
  );
  return [
    "# Tuned and untuned",
    "",
    "Two servers of one image with dev's limits ran in turns on the local cluster: one with the image's default settings,",
    "one with the settings that `database.tuning: auto` chooses for dev. Measured by `npm run bench:hnsw`.",
    "",
    machineLine(),
    "",
    "| settings | round | HNSW build, s | recall@10 | pgbench, transactions/s |",
    "| --- | --: | --: | --: | --: |",
    ...rows,
    "",
    ...ratios,
    "",
  ].join("\n");
}

/** The median of each round's ratio. */
function ratio(over: readonly number[], under: readonly number[]): number {
  return median(over.map((value, round) => value / (under[round] ?? NaN)));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      vectors: { type: "string", default: "38000" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "20" },
      scale: { type: "string", default: "15" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(usage);
  const whole = (name: "vectors" | "rounds" | "seconds" | "scale") => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number above 0`);
    return value;
  };
  const options = {
    vectors: whole("vectors"),
    rounds: whole("rounds"),
    seconds: whole("seconds"),
    scale: whole("scale"),
  };
  const running = await status(CLUSTER);
  const cluster = running ?? (await start({ name: CLUSTER, log: console.log }));
  try {
    const { defaults, tuned } = await bench(cluster, options);
    const build = ratio(defaults.build, tuned.build);
    const transactions = ratio(tuned.transactions, defaults.transactions);
    const ratios = [
      "Tuned against the image's defaults, median of the rounds' ratios:",
      "",
      `- HNSW build of ${options.vectors} vectors: ${build.toFixed(2)} times as fast (aim: 3 or more)`,
      `- recall@10: ${median(tuned.recall)} against ${median(defaults.recall)} (aim: no lower, within 0.02, by which two builds differ)`,
      `- pgbench: ${transactions.toFixed(2)} times the transactions (aim: 1 or more)`,
    ];
    console.log(`\n${ratios.join("\n")}`);
    if (process.argv.length === 2) writeFileSync(RESULTS, page({ defaults, tuned }, ratios));
  } finally {
    // Whatever ran before keeps running.
    if (running === undefined) await stop({ name: CLUSTER, purge: true, log: console.log });
  }
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
