/** `kubectl top` on the local cluster, as on K3s. Its metrics server is only built by the long run. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import {
  METRICS_SERVER,
  metricsServerManifests,
  metricsServerObjects,
} from "../../../tools/local-cluster/metrics-server.ts";
import { CLUSTER, execute, kubectl, npm, type Ran, theCluster, until } from "../support.ts";
import { apply, withKubeconfig } from "../secrets/objects.ts";

const NAMESPACE = "kubectl-top";
const POD = "busy";
const VIEWER = "viewer";

/** A pod that holds 64 MiB, and would take a whole core. */
const busy = () => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: POD, namespace: NAMESPACE },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: "work",
        image: theCluster().postgresImage,
        imagePullPolicy: "Never",
        // tail keeps a line until it ends.
        command: ["bash", "-c", "{ head -c 64M /dev/zero; sleep infinity; } | tail & while :; do :; done"],
        resources: { limits: { cpu: "200m", memory: "256Mi" } },
      },
    ],
  },
});

/** Figures as `kubectl top` prints them, without the shares of a node. */
interface Figures {
  name: string;
  millicores: number;
  mebibytes: number;
}

const top = (...args: string[]): Promise<Ran> =>
  execute("kubectl", [...withKubeconfig(), "top", ...args, "--no-headers"]);

function figuresIn({ stdout }: Ran): Figures[] {
  return [...stdout.matchAll(/^(\S+) +(\d+)m +(?:\S+% +)?(\d+)Mi\b/gm)].map(
    ([, name = "", cores, memory]) => ({ name, millicores: Number(cores), mebibytes: Number(memory) }),
  );
}

/** Waits until the pod has worked for as long as a figure covers, which the start of the pod is not part of. */
async function untilBusy(...as: string[]): Promise<Figures> {
  let seen: Figures | undefined;
  let ran: Ran | undefined;
  await until(
    "the busy pod has figures",
    async () => {
      ran = await top("pod", POD, "-n", NAMESPACE, ...as);
      [seen] = figuresIn(ran);
      return seen !== undefined && seen.millicores >= 50 && seen.mebibytes >= 64;
    },
    120_000,
    1000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${ran?.output}`);
  });
  assert.ok(seen);
  return seen;
}

const cluster = async (command: "up" | "down", ...args: string[]): Promise<Ran> => {
  const ran = await npm(`cluster:${command}`, "--name", CLUSTER, ...args);
  assert.equal(ran.status, 0, ran.output);
  return ran;
};

describe("a local cluster with a metrics server", function () {
  this.timeout(600_000);

  before(async function () {
    this.timeout(20 * 60_000);
    await cluster("up", "--metrics");
    await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
    await apply(busy(), {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: VIEWER, namespace: NAMESPACE },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: VIEWER }],
    });
  });
  after(async function () {
    await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found");
    await cluster("up", "--gpu", "1", "--no-metrics");
  });

  it("has figures of its node as soon as it has started", async () => {
    const ran = await top("node");
    assert.equal(ran.status, 0, ran.output);
    const [node, ...others] = figuresIn(ran);
    assert.ok(node, ran.output);
    assert.deepEqual([node.name, others], [theCluster().nodeName, []]);
    // The API server alone takes more.
    assert.ok(node.millicores > 0 && node.mebibytes > 200, ran.output);
  });

  it("has figures of a pod that works: what it takes, within its limits", async () => {
    const { millicores, mebibytes } = await untilBusy();
    assert.ok(millicores <= 250, `${millicores} m`);
    assert.ok(mebibytes < 128, `${mebibytes} MiB`);
  });

  it("has them for people by their rights: who may view a namespace sees its pods, and no node", async () => {
    await untilBusy("--as", VIEWER);
    const node = await top("node", "--as", VIEWER);
    assert.notEqual(node.status, 0, node.output);
    assert.match(node.stderr, /User "viewer" cannot list resource "nodes" in API group "metrics\.k8s\.io"/);
    const system = await top("pod", "-n", "kube-system", "--as", VIEWER);
    assert.match(system.stderr, /User "viewer" cannot list resource "pods" in API group "metrics\.k8s\.io"/);
  });

  it("gives its metrics server the rights of the server's own manifests, and no others", async () => {
    const folder = await metricsServerManifests();
    const theirs = parseAllDocuments(readFileSync(join(folder, "rbac.yaml"), "utf8"));
    const granted = (objects: readonly RoleOrBinding[]) =>
      Object.fromEntries(
        objects
          .filter(({ kind }) => /Role/.test(kind))
          .map(({ kind, metadata: { name, namespace }, rules, roleRef, subjects }) => [
            `${kind} ${name}`,
            { namespace, rules, roleRef, subjects },
          ]),
      );
    const rights = granted(theirs.map((one) => one.toJS() as RoleOrBinding));
    assert.equal(Object.keys(rights).length, 5);
    assert.deepEqual(granted(metricsServerObjects("") as RoleOrBinding[]), rights);
  });

  it("has them again after a restart, without being asked to", async () => {
    await cluster("down");
    const { stderr } = await cluster("up");
    assert.match(stderr, /kubectl top has figures after/);
    assert.equal(figuresIn(await top("node")).length, 1);
    await untilBusy();
  });

  it("has none any more after --no-metrics, nor after a restart, and nothing waits for them", async () => {
    await cluster("up", "--no-metrics");
    const isGone = async () => {
      const { status, stderr } = await top("node");
      assert.notEqual(status, 0);
      assert.match(stderr, /Metrics API not available/);
      const apiService = ["get", "apiservice", "v1beta1.metrics.k8s.io", "--ignore-not-found", "-o", "name"];
      assert.equal(await kubectl(...apiService), "");
    };
    await isGone();
    await until("its pod is gone", async () => {
      const kinds = "all,serviceaccount,clusterrole,clusterrolebinding,rolebinding";
      const left = ["get", kinds, "-A", "-l", `k8s-app=${METRICS_SERVER}`, "-o", "name"];
      return (await kubectl(...left)) === "";
    });
    await cluster("down");
    const { stderr } = await cluster("up");
    assert.doesNotMatch(stderr, /kubectl top/);
    await isGone();
    // The end of a namespace waits for every API that is registered.
    await kubectl("delete", "namespace", NAMESPACE, "--timeout=60s");
  });
});

interface RoleOrBinding {
  kind: string;
  metadata: { name: string; namespace?: string };
  rules?: object[];
  roleRef?: object;
  subjects?: object[];
}
