import {
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { spawn } from "node:child_process";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { buildBinaries } from "./build.ts";
import { clusterCgroups, clusterProcesses, makeCgroups, removeCgroups } from "./cgroups.ts";
import { requireSpace } from "./disk.ts";
import type { Image } from "./images.ts";
import { buildImages, pgbackrestImage, postgresImage } from "./images.ts";
import { withLock } from "../lock.ts";
import { addresses, connect, disconnect, requireFreeRange, serviceRange } from "./network.ts";
import { buildMetricsServer, METRICS_SERVER, metricsServerObjects } from "./metrics-server.ts";
import { buildKubeRouter, dnsObjects } from "./network-policies.ts";
import { dnsFolder, writeApiServerFlags, writeNodeConfig } from "./node-config.ts";
import type { ClusterPaths } from "./paths.ts";
import { clusterPaths } from "./paths.ts";
import { preflight } from "./preflight.ts";
import { attempt, run } from "../processes.ts";
import { waitUntil } from "./wait-until.ts";

/** A running cluster, and how to access it. */
export interface LocalCluster {
  name: string;
  /** Path of a kubeconfig for an administrator of the cluster. */
  kubeconfig: string;
  /** The only context in it. */
  context: string;
  nodeName: string;
  /** Reference of the stand-in for the PostgreSQL 16 + pgvector image. */
  postgresImage: string;
  /** Reference of the stand-in for the image with pgBackRest. */
  pgbackrestImage: string;
  /** Path of a kubectl of the cluster's version. */
  kubectl: string;
}

type Log = (line: string) => void;

const defaultName = "local";
const silent: Log = () => undefined;
/** Marks a state folder as ours, and records the programs with which the cluster was last started. */
const recordFile = "cluster.json";

/**
 * Starts the cluster, unless it runs, and returns when its node is ready and can start pods. What an earlier run of the
 * same name left (objects, images, pods on their volumes) is restored, as after a reboot.
 *
 * @param options.nodeName the node's name from this start on, as if its disk were in another machine. Default: that of
 *   the last start, at first `<name>-node`
 * @param options.domain DNS domain of the cluster's names. Default: that of the last start, at first `cluster.local`
 * @param options.apiServerFlags more flags of the API server, which is restarted for them. Default: those of the last
 *   start, at first none
 * @param options.networkPolicies whether NetworkPolicies are enforced, by kube-router; another value than the last start's
 *   stops a running node first. Default: that of the last start, at first not
 * @param options.metrics whether `kubectl top` has figures, by metrics-server; the start then lasts until there are some.
 *   Default: that of the last start, at first not
 * @throws one clear line; nothing of the cluster is then left on the machine, except for a node that only lacks figures
 */
export async function start(
  options: {
    name?: string;
    log?: Log;
    gpu?: number;
    nodeName?: string;
    domain?: string;
    apiServerFlags?: readonly string[];
    networkPolicies?: boolean;
    metrics?: boolean;
  } = {},
): Promise<LocalCluster> {
  const paths = pathsOf(options.name ?? defaultName);
  if (options.nodeName !== undefined) paths.nodeName = options.nodeName;
  if (options.domain !== undefined) paths.domain = options.domain;
  const hasOtherFlags =
    options.apiServerFlags !== undefined && !isDeepStrictEqual(options.apiServerFlags, paths.apiServerFlags);
  if (options.apiServerFlags !== undefined) paths.apiServerFlags = options.apiServerFlags;
  const { networkPolicies: before } = paths;
  if (options.networkPolicies !== undefined) paths.networkPolicies = options.networkPolicies;
  const { metrics: hadMetrics } = paths;
  const metrics = options.metrics ?? hadMetrics;
  // Until its objects are removed: if this start fails, a later one still knows of them.
  paths.metrics ||= metrics;
  const log = options.log ?? silent;
  reachDirectly(paths.name);
  await preflight(log, { networkPolicies: paths.networkPolicies, metrics });
  return withLock(lockFile(paths), log, async () => {
    requireOwnState(paths);
    const metricsServer = metrics ? await buildMetricsServer(log) : undefined;
    let cluster = await status(paths.name);
    if (cluster !== undefined && paths.networkPolicies !== before) {
      await remove(paths);
      cluster = undefined;
    }
    if (cluster === undefined) {
      const binaries = await buildBinaries(log);
      const images = await buildImages(log);
      await boot(paths, binaries, images, log);
      cluster = describe(paths, kubectlPath(binaries));
      if (before && !paths.networkPolicies)
        await removeObjects(cluster, dnsObjects({ binaries: "", config: "" }));
    } else {
      // A version that had fewer images, or others, may have started it.
      await importImages(paths, dirname(cluster.kubectl), await buildImages(log), log);
      if (hasOtherFlags) await restartApiServer(paths, cluster);
      if (paths.metrics !== hadMetrics) writeRecord(paths, cluster.kubectl);
    }
    if (metricsServer !== undefined) await startMetricsServer(cluster, paths, metricsServer, log);
    else if (paths.metrics) {
      await removeObjects(cluster, metricsServerObjects(""));
      paths.metrics = false;
      writeRecord(paths, cluster.kubectl);
    }
    if (options.gpu !== undefined) await advertiseGpu(cluster, options.gpu);
    return cluster;
  });
}

/**
 * Stops the cluster: containers get their stop signal and up to ten seconds, then everything ends. State stays unless
 * `purge` is set. It is safe to stop one that does not run, or the remains of one.
 *
 * @throws if a part of the cluster could not be removed
 */
export async function stop(options: { name?: string; purge?: boolean; log?: Log } = {}): Promise<void> {
  const paths = clusterPaths(options.name ?? defaultName);
  const log = options.log ?? silent;
  await withLock(lockFile(paths), log, async () => {
    requireOwnState(paths);
    await remove(paths);
    if (options.purge) rmSync(paths.state, { recursive: true, force: true });
  });
  const left = await leftovers(paths.name);
  if (left.length > 0)
    throw new Error(`cluster "${paths.name}" is not completely removed: ${left.join(", ")}`);
  log(`cluster "${paths.name}" is stopped${options.purge ? " and its state removed" : ""}`);
}

/** The cluster, if it runs and its API server answers. */
export async function status(name = defaultName): Promise<LocalCluster | undefined> {
  const paths = pathsOf(name);
  reachDirectly(name);
  const record = readRecord(paths);
  if (record === undefined || existsSync(startingFile(paths)) || clusterProcesses(paths).length === 0) {
    return undefined;
  }
  const cluster = describe(paths, record.kubectl);
  const answer = await attempt(cluster.kubectl, kubectlArguments(cluster, ["get", "--raw", "/readyz"]), {
    timeout: 5000,
  });
  return answer.ok ? cluster : undefined;
}

/** Keeps this process, and what it starts, from using a proxy for the node, which no proxy can reach. */
function reachDirectly(name: string): void {
  const { node } = addresses(name);
  const without = (process.env["NO_PROXY"] ?? "").split(",").filter((entry) => entry !== "");
  if (!without.includes(node)) process.env["NO_PROXY"] = [...without, node].join(",");
}

/** What a cluster has on the machine, whether it runs or was left behind; empty after a stop. */
export async function leftovers(name = defaultName): Promise<string[]> {
  const paths = clusterPaths(name);
  const found = clusterProcesses(paths).map((process) => `process ${process}`);
  for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const mountPoint = line.split(" ")[1] ?? "";
    const folders = [paths.state, paths.runtime, paths.networkNamespace];
    if (folders.some((folder) => mountPoint === folder || mountPoint.startsWith(`${folder}/`))) {
      found.push(`mount ${mountPoint}`);
    }
  }
  if (existsSync(join("/sys/class/net", paths.interface))) found.push(`interface ${paths.interface}`);
  if (existsSync(paths.networkNamespace)) found.push(`network namespace ${paths.fullName}`);
  if (existsSync(paths.runtime)) found.push(`folder ${paths.runtime}`);
  const rules = (await attempt("iptables-save", [])).output.split("\n");
  const { range } = addresses(name);
  for (const rule of rules) {
    if (rule.includes(paths.interface) || rule.includes(range)) found.push(`firewall rule ${rule}`);
  }
  for (const cgroup of clusterCgroups(paths)) if (existsSync(cgroup)) found.push(`control group ${cgroup}`);
  return found;
}

/** Makes the node report `count` GPUs; pods that request one are then scheduled, and find none. */
export async function advertiseGpu(cluster: LocalCluster, count: number): Promise<void> {
  const gpus = { "nvidia.com/gpu": String(count) };
  const patch = JSON.stringify({ status: { capacity: gpus, allocatable: gpus } });
  const command = ["patch", "node", cluster.nodeName, "--subresource=status", "--patch", patch];
  await run(cluster.kubectl, kubectlArguments(cluster, command));
}

/**
 * Pulls a real image into the node through the host: the node has no route out.
 *
 * @returns false, within seconds, if the image's registry cannot be reached
 */
export async function pull(cluster: LocalCluster, image: string): Promise<boolean> {
  const paths = clusterPaths(cluster.name);
  const reference = fullyQualified(image);
  const registry = reference.slice(0, reference.indexOf("/"));
  const address = registry === "docker.io" ? "registry-1.docker.io" : registry;
  // Any answer will do, even a refusal. A separate process, because proxies are an option of Node's.
  const probe = `fetch("https://${address}/v2/", {signal: AbortSignal.timeout(5000)}).catch(() => process.exit(1))`;
  const env = { NODE_USE_ENV_PROXY: "1" };
  if (!(await attempt(process.execPath, ["-e", probe], { env, timeout: 10_000 })).ok) return false;
  const binaries = await buildBinaries(silent);
  return (await ctr(paths, binaries, ["images", "pull", "--local", reference], 15 * 60_000)).ok;
}

async function boot(paths: ClusterPaths, binaries: string, images: Image[], log: Log): Promise<void> {
  const begun = Date.now();
  // What a power failure, a kill or a failed start left behind.
  await remove(paths);
  const { range, host, node } = addresses(paths.name);
  await requireFreeRange(paths, range);
  requireSpace(paths.state, 1500, `cluster "${paths.name}"`);
  log(`starting cluster "${paths.name}" (node ${node}, state in ${paths.state})…`);
  mkdirSync(paths.state, { recursive: true, mode: 0o711 });
  writeRecord(paths, kubectlPath(binaries));
  try {
    await writeNodeConfig(paths, { range, host, node }, binaries);
    await connect(paths, { range, host, node });
    const more = paths.networkPolicies ? [await buildKubeRouter(log)] : [];
    await launch(paths, node, [binaries, ...more]);
    await importImages(paths, binaries, images, log);
    await untilReady(describe(paths, kubectlPath(binaries)), paths, begun);
    rmSync(startingFile(paths));
  } catch (error) {
    await remove(paths).catch(() => undefined);
    throw error;
  }
  log(`cluster "${paths.name}" is ready after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
}

/** Has the API server start again with the flags that are now wanted. */
async function restartApiServer(paths: ClusterPaths, cluster: LocalCluster): Promise<void> {
  writeRecord(paths, cluster.kubectl);
  writeApiServerFlags(paths);
  const runs = (process: number): boolean =>
    attemptRead(`/proc/${process}/cmdline`).startsWith("kube-apiserver\0");
  const before = clusterProcesses(paths).filter(runs);
  for (const process of before) signal(process, "SIGTERM");
  await waitUntil(() => !clusterProcesses(paths).some((process) => before.includes(process)), 60_000, 100);
  // The node itself was ready all the time.
  await untilReady(cluster, paths, 0);
}

function attemptRead(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // The process has ended.
    return "";
  }
}

/** Starts process 1 of the node, detached from us. */
async function launch(paths: ClusterPaths, node: string, binaries: readonly string[]): Promise<void> {
  const logs = join(paths.state, "logs");
  mkdirSync(logs, { recursive: true });
  mkdirSync(paths.runtime, { recursive: true });
  writeFileSync(join(paths.runtime, "state"), paths.state);
  writeFileSync(startingFile(paths), "");
  const output = openSync(join(logs, "node.log"), "w");
  const namespaces = [
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--uts",
    "--ipc",
    "--propagation",
    "slave",
  ];
  const init = [
    join(import.meta.dirname, "node-init.sh"),
    paths.state,
    paths.runtime,
    paths.nodeName,
    node,
    serviceRange,
  ];
  // The shell joins the control groups before it becomes the ancestor of everything in the node.
  const script = `for file in ${makeCgroups(paths).join(" ")}; do echo 0 >"$file" || exit; done; exec "$@"`;
  const command = ["nsenter", `--net=${paths.networkNamespace}`, "unshare", ...namespaces, "bash", ...init];
  const child = spawn("sh", ["-c", script, "sh", ...command], {
    cwd: "/",
    detached: true,
    stdio: ["ignore", output, output],
    env: {
      HOME: homedir(),
      LANG: "C.UTF-8",
      PATH: `${binaries.join(":")}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    },
  });
  closeSync(output);
  await new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  child.unref();
}

async function importImages(paths: ClusterPaths, binaries: string, images: Image[], log: Log): Promise<void> {
  const answers = await waitUntil(
    async () => (await ctr(paths, binaries, ["images", "list", "-q"])).ok,
    30_000,
  );
  if (!answers) throw new Error(`containerd does not answer:\n${lastLines(paths, "containerd")}`);
  for (const { reference, archive } of images) {
    // The archive's name has the image's version in it: remembered, so that a changed image is imported.
    const imported = join(paths.state, "imported", archive.replaceAll("/", "_"));
    const present =
      (await ctr(paths, binaries, ["images", "list", "-q", `name==${reference}`])).output.trim() !== "";
    if (present && existsSync(imported)) continue;
    log(`importing the image ${reference}…`);
    // Unpacking on the client's side would need the node's mounts.
    const result = await ctr(paths, binaries, ["images", "import", "--local=false", archive], 10 * 60_000);
    if (!result.ok) throw new Error(`importing ${archive} failed: ${result.errors.trim()}`);
    mkdirSync(join(paths.state, "imported"), { recursive: true });
    writeFileSync(imported, "");
  }
}

/** Waits until the node has reported ready since `begun`, names resolve and pods get their account. */
async function untilReady(cluster: LocalCluster, paths: ClusterPaths, begun: number): Promise<void> {
  const get = async (...what: string[]): Promise<string> =>
    (await attempt(cluster.kubectl, kubectlArguments(cluster, ["get", ...what]), { timeout: 5000 })).output;
  const path = `jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].lastHeartbeatTime}`;
  const ready = await waitUntil(async () => {
    const [condition, heartbeat] = (await get("node", paths.nodeName, "-o", path)).split(" ");
    // At first the API still reports the state in which the node went down. Heartbeats are whole seconds; a node needs
    // more than one.
    if (condition !== "True" || Date.parse(heartbeat ?? "") < begun) return false;
    if ((await get("--raw", "/readyz")) !== "ok") return false;
    if ((await get("serviceaccount", "default", "-o", "name")) === "") return false;
    return paths.networkPolicies ? dnsPodIsReady(cluster, paths) : namesResolve(paths);
  }, 120_000);
  if (!ready) {
    const tails = ["api-server", "kubelet"].map((one) => `${one}: ${lastLines(paths, one)}`);
    throw new Error(
      `the node was not ready after two minutes; its logs are in ${paths.state}/logs\n${tails.join("\n")}`,
    );
  }
}

async function namesResolve(paths: ClusterPaths): Promise<boolean> {
  const url = `http://${addresses(paths.name).node}:8181/ready`;
  return fetch(url, { signal: AbortSignal.timeout(1000) }).then(
    (answer) => answer.ok,
    () => false,
  );
}

/** Creates the DNS server's pod, which is there from an earlier start otherwise, and says whether it answers. */
async function dnsPodIsReady(cluster: LocalCluster, paths: ClusterPaths): Promise<boolean> {
  const files = { binaries: dirname(cluster.kubectl), config: dnsFolder(paths) };
  return (await applyObjects(cluster, dnsObjects(files))).ok && (await podIsReady(cluster, "coredns"));
}

/** Starts metrics-server, which runs since an earlier start otherwise, and waits until it has figures. */
async function startMetricsServer(
  cluster: LocalCluster,
  paths: ClusterPaths,
  binaries: string,
  log: Log,
): Promise<void> {
  const begun = Date.now();
  const top = kubectlArguments(cluster, ["top", "node", paths.nodeName]);
  let applied = false;
  let obstacle = "its pod is not ready";
  const answers = await waitUntil(async () => {
    if (!applied) {
      const { ok, errors } = await applyObjects(cluster, metricsServerObjects(binaries));
      if (!ok) obstacle = errors.trim();
      applied = ok;
    }
    if (!applied || !(await podIsReady(cluster, METRICS_SERVER))) return false;
    const { ok, errors } = await attempt(cluster.kubectl, top, { timeout: 5000 });
    if (!ok) obstacle = errors.trim();
    return ok;
  }, 120_000);
  if (!answers) {
    throw new Error(
      `cluster "${paths.name}" runs, but kubectl top had no figures after two minutes: ${obstacle}
Look at: kubectl ` + `--kubeconfig ${cluster.kubeconfig} logs -n kube-system deployment/${METRICS_SERVER}`,
    );
  }
  log(`kubectl top has figures after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
}

/** Whether the pod of a Deployment in kube-system is the one that was asked for last, and ready. */
async function podIsReady(cluster: LocalCluster, name: string): Promise<boolean> {
  const deployment = ["get", "deployment", name, "-n", "kube-system", "-o", "json"];
  const { ok, output } = await attempt(cluster.kubectl, kubectlArguments(cluster, deployment), {
    timeout: 5000,
  });
  if (!ok) return false;
  const { metadata, status } = JSON.parse(output) as {
    metadata: { generation: number };
    status: { observedGeneration?: number; readyReplicas?: number; updatedReplicas?: number };
  };
  return (
    status.observedGeneration === metadata.generation &&
    status.updatedReplicas === 1 &&
    status.readyReplicas === 1
  );
}

function applyObjects(cluster: LocalCluster, items: readonly object[]): ReturnType<typeof attempt> {
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  return attempt(cluster.kubectl, kubectlArguments(cluster, ["apply", "-f", "-"]), { timeout: 5000, input });
}

/** Removes a part of the cluster that it is to have no more. */
async function removeObjects(cluster: LocalCluster, items: readonly object[]): Promise<void> {
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  const command = ["delete", "--ignore-not-found", "--wait=false", "-f", "-"];
  await run(cluster.kubectl, kubectlArguments(cluster, command), { input });
}

/** Ends everything that runs and removes everything that the kernel or /run has of the cluster. */
async function remove(paths: ClusterPaths): Promise<void> {
  const gone = (): boolean => clusterProcesses(paths).length === 0;
  const init = clusterProcesses(paths).find(isInit);
  if (init !== undefined) {
    signal(init, "SIGTERM");
    await waitUntil(gone, 15_000, 100);
  }
  await waitUntil(() => {
    for (const process of clusterProcesses(paths)) signal(process, "SIGKILL");
    return gone();
  }, 10_000);
  await disconnect(paths);
  await removeCgroups(paths);
  rmSync(paths.runtime, { recursive: true, force: true });
}

/** Whether the process is the node's first: 1 in a PID namespace that is one level below ours. */
function isInit(process: number): boolean {
  try {
    const [, ids = ""] = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${process}/status`, "utf8")) ?? [];
    return ids.split("\t").length === 2 && ids.endsWith("\t1");
  } catch {
    return false;
  }
}

function signal(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name);
  } catch {
    // It has already ended.
  }
}

/** Refuses a state folder that is not a cluster's, and a name under which a cluster runs with other state. */
function requireOwnState(paths: ClusterPaths): void {
  const foreign =
    existsSync(paths.state) && readdirSync(paths.state).length > 0 && readRecord(paths) === undefined;
  if (foreign) {
    throw new Error(
      `${paths.state} exists and is not the state of a local cluster: move it away, or use --name`,
    );
  }
  const running = join(paths.runtime, "state");
  if (existsSync(running) && clusterProcesses(paths).length > 0) {
    const other = readFileSync(running, "utf8");
    if (other !== paths.state) {
      throw new Error(
        `a cluster "${paths.name}" already runs with its state in ${other}: use --name for another one`,
      );
    }
  }
}

function kubectlPath(binaries: string): string {
  return join(binaries, "kubectl");
}

function describe(paths: ClusterPaths, kubectl: string): LocalCluster {
  return {
    name: paths.name,
    kubeconfig: paths.kubeconfig,
    context: paths.fullName,
    nodeName: paths.nodeName,
    postgresImage,
    pgbackrestImage,
    kubectl,
  };
}

interface ClusterRecord {
  kubectl: string;
  nodeName?: string;
  domain?: string;
  apiServerFlags?: readonly string[];
  networkPolicies?: boolean;
  metrics?: boolean;
}

function writeRecord(
  { state, nodeName, domain, apiServerFlags, networkPolicies, metrics }: ClusterPaths,
  kubectl: string,
): void {
  const record: ClusterRecord = { kubectl, nodeName, domain, apiServerFlags, networkPolicies, metrics };
  writeFileSync(join(state, recordFile), JSON.stringify(record));
}

/** The cluster's paths, with what the last start chose. */
function pathsOf(name: string): ClusterPaths {
  const paths = clusterPaths(name);
  const { nodeName, domain, apiServerFlags, networkPolicies, metrics } = { ...paths, ...readRecord(paths) };
  return { ...paths, nodeName, domain, apiServerFlags, networkPolicies, metrics };
}

function readRecord(paths: ClusterPaths): ClusterRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(paths.state, recordFile), "utf8")) as ClusterRecord;
  } catch {
    return undefined;
  }
}

function ctr(
  paths: ClusterPaths,
  binaries: string,
  command: string[],
  timeout = 10_000,
): ReturnType<typeof attempt> {
  const target = ["--address", paths.containerdSocket, "--namespace", "k8s.io"];
  return attempt(join(binaries, "ctr"), [...target, ...command], { timeout });
}

function kubectlArguments({ kubeconfig }: LocalCluster, command: string[]): string[] {
  return ["--kubeconfig", kubeconfig, ...command];
}

/** Docker's short names in full, as containerd requires them. */
function fullyQualified(image: string): string {
  const [first = "", ...rest] = image.split("/");
  if (rest.length === 0) return `docker.io/library/${image}`;
  return /[.:]|^localhost$/.test(first) ? image : `docker.io/${image}`;
}

/** The end of a component's log, even if the node is down. */
export function lastLines(paths: ClusterPaths, component: string, count = 3): string {
  const file = join(paths.state, "logs", `${component}.log`);
  return existsSync(file)
    ? readFileSync(file, "utf8").trim().split("\n").slice(-count).join("\n")
    : "never started";
}

/** Exists during a start: a node whose start was interrupted may lack its images. */
function startingFile(paths: ClusterPaths): string {
  return join(paths.runtime, "starting");
}

/** Next to the state folder, because a purge removes that. */
function lockFile(paths: ClusterPaths): string {
  return `${paths.state}.lock`;
}
