/**
 * The stack of these tests: `prod` of a checkout, which backs up into an object store in the cluster, or another place.
 * It is deployed once for all files of a place, and again after a suite in which a test has failed.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { Checkout, STACK } from "../checkout.ts";
import { describeProcess, type NodeProcess, podProcesses, signal } from "../faults/node-processes.ts";
import {
  changedConfig,
  CLUSTER,
  execute,
  kubectl,
  needsEngine,
  type Ran,
  secretValue,
  shell,
  sql,
  takeRoom,
  theCluster,
  until,
  vacate,
} from "../support.ts";
import type { Place } from "./place.ts";
import { SftpServer } from "./sftp-server.ts";
import { ObjectStore } from "./store.ts";

/** The namespace of the guide. */
export const NAMESPACE = "transcript-pipeline";
/** The name of the repository. */
export const REPOSITORY = "cloud";

let deployed: { checkout: Checkout; place: Place } | undefined;

/** The stack that backs up into the place. */
export function stored(): { checkout: Checkout } {
  assert.ok(deployed, "the stack is not deployed");
  return deployed;
}

/** The SFTP server that it backs up into. */
export function theSftpServer(): SftpServer {
  assert.ok(deployed?.place instanceof SftpServer, "the stack backs up into something else");
  return deployed.place;
}

/** The object store that it backs up into. */
export function theStore(): ObjectStore {
  assert.ok(deployed?.place instanceof ObjectStore, "the stack backs up into something else");
  return deployed.place;
}

/** Changes fields of the stack's configuration, by path. */
export function configure(changes: Record<string, unknown>): void {
  const file = join(stored().checkout.directory, `Pulumi.${STACK}.yaml`);
  changedConfig(file, file, changes);
}

/** Sets a secret of the stack's configuration. */
export async function setSecret(path: string, value: string): Promise<void> {
  await stored().checkout.succeed(
    'pulumi config set --secret --path --stack "$STACK" "transcript-pipeline:$FIELD" -- "$VALUE"',
    { FIELD: path, VALUE: value },
  );
}

/** `pulumi up`; must succeed. */
export const deploy = () => stored().checkout.succeed('pulumi up --skip-preview --stack "$STACK"');

/** Prepares the data directory on the node as the documentation says, which here is this machine. */
const prepareStorage = (task: string) =>
  stored().checkout.succeed(
    'npm run --silent render -- --stack "$STACK" && sh "rendered/$STACK/prepare-storage.sh" $TASK',
    { TASK: task },
  );

/** `pulumi up` that also creates again what was deleted behind its back; must succeed. */
export const deployRefreshed = () =>
  stored().checkout.succeed('pulumi up --refresh --skip-preview --stack "$STACK"');

async function start(place: Place): Promise<void> {
  await takeRoom(leave);
  const checkout = new Checkout();
  deployed = { checkout, place };
  await place.start();
  configure({
    [`backup.repositories.${REPOSITORY}`]: place.fields,
    // The server complains of what is not archived after a sixth of it.
    "database.terminationGracePeriod": 120,
  });
  await checkout.succeed('pulumi stack init "$STACK"');
  for (const [name, value] of Object.entries(place.secrets))
    await setSecret(`secrets.repositories.${REPOSITORY}.${name}`, value);
  await deploy();
  await untilFirstBackup();
}

/** Removes the stack, its data and the place. */
async function leave(): Promise<void> {
  await shell(`kubectl delete namespace ${NAMESPACE} --ignore-not-found`);
  await shell("kubectl delete pv postgres-pv --ignore-not-found");
  await deployed?.place.remove();
  deployed?.checkout.remove();
  deployed = undefined;
}

/**
 * For a suite: the stack exists before its tests, and is created again after one that failed.
 *
 * @param Kind of the place. @default the object store
 */
export function onStored(Kind: new () => Place = ObjectStore): void {
  needsEngine();
  let failed = false;
  before(async function () {
    this.timeout(600_000);
    failed = true;
    if (!(deployed?.place instanceof Kind)) {
      await vacate();
      await start(new Kind());
    }
    failed = false;
  });
  afterEach(function () {
    if (this.currentTest?.state === "failed") failed = true;
  });
  after(async function () {
    this.timeout(240_000);
    if (failed) await vacate();
  });
}

/** Waits until the first backup, which runs in the background, is done. */
export async function untilFirstBackup(): Promise<void> {
  await kubectl(
    ...["wait", "-n", NAMESPACE, "--for=condition=Complete", "job/postgres-backup-first", "--timeout=300s"],
  );
}

/** Removes finished pods of the backups: they keep a claim that is deleted, and `up` waits for it. docs/backups.md. */
export async function releaseClaims(): Promise<void> {
  await kubectl(
    ...["delete", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=backup"],
    "--field-selector=status.phase!=Running",
  );
}

/** A program in the agent's container. */
export function inAgent(...command: string[]): Promise<Ran> {
  const exec = ["exec", "-n", NAMESPACE, "postgres-backup-0", "--", ...command];
  return execute("kubectl", ["--kubeconfig", theCluster().kubeconfig, ...exec]);
}

/** pgBackRest in the agent's container, on the repository; must succeed. */
export async function pgbackrest(...args: string[]): Promise<string> {
  const ran = await inAgent("pgbackrest", "--stanza=main", ...args);
  assert.equal(ran.status, 0, ran.output);
  return ran.stdout;
}

/** What pgBackRest knows of the repository's backups. */
interface Info {
  archive: { min: string; max: string }[];
  backup: {
    type: "full" | "incr" | "diff";
    label: string;
    error: boolean;
    archive: { start: string; stop: string };
    annotation?: Record<string, string>;
    timestamp: { start: number; stop: number };
  }[];
  status: { code: number; message: string };
}

/** The repository's backups. */
export async function info(): Promise<Info> {
  const [stanza] = JSON.parse(await pgbackrest("info", "--output=json")) as Info[];
  assert.ok(stanza);
  return stanza;
}

/** Makes a backup by the Job of a schedule. Returns the Job's name; it is not waited for. */
export async function startBackup(kind: "full" | "incremental", name: string): Promise<string> {
  await kubectl("create", "job", name, `--from=cronjob/postgres-backup-${kind}`, "-n", NAMESPACE);
  return name;
}

/** A file of the Secret of the backups. */
export const backupSecret = (file: string) => secretValue("postgres-backup", file.replace(".", "\\."));

/** What a Job or a pod wrote. */
export const logOf = async (what: string): Promise<string> =>
  (await shell(`kubectl logs -n ${NAMESPACE} ${what} --tail=-1`)).output;

/** Writes a row and finishes its segment. Returns the segment's name. */
export async function startSegment(): Promise<string> {
  await sql("create table if not exists written (at timestamptz); insert into written values (now())");
  return sql("select pg_walfile_name(pg_switch_wal())", "postgres");
}

/** Waits until a segment is in the repository. */
export function untilArchived(segment: string, milliseconds = 180_000): Promise<void> {
  return until(
    `${segment} is archived`,
    async () => {
      const listed = await inAgent(...listing(segment));
      return listed.status === 0 && listed.stdout.includes(segment);
    },
    milliseconds,
    1000,
  );
}

/**
 * Writes a row, finishes its segment, and waits until that segment is in the repository.
 *
 * @returns seconds that it took
 */
export async function archiveNow(): Promise<number> {
  const started = Date.now();
  await untilArchived(await startSegment());
  return (Date.now() - started) / 1000;
}

/**
 * Has something be wrong while a segment is to be archived. Agent and server must say so; once it is right again,
 * archiving goes on.
 *
 * @param meanwhile what else must hold, before it is right again. @default nothing
 */
export async function refused(
  happen: () => Promise<void>,
  end: () => Promise<void>,
  says: RegExp,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await archiveNow();
  await happen();
  let segment;
  try {
    segment = await startSegment();
    await until("the agent says it", async () => says.test(await logOf("postgres-backup-0")));
    await until("the server says it", async () => says.test(await logOf("postgres-0 -c postgres")));
    await meanwhile();
  } finally {
    await end();
  }
  await untilArchived(segment);
}

const listing = (segment: string) => [
  ...["pgbackrest", "--stanza=main", "repo-ls", "--recurse", "--filter", segment],
  "archive/main",
];

/** The server's pod is ready. */
export async function untilReady(milliseconds = 180_000): Promise<void> {
  await until(
    "the server is ready",
    async () => {
      const line = `kubectl get pod postgres-0 -n ${NAMESPACE} -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'`;
      return (await shell(line)).stdout === "True";
    },
    milliseconds,
    1000,
  );
}

/** Deletes the agent's pod; another takes its place. */
export const deleteAgent = () =>
  kubectl("delete", "pod", "postgres-backup-0", "-n", NAMESPACE, "--wait=false");

/** Deletes the server's pod as `kubectl` does, and waits for the next one. Returns the seconds of both. */
export async function restartServer(): Promise<{ stopped: number; ready: number }> {
  const started = Date.now();
  await kubectl("delete", "pod", "postgres-0", "-n", NAMESPACE);
  const stopped = (Date.now() - started) / 1000;
  await untilReady();
  return { stopped, ready: (Date.now() - started) / 1000 - stopped };
}

/** A row a second, committed against a clock that is not the server's. */
export class Heartbeat {
  /** Of every row whose commit was acknowledged: milliseconds of this machine's clock before it was sent. */
  readonly acknowledged: number[] = [];
  private readonly session;
  private readonly timer;

  /** @param load further rows of about 100 bytes, a second */
  constructor(load = 0) {
    const psql = ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", "transcript_user"];
    const exec = ["exec", "-i", "-n", NAMESPACE, "postgres-0", "--", ...psql, "-d", "transcripts_db"];
    this.session = spawn("kubectl", ["--kubeconfig", theCluster().kubeconfig, ...exec]);
    let rest = "";
    this.session.stdout.setEncoding("utf8").on("data", (data: string) => {
      const lines = (rest + data).split("\n");
      rest = lines.pop() ?? "";
      this.acknowledged.push(...lines.filter((line) => /^\d+$/.test(line)).map(Number));
    });
    this.session.stdin.on("error", () => undefined);
    this.session.on("error", () => undefined);
    this.session.stdin.write(
      "create table if not exists heartbeat (at bigint primary key);" +
        "create table if not exists heartbeat_load (words text);\n",
    );
    this.timer = setInterval(() => {
      this.session.stdin.write(`insert into heartbeat values (${Date.now()}) returning at;\n`);
      if (load > 0)
        this.session.stdin.write(
          `insert into heartbeat_load select repeat(md5(i::text), 3) from generate_series(1, ${load}) as i;\n`,
        );
    }, 1000);
  }

  /** No more rows. */
  stop(): void {
    clearInterval(this.timer);
    this.session.kill();
  }

  /**
   * Compares what was acknowledged with what a restored server has: nothing is missing up to its newest row.
   *
   * @param until milliseconds: what was written later does not count
   * @returns the newest row's milliseconds
   */
  async newestRestored(): Promise<number> {
    const rows = (await sql("select at from heartbeat order by at")).split("\n").map(Number);
    const newest = rows.at(-1);
    assert.ok(newest !== undefined && !Number.isNaN(newest), "no row is restored");
    const found = new Set(rows);
    const missing = this.acknowledged.filter((at) => at <= newest && !found.has(at));
    assert.deepEqual(missing, [], "rows before the newest one are lost");
    return newest;
  }
}

/** The processes of pods of the stack, as this machine sees them. */
export async function processesOf(...pods: string[]): Promise<NodeProcess[]> {
  const path = '{range .status.containerStatuses[*]}{.containerID}{"\\n"}{end}';
  const containers = await Promise.all(
    pods.map((pod) => kubectl("get", "pod", pod, "-n", NAMESPACE, "-o", `jsonpath=${path}`)),
  );
  const found = containers
    .flatMap((ids) => ids.trim().split("\n"))
    .flatMap((id) => podProcesses(clusterPaths(CLUSTER), id.replace("containerd://", "")))
    .flatMap((pid) => describeProcess(pid) ?? []);
  assert.notEqual(found.length, 0, `${pods.join(", ")}: no process is running`);
  return found;
}

/**
 * What a fire does: server and agent stop in the middle of what they do, at the same moment, and the data directory is
 * gone.
 *
 * @returns that moment, in milliseconds of this machine's clock
 */
export async function burnDown(): Promise<number> {
  const lost = await processesOf("postgres-0", "postgres-backup-0");
  const moment = Date.now();
  signal(lost, "SIGSTOP");
  rmSync(stored().checkout.dataDirectory, { recursive: true, force: true });
  signal(lost, "SIGKILL");
  await kubectl("delete", "pods", "-n", NAMESPACE, "--all", "--force", "--grace-period=0");
  return moment;
}

/**
 * Brings back what has burnt down: `backup.restoreFrom` and more fields are set, the empty directory is prepared, and the
 * stack is deployed.
 *
 * @returns the seconds until the server is ready
 */
export async function restoreEverything(fields: Record<string, unknown>): Promise<number> {
  const started = Date.now();
  configure({ "backup.restoreFrom": REPOSITORY, ...fields });
  // The server tries to start all the time: it must not make a new database before the restore is deployed.
  await prepareStorage("restore");
  await deploy();
  await untilReady();
  return (Date.now() - started) / 1000;
}
