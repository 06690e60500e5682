/** Interrupted beginnings: of the schema, and of the database itself. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { succeed, until } from "../support.ts";
import { type Lab, NAMESPACE } from "./lab.ts";
import { isAlive, signal } from "./node-processes.ts";
import type { Random } from "../../random.ts";
import type { Fault } from "./runner.ts";
import { type PodSpec, serverTemplate } from "./second-server.ts";
import { preparationScript } from "../../../components/storage/preparation.ts";

// Interrupted initialisation of the schema.

/** How often each run of this fault interrupts the scripts of the init Job: five seeds make more than fifty. */
const INTERRUPTIONS = 12;
/** Initialisations in which that must be reached. */
const ROUNDS = 10;
const SCRATCH_POD = "faults-init";

/** Removes the pod, also one that a killed run left. */
async function removeInitPod(lab: Lab): Promise<void> {
  const now = ["--grace-period=0", "--force", "--ignore-not-found"];
  await lab.kubectl("delete", "pod", SCRATCH_POD, "-n", NAMESPACE, ...now);
}

/** A pod with everything that the init Job's has, which does nothing: for a separate database. */
async function initPod(lab: Lab, database: string): Promise<void> {
  await removeInitPod(lab);
  const job = await lab.read<{
    spec: { template: { spec: PodSpec & { initContainers: PodSpec["containers"] } } };
  }>("job", "postgres-init");
  const secret = await lab.read<{ data: Record<string, string> }>("secret", "postgres-secret");
  assert.ok(job && secret);
  const { initContainers, ...spec } = job.spec.template.spec;
  const containers = [...initContainers, ...spec.containers].map((container) => ({
    ...container,
    command: ["sleep", "3600"],
    env: container.env.map((it) => (it.name === "DATABASE" ? { ...it, value: database } : it)),
  }));
  const volumes = spec.volumes.map((volume) =>
    volume.name === "migrate-credentials"
      ? { ...volume, secret: { secretName: SCRATCH_POD, defaultMode: 0o440 } }
      : volume,
  );
  await lab.apply(
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: SCRATCH_POD, namespace: NAMESPACE },
      data: { ...secret.data, POSTGRES_DB: Buffer.from(database).toString("base64") },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: SCRATCH_POD, namespace: NAMESPACE },
      spec: { ...spec, containers, volumes },
    },
  );
  await lab.kubectl("wait", "--for=condition=Ready", `pod/${SCRATCH_POD}`, "-n", NAMESPACE, "--timeout=60s");
}

/**
 * Runs a script of the Job to its end, after killing it, with all that it started, at each of the given times
 * (milliseconds). Returns how often it was killed, and how many milliseconds the last run took.
 */
async function initScript(
  lab: Lab,
  container: "bootstrap" | "migrate",
  kills: readonly number[] = [],
): Promise<{ killed: number; took: number }> {
  // setsid: a separate process group, which is killed as a whole.
  const driver = `
    for seconds in $2; do
      setsid $1 "/usr/local/lib/transcript-pipeline/$0" >/tmp/log 2>&1 & script=$!
      (sleep "$seconds"; kill -9 "-$script") 2>/dev/null & killer=$!
      wait $script
      if [ $? = 137 ]; then echo killed; fi
      wait $killer
    done
    begun=$(date +%s%N)
    $1 "/usr/local/lib/transcript-pipeline/$0" >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    echo "took $((($(date +%s%N) - begun) / 1000000))"`;
  const ran = await lab.tryKubectl(
    ...["exec", SCRATCH_POD, "-n", NAMESPACE, "-c", container, "--", "sh", "-c", driver],
    ...(container === "bootstrap" ? ["superuser-sql.sh", "bash"] : ["migrate.sh", "sh"]),
    kills.map((milliseconds) => (milliseconds / 1000).toFixed(3)).join(" "),
  );
  assert.equal(ran.status, 0, ran.output);
  return {
    killed: ran.stdout.split("killed").length - 1,
    took: Number(/took (\d+)/.exec(ran.stdout)?.[1]),
  };
}

/** Everything that the init Job creates, as text. */
async function schemaOf(lab: Lab, database: string): Promise<string> {
  const [dump, migrations] = await Promise.all([
    lab.inPod("pg_dump", "-U", "postgres", "-d", database, "--schema-only"),
    lab.ask("select version from schema_migrations order by version", database),
  ]);
  // These two lines contain a random word.
  return `${dump.replace(/^\\(un)?restrict .*$/gm, "")}\n${migrations}`;
}

async function scratchDatabase(lab: Lab, name: string): Promise<void> {
  await lab.ask(`drop database if exists ${name} with (force)`, "postgres");
  await lab.ask(`create database ${name} owner transcript_user template template0`, "postgres");
}

// Interrupted first start.

const SCRATCH_NAMESPACE = "faults";
const FIRST_START_POD = "first-start";
const FIRST_START_IDENTITY = "transcript-pipeline/first-start";

/** The server's container with nothing to do, on a separate directory, in a namespace that allows it. */
async function firstStartPod(lab: Lab, path: string): Promise<void> {
  await lab.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: SCRATCH_NAMESPACE } });
  for (const name of ["postgres-config", "postgres-scripts", "postgres-tls-scripts", "postgres-ca"]) {
    const map = await lab.read<{ data: object }>("configmap", name);
    assert.ok(map);
    await lab.apply({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace: SCRATCH_NAMESPACE },
      data: map.data,
    });
  }
  const spec = await serverTemplate(lab);
  const [container] = spec.containers.filter(({ name }) => name === "postgres");
  assert.ok(container);
  delete container.startupProbe;
  delete container.livenessProbe;
  delete container.readinessProbe;
  await lab.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: FIRST_START_POD, namespace: SCRATCH_NAMESPACE },
    spec: {
      ...spec,
      // Its first process only sleeps, and ignores the stop signal.
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          ...container,
          command: ["sleep", "3600"],
          env: container.env.map((it) =>
            it.name === "IDENTITY" ? { ...it, value: FIRST_START_IDENTITY } : it,
          ),
        },
      ],
      volumes: spec.volumes
        .filter(({ name }) => !name.endsWith("-credentials"))
        .map((volume) =>
          volume.name === "data" ? { name: "data", hostPath: { path, type: "Directory" } } : volume,
        ),
    },
  });
  await lab.kubectl(
    "wait",
    "--for=condition=Ready",
    `pod/${FIRST_START_POD}`,
    "-n",
    SCRATCH_NAMESPACE,
    "--timeout=60s",
  );
  // There is no container for the server's certificate next to it, for which each start would wait.
  const prepare = "bash /usr/local/lib/transcript-pipeline-tls/prepare-certificate.sh 0";
  await lab.kubectl(...["exec", FIRST_START_POD, "-n", SCRATCH_NAMESPACE, "--", "bash", "-c"], prepare);
}

/** Starts the server's script next to the sleeping first process. */
function firstStart(lab: Lab): { output: () => string; end: Promise<void> } {
  const child = lab.spawnKubectl(
    ...["exec", FIRST_START_POD, "-n", SCRATCH_NAMESPACE, "--", "bash", "-c"],
    "exec bash /usr/local/lib/transcript-pipeline/start-server.sh 2>&1",
  );
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (data: string) => (output += data));
  return { output: () => output, end: new Promise((resolve) => child.on("exit", () => resolve())) };
}

async function killFirstStart(lab: Lab): Promise<void> {
  // Repeated until nothing is left: what was being forked at the first look exists at the next.
  await until(
    "all have ended",
    async () => {
      const all = await lab.containerProcesses("postgres", FIRST_START_POD, SCRATCH_NAMESPACE);
      const left = all.filter((process) => process.inner !== 1 && isAlive(process));
      signal(left, "SIGKILL");
      return left.length === 0;
    },
    10_000,
    20,
  );
}

async function interruptedFirstStarts(lab: Lab, random: Random, path: string): Promise<string> {
  const prepare = () =>
    succeed("/bin/sh", ["-c", preparationScript({ path, capacity: "1Mi", identity: FIRST_START_IDENTITY })]);
  mkdirSync(path, { recursive: true });
  await prepare();
  await firstStartPod(lab, path);
  const stages: string[] = [];
  for (let interruption = 0; interruption < 6; interruption++) {
    // Already complete: there would be nothing to interrupt.
    if (existsSync(join(path, "pgdata"))) {
      for (const entry of readdirSync(path)) rmSync(join(path, entry), { recursive: true });
      await prepare();
    }
    const start = firstStart(lab);
    // From its own log: the folder may be from the previous start.
    await until("initdb has begun", () => start.output().includes("creating a new database"), 20_000, 5);
    await Promise.race([pause(random.between(0, 900)), start.end]);
    await killFirstStart(lab);
    await start.end;
    const stage = existsSync(join(path, "pgdata"))
      ? "whole"
      : existsSync(join(path, "pgdata.initializing"))
        ? "half"
        : "none";
    stages.push(stage);
  }
  assert.ok(stages.includes("half"), `initdb was never interrupted: ${stages.join(" ")}`);
  const last = firstStart(lab);
  const accepts = () => last.output().includes("database system is ready to accept connections");
  await until("the server comes up", accepts, 60_000, 100).catch((error: unknown) => {
    throw new Error(`${String(error)}, after ${stages.join(" ")}: ${last.output()}`, { cause: error });
  });
  const inside = (...command: string[]) =>
    lab.kubectl("exec", FIRST_START_POD, "-n", SCRATCH_NAMESPACE, "--", ...command);
  const answer = await inside(
    ...["psql", "-X", "-At", "-h", "/var/run/postgresql", "-U", "postgres", "-c"],
    "select count(*), current_setting('data_checksums'), min(datcollate) from pg_database",
  );
  assert.equal(answer.trim(), "3|on|C.UTF-8");
  // Nothing incomplete, and one copy of the configuration that started.
  assert.match(
    readdirSync(path).sort().join(" "),
    /^last-started last-started\.[0-9a-f]{16} pgdata server\.lock socket volume\.identity$/,
  );
  await killFirstStart(lab);
  return `pgdata after each of 6 kills: ${stages.join(", ")}`;
}

export const initialisationFaults: Fault[] = [
  {
    name: "the init scripts killed again and again",
    group: "deployment",
    strike: async (lab, random) => {
      const since = Date.now();
      const [plain, interrupted] = ["faults_plain", "faults_interrupted"];
      await Promise.all([scratchDatabase(lab, plain), scratchDatabase(lab, interrupted)]);
      await initPod(lab, plain);
      const duration = {
        bootstrap: (await initScript(lab, "bootstrap")).took,
        migrate: (await initScript(lab, "migrate")).took,
      };
      const expected = await schemaOf(lab, plain);
      await initPod(lab, interrupted);
      let kills = 0;
      let rounds = 0;
      while (kills < INTERRUPTIONS) {
        assert.ok(rounds < ROUNDS, `only ${kills} interruptions in ${rounds} initialisations`);
        await scratchDatabase(lab, interrupted);
        for (const script of ["bootstrap", "migrate"] as const) {
          const times = Array.from({ length: 4 }, () => random.between(5, duration[script]));
          kills += (await initScript(lab, script, times)).killed;
        }
        assert.equal(await schemaOf(lab, interrupted), expected);
        rounds++;
      }
      return {
        since,
        note: `killed ${kills} times in ${rounds} initialisations, each ending with the same schema`,
      };
    },
    restore: async (lab) => {
      await lab.kubectl(
        "delete",
        "pod,secret",
        SCRATCH_POD,
        "-n",
        NAMESPACE,
        "--grace-period=0",
        "--force",
        "--ignore-not-found",
      );
      for (const name of ["faults_plain", "faults_interrupted"])
        await lab.ask(`drop database if exists ${name} with (force)`, "postgres");
    },
  },
  {
    name: "the first start killed again and again",
    group: "deployment",
    strike: async (lab, random) => {
      const since = Date.now();
      return { since, note: await interruptedFirstStarts(lab, random, join(lab.folder, "first-start")) };
    },
    restore: async (lab) => {
      await lab.kubectl("delete", "namespace", SCRATCH_NAMESPACE, "--ignore-not-found");
      rmSync(join(lab.folder, "first-start"), { recursive: true, force: true });
    },
  },
];
