/** Pods that try connections, in a cluster that enforces network policies. Nothing is tried from this machine. */
import assert from "node:assert/strict";
import { APPLICATION } from "../../../components/kubernetes/labels.ts";
import { ACCESS_LABEL } from "../../../components/kubernetes/names.ts";
import { restrictedContainer, restrictedPod } from "../../../components/kubernetes/pods.ts";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { clusterProcesses } from "../../../tools/local-cluster/cgroups.ts";
import { describeProcess } from "../faults/node-processes.ts";
import { CLUSTER, enforceNetworkPolicies, execute, kubectl, succeed, theCluster, until } from "../support.ts";

/** A namespace of somebody else's. */
export const FOREIGN = "media";

/** For a suite: the cluster enforces policies, and no longer after it. */
export function enforced(): void {
  before(async function () {
    // The first time builds kube-router.
    this.timeout(20 * 60_000);
    await enforceNetworkPolicies(true);
  });
  after(async function () {
    this.timeout(240_000);
    await kubectl("delete", "namespace", FOREIGN, "--ignore-not-found", "--wait=false");
    await enforceNetworkPolicies(false);
  });
}

/** Creates or changes objects. */
export async function apply(...items: unknown[]): Promise<void> {
  await succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, "apply", "-f", "-"], {
    input: JSON.stringify({ apiVersion: "v1", kind: "List", items }),
  });
}

/** A way to connect: by TCP, or until a login has answered. */
export type Target = readonly [host: string, port: number];

/** A pod that only tries. */
export class Attacker {
  readonly namespace: string;
  readonly name: string;
  private readonly labels: Readonly<Record<string, string>>;
  constructor(
    name: string,
    { namespace = APPLICATION, labels = {} }: { namespace?: string; labels?: Record<string, string> } = {},
  ) {
    this.namespace = namespace;
    this.name = name;
    this.labels = labels;
  }

  /** Starts it anew, and waits until it runs. */
  async start(): Promise<this> {
    await this.remove();
    await apply({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: this.name, namespace: this.namespace, labels: { app: this.name, ...this.labels } },
      spec: {
        ...restrictedPod(),
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: "attacker",
            image: theCluster().postgresImage,
            command: ["sleep", "infinity"],
            ...restrictedContainer,
            resources: { limits: { cpu: "200m", memory: "64Mi" } },
          },
        ],
      },
    });
    await kubectl("wait", "pod", this.name, "-n", this.namespace, "--for=condition=Ready", "--timeout=120s");
    return this;
  }

  async remove(): Promise<void> {
    await kubectl("delete", "pod", this.name, "-n", this.namespace, "--ignore-not-found", "--now");
  }

  /** Runs a line of bash in it. */
  run(line: string, input = "") {
    const exec = ["exec", "-i", "-n", this.namespace, this.name, "--", "bash", "-c", line];
    return execute("kubectl", ["--kubeconfig", theCluster().kubeconfig, ...exec], { input });
  }

  /** Whether a TCP connection opens. */
  async reaches([host, port]: Target): Promise<boolean> {
    const ran = await this.run(
      `timeout 3 bash -c 'exec 3<>/dev/tcp/${host}/${port}' 2>/dev/null && echo open || echo closed`,
    );
    const word = ran.stdout.trim();
    assert.ok(word === "open" || word === "closed", `${this.name} could not try: ${ran.output}`);
    return word === "open";
  }

  /** Its address. */
  address(): Promise<string> {
    return addressOf(this.namespace, this.name);
  }

  /** Listens on a port, for as long as it runs. */
  async listen(port: number): Promise<void> {
    await listenIn(this.namespace, this.name, port);
  }
}

/** A pod's address. */
export async function addressOf(namespace: string, pod: string): Promise<string> {
  const address = await kubectl("get", "pod", pod, "-n", namespace, "-o", "jsonpath={.status.podIP}");
  assert.match(address, /^10\.42\.0\.\d+$/);
  return address;
}

/** Has a pod listen on a port, for half an hour, and makes sure that it does. */
export async function listenIn(namespace: string, pod: string, port: number): Promise<void> {
  const perl = `use IO::Socket::INET; alarm 1800;
    my $s = IO::Socket::INET->new(LocalPort => ${port}, Listen => 5, ReuseAddr => 1) or exit 1;
    while (my $c = $s->accept) { close $c }`;
  const exec = ["exec", "-n", namespace, pod, "--", "bash", "-c"];
  await kubectl(...exec, `nohup perl -e '${perl}' >/dev/null 2>&1 &`);
  await until(
    `${pod} listens on ${port}`,
    async () =>
      (await kubectl(...exec, `exec 3<>/dev/tcp/127.0.0.1/${port} && echo yes || true`)).includes("yes"),
    20_000,
  );
}

/** A pod with access to the database. */
export const client = () => new Attacker("client", { labels: { ...ACCESS_LABEL } });

/** Waits until a connection opens: the positive control. */
export function opens(what: string, attacker: Attacker, target: Target): Promise<void> {
  return until(`${what} (the control)`, () => attacker.reaches(target), 60_000, 500);
}

/** Waits until a connection is closed, and makes sure that it stays so. Each try that is closed takes seconds. */
export async function stays(what: string, attacker: Attacker, target: Target): Promise<void> {
  await until(what, async () => !(await attacker.reaches(target)), 60_000, 500);
  const again = await Promise.all([attacker.reaches(target), attacker.reaches(target)]);
  assert.deepEqual(again, [false, false], `${what}: it opened again`);
}

/** Process ids of kube-router. */
function controllers(): number[] {
  return clusterProcesses(clusterPaths(CLUSTER)).filter((pid) =>
    describeProcess(pid)?.title.startsWith("kube-router "),
  );
}

/** Stops what enforces policies, as if it had hung or ended: its rules stay. */
export function stopController(): void {
  const found = controllers();
  assert.equal(found.length, 1, "kube-router does not run");
  for (const pid of found) process.kill(pid, "SIGSTOP");
}

/** Has it go on. */
export function continueController(): void {
  for (const pid of controllers()) process.kill(pid, "SIGCONT");
}
