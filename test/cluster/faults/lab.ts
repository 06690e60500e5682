/** The place of the experiments: a deployed stack on a local cluster, and hands that reach every process and file of it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parse } from "yaml";
import type { DevState } from "../../../tools/dev/state.ts";
import type { Engine } from "../../../tools/engine/engine.ts";
import { clusterProcesses } from "../../../tools/local-cluster/cgroups.ts";
import { lastLines, type LocalCluster, start } from "../../../tools/local-cluster/cluster.ts";
import { type ClusterPaths, clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { AS_SUPERUSER, execute, type Ran, succeed, until } from "../support.ts";
import { Connection, type Login } from "./connection.ts";
import { Ledger } from "./ledger.ts";
import { describeProcess, type NodeProcess, podProcesses } from "./node-processes.ts";

export const NAMESPACE = "transcript-pipeline";
export const POD = "postgres-0";
/**
 * The Service through which the ledger's writer connects from outside; like the product's, it follows the pod's
 * readiness.
 */
const DOOR = "faults-door";
const DOOR_PORT = 31432;

/** Seconds, the default of `database.terminationGracePeriod`: the longest time that a pod may take to end. */
const GRACE_PERIOD = 300;

/**
 * Milliseconds that the Service may need to lead to a new server. After a fault of the API server kube-proxy and the
 * controllers ask it again at growing intervals, 30 s at most and up to twice that by chance (client-go's reflector).
 */
const DOOR_PATIENCE = 75_000;

/** Of each text that is kept of a failure. */
const EVIDENCE_LINES = 40;
const EVIDENCE_WIDTH = 400;

/** What is read of a pod. */
export interface PodObject {
  metadata: { uid: string; deletionTimestamp?: string };
  status?: {
    phase?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: {
      name: string;
      containerID?: string;
      restartCount: number;
      state?: { running?: { startedAt: string }; terminated?: { message?: string } };
      lastState?: { terminated?: { message?: string; reason?: string; finishedAt?: string } };
    }[];
  };
}

/** The parts of the lab. */
export interface LabParts {
  cluster: LocalCluster;
  state: DevState;
  /** Undefined without a Pulumi CLI. */
  engine: Engine | undefined;
  /** `npm run up` on this cluster; must succeed. */
  up: () => Promise<Ran>;
}

export class Lab {
  readonly cluster: LocalCluster;
  readonly state: DevState;
  readonly engine: Engine | undefined;
  readonly up: () => Promise<Ran>;
  readonly paths: ClusterPaths;
  readonly ledger: Ledger;
  /** Files of the experiments, removed at the end. */
  readonly folder: string;
  /** The largest number of servers that ever ran on the data directory at once. */
  servers = 0;
  private census: NodeJS.Timeout | undefined;

  constructor({ cluster, state, engine, up }: LabParts) {
    this.cluster = cluster;
    this.state = state;
    this.engine = engine;
    this.up = up;
    this.paths = clusterPaths(cluster.name);
    this.folder = join(state.directory, "faults");
    mkdirSync(this.folder, { recursive: true });
    this.ledger = new Ledger(join(this.folder, "ledger"), {
      once: (milliseconds) => this.connect(milliseconds),
      soon: () => this.connectSoon(),
    });
  }

  /** Creates the Service and begins the ledger. */
  async open(): Promise<void> {
    await this.openDoor();
    await this.untilReady(60_000);
    (await this.connectSoon()).close();
    await this.ledger.prepare();
    this.census = setInterval(() => (this.servers = Math.max(this.servers, this.postmasters().length)), 250);
  }

  /** Removes what the experiments put into the cluster. */
  async close(): Promise<void> {
    clearInterval(this.census);
    await this.ledger.stop();
    await this.kubectl("delete", "service", DOOR, "-n", NAMESPACE, "--ignore-not-found");
    await this.inPod(
      "psql",
      "-X",
      "-q",
      "-U",
      "postgres",
      "-d",
      "transcripts_db",
      "-c",
      "drop extension if exists amcheck; drop table if exists faults_ledger, faults_load",
    );
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The Service for the writer; created again after the namespace was destroyed. */
  async openDoor(): Promise<void> {
    const selector = { app: "postgres" };
    const ports = [{ port: 5432, targetPort: 5432, nodePort: DOOR_PORT }];
    await this.apply({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: DOOR, namespace: NAMESPACE },
      spec: { type: "NodePort", selector, ports },
    });
  }

  private login: Login | undefined;

  /** A session of the owner's, from outside the cluster. */
  async connect(milliseconds: number): Promise<Connection> {
    this.login ??= await this.readLogin();
    try {
      return await Connection.open(this.login, milliseconds);
    } catch (error) {
      // The password, or the authority, was generated again: looked up at the next attempt.
      if (error instanceof Error && /password authentication|certificate/.test(error.message))
        this.login = undefined;
      throw error;
    }
  }

  /** The same, waiting while the Service has no server to offer. */
  async connectSoon(): Promise<Connection> {
    const deadline = Date.now() + DOOR_PATIENCE;
    for (;;) {
      try {
        return await this.connect(2000);
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await pause(100);
      }
    }
  }

  /** The owner's login as its Secret has it now. */
  async loginNow(): Promise<Login> {
    return (this.login = await this.readLogin());
  }

  private async readLogin(): Promise<Login> {
    const { data } = JSON.parse(
      await this.kubectl("get", "secret", "postgres-secret", "-n", NAMESPACE, "-o", "json"),
    ) as { data: Record<string, string> };
    const value = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
    const trusted = JSON.parse(
      await this.kubectl("get", "configmap", "postgres-ca", "-n", NAMESPACE, "-o", "json"),
    ) as { data: Record<string, string> };
    return {
      ca: trusted.data["ca.crt"] ?? "",
      host: nodeAddress(this.cluster),
      port: DOOR_PORT,
      user: value("POSTGRES_USER"),
      password: value("POSTGRES_PASSWORD"),
      database: value("POSTGRES_DB"),
    };
  }

  /** kubectl; must succeed. */
  async kubectl(...args: string[]): Promise<string> {
    return (
      await succeed(this.cluster.kubectl, ["--kubeconfig", this.cluster.kubeconfig, ...args], {
        timeout: 120_000,
      })
    ).stdout;
  }

  /** kubectl, whatever the result. */
  tryKubectl(...args: string[]): Promise<Ran> {
    return execute(this.cluster.kubectl, ["--kubeconfig", this.cluster.kubeconfig, ...args], {
      timeout: 120_000,
    });
  }

  /** kubectl that keeps running. */
  spawnKubectl(...args: string[]): ChildProcess {
    return spawn(this.cluster.kubectl, ["--kubeconfig", this.cluster.kubeconfig, ...args], {
      stdio: ["ignore", "pipe", "ignore"],
    });
  }

  async apply(...objects: object[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
    await succeed(this.cluster.kubectl, ["--kubeconfig", this.cluster.kubeconfig, "apply", "-f", "-"], {
      input,
    });
  }

  async read<T>(...what: string[]): Promise<T | undefined> {
    const ran = await this.tryKubectl("get", ...what, "-n", NAMESPACE, "-o", "json", "--ignore-not-found");
    return ran.status === 0 && ran.stdout !== "" ? (JSON.parse(ran.stdout) as T) : undefined;
  }

  pod(): Promise<PodObject | undefined> {
    return this.read<PodObject>("pod", POD);
  }

  /** The log of the server's container, of this run and the one before. */
  async serverLog(): Promise<string> {
    const logs = ["logs", POD, "-n", NAMESPACE, "-c", "postgres"];
    const [now, before] = await Promise.all([
      this.tryKubectl(...logs),
      this.tryKubectl(...logs, "--previous"),
    ]);
    return before.output + now.output;
  }

  /** Runs a command in the server's container; must succeed. */
  inPod(...command: string[]): Promise<string> {
    return this.kubectl("exec", "-n", NAMESPACE, POD, "-c", "postgres", "--", ...command);
  }

  /** A superuser's statement over the socket. */
  async ask(statement: string, database = "transcripts_db"): Promise<string> {
    return (await this.inPod(...AS_SUPERUSER, "-d", database, "-c", statement)).trim();
  }

  async isReady(): Promise<boolean> {
    const pod = await this.pod();
    if (!pod || pod.metadata.deletionTimestamp !== undefined) return false;
    return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  }

  /** Whether the kubelet knows the pod and runs a command in it. */
  async isReachable(): Promise<boolean> {
    const ran = await this.tryKubectl("exec", "-n", NAMESPACE, POD, "-c", "postgres", "--", "true");
    return ran.status === 0;
  }

  untilReady(milliseconds: number): Promise<void> {
    return until(`${POD} is ready`, () => this.isReady(), milliseconds, 300);
  }

  /**
   * A pod that has never failed, so that the kubelet's back-off begins at nothing. Looks for itself instead of letting
   * kubectl wait, so that a pod that does not go can be told from a successor that does not come.
   */
  async freshPod(): Promise<void> {
    // Must succeed: a cluster that does not answer has not taken the pod away.
    const uid = () =>
      this.kubectl(
        ...["get", "pod", POD, "-n", NAMESPACE, "--ignore-not-found"],
        ...["-o", "jsonpath={.metadata.uid}"],
      );
    const former = await uid();
    await this.kubectl("delete", "pod", POD, "-n", NAMESPACE, "--ignore-not-found", "--wait=false");
    await until(`${POD} has ended`, async () => (await uid()) !== former, (GRACE_PERIOD + 30) * 1000, 300);
    await this.untilReady(60_000);
  }

  async scale(replicas: 0 | 1): Promise<void> {
    await this.kubectl("scale", "statefulset", "postgres", "-n", NAMESPACE, `--replicas=${replicas}`);
    if (replicas === 1) await this.untilReady(60_000);
    else await until(`${POD} is gone`, async () => (await this.pod()) === undefined, 60_000);
  }

  /** The data directory's volume, on this machine: where the markers are. */
  get volume(): string {
    return this.state.dataDirectory;
  }

  /** The evidence of a fault that failed, before the next one covers it: texts with their titles. */
  async evidence(): Promise<string> {
    const inNamespace = ["-n", NAMESPACE];
    const asked = {
      "the pod": ["get", "pod", POD, ...inNamespace, "-o", "yaml"],
      "the latest events": ["get", "events", ...inNamespace, "--sort-by=.lastTimestamp"],
      "the reconciler": ["logs", POD, ...inNamespace, "-c", "reconcile"],
    };
    const answers = await Promise.all(
      Object.entries(asked).map(async ([title, args]) => [title, (await this.tryKubectl(...args)).output]),
    );
    const logs = ["kubelet", "containerd", "api-server", "controller-manager", "kube-proxy"].map(
      (component) => [component, lastLines(this.paths, component, EVIDENCE_LINES)],
    );
    const processes = this.processes().map(
      ({ pid, depth, inner, title }) => `${pid} ${depth}/${inner} ${title}`,
    );
    return [
      ...answers,
      ["the server", await this.serverLog()],
      ...logs,
      ["the node's processes", processes.join("\n")],
    ]
      .map(([title = "", text = ""]) => {
        const lines = text.trimEnd().split("\n").slice(-EVIDENCE_LINES);
        return [`--- ${title}`, ...lines.map((line) => line.slice(0, EVIDENCE_WIDTH))].join("\n");
      })
      .join("\n");
  }

  // The node's processes.

  /** Everything that runs in the cluster. */
  processes(): NodeProcess[] {
    return clusterProcesses(this.paths).flatMap((pid) => describeProcess(pid) ?? []);
  }

  /** The first process of every server on the data directory, which names it in its command line. */
  postmasters(): NodeProcess[] {
    return (
      podProcesses(this.paths)
        .flatMap((pid) => describeProcess(pid) ?? [])
        // A child that has just been forked has its parent's title.
        .filter(
          ({ title, inner }) =>
            inner === 1 && title.startsWith("postgres -D /var/lib/postgresql/data/pgdata"),
        )
    );
  }

  /** The processes of one container of a pod. */
  async containerProcesses(container = "postgres", pod = POD, namespace = NAMESPACE): Promise<NodeProcess[]> {
    const id = (
      await this.kubectl(
        ...["get", "pod", pod, "-n", namespace, "-o"],
        `jsonpath={.status.containerStatuses[?(@.name=="${container}")].containerID}`,
      )
    ).replace(/^containerd:\/\//, "");
    assert.notEqual(id, "", `${pod} has no container ${container}`);
    return podProcesses(this.paths, id).flatMap((pid) => describeProcess(pid) ?? []);
  }

  /** The server's first process. */
  async postmaster(): Promise<NodeProcess> {
    const [first] = (await this.containerProcesses()).filter(({ inner }) => inner === 1);
    assert.ok(first, "no server runs");
    return first;
  }

  /** The server's process with this title, like `checkpointer`. */
  async serverProcess(kind: string): Promise<NodeProcess> {
    const found = (await this.containerProcesses()).find(({ title }) =>
      title.startsWith(`postgres: ${kind}`),
    );
    assert.ok(found, `the server has no ${kind}`);
    return found;
  }

  /** A component of the node, by its program's name. */
  component(name: string): NodeProcess {
    const found = this.processes().find(
      ({ title, depth }) => depth === 2 && title.split(" ")[0]?.endsWith(name),
    );
    assert.ok(found, `the node has no ${name}`);
    return found;
  }

  /** The node's first process. */
  nodeInit(): NodeProcess {
    const found = this.processes().find(({ depth, inner }) => depth === 2 && inner === 1);
    assert.ok(found, "the node does not run");
    return found;
  }

  /** Runs a program in the node's mounts. */
  onNode(...command: string[]): Promise<Ran> {
    return succeed("nsenter", [`--target=${this.nodeInit().pid}`, "--mount", "--", ...command]);
  }

  /** containerd's own client, outside of Kubernetes. */
  async ctr(...args: string[]): Promise<Ran> {
    const folder = dirname(readlinkSync(`/proc/${this.component("containerd").pid}/exe`));
    return succeed(join(folder, "ctr"), [
      "--address",
      this.paths.containerdSocket,
      "--namespace",
      "k8s.io",
      ...args,
    ]);
  }

  /** Starts the node again. */
  async startNode(): Promise<void> {
    await start({ name: this.cluster.name, gpu: 1 });
  }
}

/** The node's address, where NodePort services answer: the API server's. */
function nodeAddress({ kubeconfig }: LocalCluster): string {
  const { clusters } = parse(readFileSync(kubeconfig, "utf8")) as {
    clusters: { cluster: { server: string } }[];
  };
  return new URL(clusters[0]?.cluster.server ?? "").hostname;
}
