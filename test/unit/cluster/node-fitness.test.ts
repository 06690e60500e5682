import assert from "node:assert/strict";
import { findNode, type NodeObject, tolerates, unfitness } from "../../../cluster/node-fitness.ts";
import type { ClusterState } from "../../../cluster/cluster-state.ts";
import { preflight } from "../../../cluster/preflight.ts";
import { HOSTNAME_LABEL } from "../../../components/kubernetes/names.ts";

const needs = {
  requests: { memory: "20Gi", cpu: "2" },
  limits: { memory: "40Gi", cpu: "8" },
  tolerations: [],
};

function node(change: Partial<NodeObject> = {}, label = "gen8"): NodeObject {
  return {
    metadata: { name: "gen8", labels: { [HOSTNAME_LABEL]: label } },
    status: {
      allocatable: { memory: "131940396Ki", cpu: "31900m" },
      conditions: [
        { type: "MemoryPressure", status: "False" },
        { type: "Ready", status: "True" },
      ],
    },
    ...change,
  };
}

const offering = (memory: string, cpu: string) => node({ status: { allocatable: { memory, cpu } } });

const unfit: [what: string, node: NodeObject, key: string, says: RegExp, pod: string][] = [
  [
    "is cordoned",
    node({
      spec: {
        unschedulable: true,
        taints: [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }],
      },
    }),
    "node.hostname",
    /^node gen8 is cordoned: .*kubectl uncordon gen8$/,
    "waiting",
  ],
  [
    "is not ready",
    node({
      status: {
        conditions: [{ type: "Ready", status: "Unknown", message: "Kubelet stopped posting node status." }],
      },
    }),
    "node.hostname",
    /^node gen8 is not ready \(Kubelet stopped posting node status\.\)\. See: kubectl describe node gen8$/,
    "doubtful",
  ],
  [
    "is short of disk space",
    node({
      status: { conditions: [{ type: "DiskPressure", status: "True", reason: "KubeletHasDiskPressure" }] },
    }),
    "node.hostname",
    /^node gen8 is short of disk space \(KubeletHasDiskPressure\)/,
    "doubtful",
  ],
  [
    "has less memory than the request",
    offering("16393244Ki", "8"),
    "database.requests.memory",
    /^is 20Gi, and node gen8 has 15\.6 GiB for pods: .*never start.*pulumi config set --path database\.requests\.memory/,
    "never",
  ],
  [
    "has less memory than the limit",
    offering("32Gi", "8"),
    "database.limits.memory",
    /^is 40Gi, and node gen8 has 32 GiB for pods: .*pulumi config set --path database\.limits\.memory/,
    "doubtful",
  ],
  [
    "has fewer CPUs than the request",
    offering("64Gi", "1930m"),
    "database.requests.cpu",
    /^is 2, and node gen8 has 1\.93 CPUs/,
    "never",
  ],
  [
    "has fewer CPUs than the limit",
    offering("64Gi", "4"),
    "database.limits.cpu",
    /^is 8, and node gen8 has 4 CPUs/,
    "doubtful",
  ],
  [
    "has a taint that is not tolerated",
    node({ spec: { taints: [{ key: "gpu", value: "yes", effect: "NoSchedule" }] } }),
    "node.tolerations",
    /taint gpu=yes:NoSchedule of node gen8\. .*'node\.tolerations\[0\]\.key' gpu;.*kubectl taint node gen8 gpu:NoSchedule-$/,
    "waiting",
  ],
  [
    "ends pods that do not tolerate its taint",
    node({ spec: { taints: [{ key: "maintenance", effect: "NoExecute" }] } }),
    "node.tolerations",
    /taint maintenance:NoExecute of node gen8/,
    "waiting",
  ],
];

describe("a node's fitness", () => {
  it("accepts a node that offers what is required", () => {
    assert.deepEqual(unfitness(node(), needs), []);
    assert.deepEqual(unfitness(offering("40Gi", "8"), needs), []);
    const preferred = [{ key: "old", effect: "PreferNoSchedule" }];
    assert.deepEqual(unfitness(node({ spec: { taints: preferred } }), needs), []);
    // What its object does not say is not held against it.
    assert.deepEqual(unfitness({ metadata: { name: "gen8" } }, needs), []);
  });

  for (const [what, broken, key, says, pod] of unfit) {
    it(`says in one line that a node ${what}`, () => {
      const [found, ...more] = unfitness(broken, needs);
      assert.deepEqual(more, []);
      assert.equal(found?.key, key);
      assert.match(found.message, says);
      assert.doesNotMatch(found.message, /\n/);
      assert.equal(found.pod, pod);
    });
  }

  it("numbers the tolerations to add after the existing ones", () => {
    const taints = ["a", "b", "c"].map((key) => ({ key, effect: "NoSchedule" }));
    const tolerations = [{ key: "b", operator: "Exists" }];
    const found = unfitness(node({ spec: { taints } }), { ...needs, tolerations });
    assert.deepEqual(
      found.map(({ message }) => /'(node\.tolerations\[\d\]\.key)' (\w)/.exec(message)?.slice(1)),
      [
        ["node.tolerations[1].key", "a"],
        ["node.tolerations[2].key", "c"],
      ],
    );
  });

  it("matches a toleration as Kubernetes does", () => {
    const taint = { key: "gpu", value: "yes", effect: "NoSchedule" };
    for (const [toleration, fits] of [
      [{ operator: "Exists" }, true],
      [{ operator: "Exists", effect: "NoExecute" }, false],
      [{ key: "gpu", operator: "Exists" }, true],
      [{ key: "gpu", value: "yes" }, true],
      [{ key: "gpu", operator: "Equal", value: "yes", effect: "NoSchedule" }, true],
      [{ key: "gpu", value: "no" }, false],
      [{ key: "gpu" }, false],
      [{ key: "cpu", operator: "Exists" }, false],
      [{}, false],
    ] as const) {
      assert.equal(tolerates(toleration, taint), fits, JSON.stringify(toleration));
    }
    assert.ok(tolerates({ key: "gpu" }, { key: "gpu", effect: "NoSchedule" }));
  });
});

describe("the node that the configuration names", () => {
  const named = (hostname: string, ...nodes: NodeObject[]) => {
    const found = findNode(nodes, hostname);
    return "node" in found ? found.node.metadata.name : found.message;
  };

  it("is found by the label that binds pods and volumes, whatever the node's name", () => {
    assert.equal(named("gen8", node()), "gen8");
    assert.equal(named("rack-7.example", node({}, "rack-7.example")), "gen8");
  });

  it("is not found by a name that no pod could be bound to", () => {
    assert.match(
      named("gen8", node({}, "rack-7")),
      /is "gen8", a node whose label kubernetes\.io\/hostname is "rack-7".*pulumi config set --path node\.hostname rack-7$/,
    );
    assert.match(
      named("gen8", { metadata: { name: "gen8" } }),
      /without the label .*kubectl label node gen8 kubernetes\.io\/hostname=gen8$/,
    );
  });

  it("is unique: if two have the label, the server could start on either", () => {
    const other = node();
    other.metadata = { ...other.metadata, name: "gen9" };
    assert.match(named("gen8", node(), other), /which is the label .* of gen8 and gen9/);
  });
});

describe("the preview's look at the node", () => {
  const expected = {
    hostname: "gen8",
    identity: "transcript-pipeline/prod",
    namespace: "transcript-pipeline",
    path: "/mnt/raid/pgdata",
    image: "pgvector/pgvector:0.8.6-pg16-bookworm",
    needs,
    names: { database: "transcripts_db", owner: "transcript_user" },
  };
  const state = (of: NodeObject, running: boolean): ClusterState => ({
    nodes: [of],
    statefulSet: undefined,
    volume: undefined,
    jobs: [],
    pods: running
      ? [{ metadata: { name: "postgres-0" }, spec: { nodeName: "gen8" }, status: { phase: "Running" } }]
      : [{ metadata: { name: "postgres-0" }, status: { phase: "Pending" } }],
  });
  const counts = (of: NodeObject, running: boolean) => [
    preflight(state(of, running), expected).problems.length,
    preflight(state(of, running), expected).warnings.length,
  ];

  it("stops at a cordoned node only where a pod would have to start on it", () => {
    const cordoned = node({ spec: { unschedulable: true } });
    assert.deepEqual(counts(cordoned, false), [1, 0]);
    assert.deepEqual(counts(cordoned, true), [0, 1]);
  });

  it("stops at a node on which the server could never start, and warns about one that may be ready in a while", () => {
    assert.deepEqual(counts(offering("1Gi", "8"), true), [1, 0]);
    assert.deepEqual(
      counts(node({ status: { conditions: [{ type: "Ready", status: "False" }] } }), false),
      [0, 1],
    );
  });
});
