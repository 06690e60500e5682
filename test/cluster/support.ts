/** What the cluster tests share: one local cluster, one state folder, and the commands that a user types. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { DevState } from "../../tools/dev/state.ts";
import { projectFile } from "../../tools/cli.ts";
import { backendOf } from "../../tools/dev/deploy-with-engine.ts";
import { type Engine, findEngine } from "../../tools/engine/engine.ts";
import { clusterPaths } from "../../tools/local-cluster/paths.ts";
import { engineEnvironment } from "../../tools/engine/environment.ts";
import { type LocalCluster, leftovers, start, stop } from "../../tools/local-cluster/cluster.ts";
import { type Change, edited } from "../../tools/stack-file/editing.ts";
import { endPluginsOf } from "../orphans.ts";
import { skip } from "../skip.ts";

/** The tests' own local cluster, next to the user's. Two checkouts are tested at once under two names. */
export const CLUSTER = process.env.TEST_CLUSTER ?? "testing";

/** Everything that these tests write. Always in the same place, so that what a killed run left is found and removed. */
const FOLDER = join(tmpdir(), `transcript-pipeline-suite-${CLUSTER}`);
/** The tests' own state folder, as deep as anybody's: no socket's path, of 107 bytes at most, has room below it. */
const STATE_HOME = join(FOLDER, "home-directories/of-the-machine-learning-group/local/state");

/** What a command did. */
export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
  /** Both, in order. */
  output: string;
  /** Seconds. */
  seconds: number;
}

let ready = false;
let cluster: LocalCluster | undefined;
let engine: Engine | undefined;

/** The state folder of these tests; nothing of the user's own stack `dev` is touched. */
export function state(): DevState {
  assert.ok(ready, "the cluster tests are not set up");
  return new DevState(join(STATE_HOME, "transcript-pipeline"));
}

/** The running cluster. */
export function theCluster(): LocalCluster {
  assert.ok(cluster, "the local cluster is not running");
  return cluster;
}

/** The real engine. */
export function theEngine(): Engine {
  assert.ok(engine, "there is no Pulumi CLI");
  return engine;
}

/** Why this machine cannot run the local cluster, or undefined if it can. */
export function clusterObstacle(): string | undefined {
  if (process.platform !== "linux") return "the local cluster needs Linux";
  if (process.getuid?.() !== 0) return "the local cluster needs root";
  return undefined;
}

/** For tests that need the engine: without one they are skipped, with the reason. */
export function needsEngine(): void {
  before(function () {
    if (engine) return;
    skip(this, "no Pulumi CLI can be had on this machine");
  });
}

/** Starts the cluster, once for all tests. */
export async function setUp(): Promise<void> {
  process.env.XDG_STATE_HOME = STATE_HOME;
  await tearDown();
  ready = true;
  const found = await findEngine();
  engine = "reason" in found ? undefined : found;
  cluster = await start({ name: CLUSTER, gpu: 1, log: console.log });
  process.env.PATH = `${process.env.PATH}${delimiter}${dirname(cluster.kubectl)}`;
}

/**
 * Stops a cluster of tests, ends what their engines left running, and removes what they wrote.
 *
 * @returns what is left of the cluster all the same
 */
export async function removeCluster(name: string, folder: string): Promise<string[]> {
  await stop({ name, purge: true });
  endPluginsOf(folder);
  rmSync(folder, { recursive: true, force: true });
  return leftovers(name);
}

/** Stops the cluster and removes what these tests wrote. */
export async function tearDown(): Promise<void> {
  assert.deepEqual(await removeCluster(CLUSTER, FOLDER), []);
}

/**
 * Polls until the condition holds; fails after so many milliseconds. The default is twice what a Secret that was
 * changed by hand may take: the kubelet looks every 60 to 90 s.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  milliseconds = 180_000,
  interval = 200,
): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`not within ${milliseconds / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

/** Runs a program to its end, whatever its status. */
export function execute(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; input?: string; cwd?: string; timeout?: number } = {},
): Promise<Ran> {
  const started = Date.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? projectFile("."),
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: options.timeout ?? 600_000,
    });
    const ran: Ran = { status: null, stdout: "", stderr: "", output: "", seconds: 0 };
    child.stdout.setEncoding("utf8").on("data", (data: string) => {
      ran.stdout += data;
      ran.output += data;
    });
    child.stderr.setEncoding("utf8").on("data", (data: string) => {
      ran.stderr += data;
      ran.output += data;
    });
    child.on("error", reject);
    child.on("close", (status) => resolve({ ...ran, status, seconds: (Date.now() - started) / 1000 }));
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

/** Runs a program that must succeed. */
export async function succeed(...args: Parameters<typeof execute>): Promise<Ran> {
  const ran = await execute(...args);
  assert.equal(ran.status, 0, `${args[0]} ${args[1].join(" ")}\n${ran.output}`);
  return ran;
}

/** A shell command line, as the guide prints it, with these tests' kubeconfig. */
export function shell(line: string, options: { cwd?: string; timeout?: number } = {}): Promise<Ran> {
  return execute("bash", ["-c", line], { ...options, env: { KUBECONFIG: theCluster().kubeconfig } });
}

/** kubectl on the cluster; must succeed. */
export async function kubectl(...args: string[]): Promise<string> {
  return (await succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, ...args])).stdout;
}

/**
 * A program in the server's container, with a text for its input. Now and then, on a busy machine, kubectl loses the input:
 * a program that ends with 99 because it found none is run again.
 */
export async function inPod(command: readonly string[], input = "", timeout?: number): Promise<Ran> {
  const pod = ["exec", "-i", "-n", "transcript-pipeline", "postgres-0", "--"];
  for (let again = 3; ; again--) {
    const ran = await execute("kubectl", ["--kubeconfig", theCluster().kubeconfig, ...pod, ...command], {
      input,
      ...(timeout !== undefined && { timeout }),
    });
    if (ran.status !== 99 || again === 0) return ran;
  }
}

/** What a superuser's session of the tests is: by name not the product's, and with the application's names in sight. */
export const AS_SUPERUSER = [
  ...["env", "PGAPPNAME=tests", "PGOPTIONS=-c search_path=pg_catalog,public,extensions"],
  ...["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", "postgres"],
];

/** SQL in the server's pod, as the owner; must succeed. Returns unaligned rows. */
export async function sql(statement: string, user = "transcript_user"): Promise<string> {
  const command =
    user === "postgres" ? AS_SUPERUSER : ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", user];
  const psql = [...command, "-d", "transcripts_db"];
  const ran = await inPod(psql, statement);
  assert.equal(ran.status, 0, `${psql.join(" ")}\n${ran.output}`);
  return ran.stdout.trim();
}

const SECRETS_NAMESPACE = ["-n", "transcript-pipeline"];

/** One value of a Secret. */
export async function secretValue(secret: string, key: string): Promise<string> {
  const encoded = await kubectl(
    "get",
    "secret",
    secret,
    ...SECRETS_NAMESPACE,
    "-o",
    `jsonpath={.data.${key}}`,
  );
  return Buffer.from(encoded, "base64").toString();
}

/** Changes one value of a Secret by hand. */
export async function setSecretValue(secret: string, key: string, value: string): Promise<void> {
  const patch = JSON.stringify({ data: { [key]: Buffer.from(value).toString("base64") } });
  await kubectl("patch", "secret", secret, ...SECRETS_NAMESPACE, "--type=merge", "-p", patch);
}

/** `npm run <script>`, as a user types it. */
export function npm(script: string, ...args: string[]): Promise<Ran> {
  return execute("npm", ["run", "--silent", script, "--", ...args]);
}

/** Removes what occupies the stack `dev`'s place, if anything does. */
let leaveRoom: (() => Promise<void>) | undefined;

/** Has whatever took the room of the stack `dev` leave it. */
export async function vacate(): Promise<void> {
  const leave = leaveRoom;
  leaveRoom = undefined;
  await leave?.();
}

/**
 * Makes room for another stack: there is one namespace, for one database. `dev` is destroyed, and keeps its files.
 *
 * @param leave removes the other stack; called before the next {@link up}, or by {@link vacate}
 */
export async function takeRoom(leave: () => Promise<void>): Promise<void> {
  await vacate();
  await restoreCluster();
  leaveRoom = leave;
  if (!state().deployment) return;
  const ran = await pulumi(["destroy", "--yes", "--skip-preview"]);
  assert.equal(ran.status, 0, ran.output);
}

/** `npm run up` on the tests' cluster; must succeed. */
export async function up(): Promise<Ran> {
  await vacate();
  const ran = await npm("up", "--local-cluster", CLUSTER);
  assert.equal(ran.status, 0, ran.output);
  return ran;
}

/** A command of the real engine, as {@link pulumi} takes it. */
interface EngineCommand {
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** For its standard input. */
  input?: string;
  /** The project's folder, when it is not this checkout. */
  project?: string;
}

/** The real engine on the stack that `up` deployed. */
export function pulumi(args: readonly string[], env: NodeJS.ProcessEnv = {}, input?: string): Promise<Ran> {
  return runEngine({ args, env, ...(input !== undefined && { input }) });
}

/** The real engine on the stack that `up` deployed, from whichever copy of the project. */
export function runEngine({
  args,
  env = {},
  input,
  project = projectFile("."),
}: EngineCommand): Promise<Ran> {
  const onStack =
    ["stack", "cancel"].includes(args[0] ?? "") || args.includes("--config-file")
      ? []
      : ["--config-file", state().configFile];
  return execute(theEngine().command, [...args, "--stack", "dev", ...onStack, "--non-interactive"], {
    // `pulumi stack` knows no --config-file: the state folder is a project of its own.
    cwd: args[0] === "stack" ? state().directory : project,
    env: engineEnvironment({ backend: backendOf(state()), variables: env }),
    ...(input !== undefined && { input }),
  });
}

/**
 * `up` of the deployed configuration with fields changed, by kubectl alone.
 *
 * @param here whether the cluster's node is this machine
 */
export function upWithKubectl(
  changes: Record<string, unknown>,
  here: boolean,
  env: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  const program = `
    import { upWithKubectl } from ${JSON.stringify(projectFile("tools/dev/deploy-with-kubectl.ts"))};
    import { DevState } from ${JSON.stringify(projectFile("tools/dev/state.ts"))};
    const state = new DevState();
    Object.defineProperty(state, "configFile", { value: process.env.CONFIG_FILE });
    await upWithKubectl({ kubeconfig: process.env.CLUSTER_CONFIG }, state, ${here});`;
  return execute("node", ["--input-type=module", "--eval", program], {
    env: { ...env, CONFIG_FILE: configured(changes), CLUSTER_CONFIG: theCluster().kubeconfig },
  });
}

/**
 * The arguments with which `pulumi` encrypts a secret into a configuration. It reads the value from its input.
 *
 * @param path the field: `secrets.databasePassword`
 */
export function settingSecret(path: string): string[] {
  return ["config", "set", "--secret", "--path", `transcript-pipeline:${path}`];
}

/**
 * A copy of a stack's configuration with fields changed, by path: `database.settings.work_mem`.
 *
 * @returns the copy
 */
export function changedConfig(from: string, to: string, changes: Record<string, unknown>): string {
  const paths = Object.entries(changes).map(([path, value]): Change => {
    const [section, field, ...rest] = path.split(".");
    assert.ok(section && field, `${path} is not the path of a field`);
    return { path: [section, field, ...rest], value };
  });
  writeFileSync(to, edited(readFileSync(from, "utf8"), paths), { mode: 0o600 });
  return to;
}

/** The deployed configuration with some fields changed. */
export function configured(changes: Record<string, unknown>): string {
  return changedConfig(state().configFile, join(state().directory, "Pulumi.changed.yaml"), changes);
}

/** containerd's own client, on the node's images; must succeed. */
export async function ctr(...args: string[]): Promise<Ran> {
  return succeed(join(dirname(theCluster().kubectl), "ctr"), [
    ...["--address", clusterPaths(CLUSTER).containerdSocket, "--namespace", "k8s.io"],
    ...args,
  ]);
}

/** The stand-in image under another name: what it holds stays the same, whatever its tag says. */
export async function tagged(tag: string, repository = "change"): Promise<string> {
  const name = `localhost/${repository}/pgvector-standin:${tag}`;
  await ctr("images", "tag", "--force", theCluster().postgresImage, name);
  return name;
}

/** Starts the cluster again after a test has stopped it, for the tests that follow. */
export async function restoreCluster(): Promise<void> {
  cluster = await start({ name: CLUSTER, gpu: 1 });
}

/** Starts the cluster again with network policies enforced, as K3s does, or not: other suites run faster without. */
export async function enforceNetworkPolicies(networkPolicies: boolean): Promise<void> {
  cluster = await start({ name: CLUSTER, gpu: 1, networkPolicies, log: console.log });
}

/** A separate stack for a preview: nothing of it is ever deployed. */
export async function scratchStack(
  name: string,
  config: string,
): Promise<{ engine: string; flags: string[]; env: NodeJS.ProcessEnv }> {
  const directory = mkdtempSync(join(STATE_HOME, "scratch-"));
  const file = join(directory, `Pulumi.${name}.yaml`);
  writeFileSync(join(directory, "Pulumi.yaml"), "name: transcript-pipeline\nruntime: nodejs\n");
  writeFileSync(file, config);
  mkdirSync(join(directory, "state"));
  const env = engineEnvironment({
    backend: { directory: join(directory, "state"), passphrase: "scratch" },
  });
  await succeed(theEngine().command, ["stack", "init", name, "--non-interactive"], { cwd: directory, env });
  return {
    engine: theEngine().command,
    flags: ["--stack", name, "--config-file", file, "--non-interactive"],
    env,
  };
}
