import assert from "node:assert/strict";
import { checkClusterRanges } from "../../../cluster/checks/cluster-ranges.ts";
import { isClient, type KnownSessions, sayCut } from "../../../cluster/cut-sessions.ts";
import { checkJob, sayEnforcement, wordOf } from "../../../cluster/enforcement.ts";
import { deployedPolicies } from "../../../cluster/network-policies.ts";
import { readSettings } from "../../../config.ts";
import { deployable } from "../../settings.ts";

const clientsOf = (clients: object) =>
  readSettings("prod", { ...deployable(), network: { clients } }).settings.network.clients;

const pod = (namespace: string, labels: Record<string, string> = {}, spec = {}) => ({
  metadata: { name: "p", namespace, labels },
  spec,
});
const session = (more: Partial<KnownSessions> = {}): KnownSessions => ({
  ...{ address: "10.42.0.17", login: "app", application: "api", sessions: 1, pods: [] },
  ...more,
});
const access = { "transcript-pipeline/database-access": "true" };

describe("whether a server has network policies", () => {
  const server = (annotations?: Record<string, string>) => ({
    statefulSet: { metadata: { ...(annotations && { annotations }) } },
  });
  it("is known from its annotation: a version without policies wrote none", () => {
    assert.equal(deployedPolicies({ statefulSet: undefined }), undefined);
    assert.equal(deployedPolicies(server()), "none");
    assert.equal(deployedPolicies(server({ "transcript-pipeline/identity": "x" })), "none");
    assert.equal(deployedPolicies(server({ "transcript-pipeline/network-policies": "none" })), "none");
    assert.equal(
      deployedPolicies(server({ "transcript-pipeline/network-policies": "enforced" })),
      "enforced",
    );
  });
});

describe("a session", () => {
  it("is a client's by the access label, where no clients are declared", () => {
    assert.ok(isClient(session({ pods: [pod("transcript-pipeline", access)] }), {}));
    assert.ok(!isClient(session({ pods: [pod("transcript-pipeline")] }), {}));
    assert.ok(!isClient(session({ pods: [pod("media", access)] }), {}));
    assert.ok(!isClient(session(), {}));
  });

  it("is a declared client's by namespace and all labels, or by address", () => {
    const clients = clientsOf({
      api: { namespace: "media", podLabels: { app: "api", tier: "web" } },
      desk: { ranges: ["192.168.1.0/24", "fd00::/16"] },
    });
    assert.ok(isClient(session({ pods: [pod("media", { app: "api", tier: "web", x: "y" })] }), clients));
    assert.ok(!isClient(session({ pods: [pod("media", { app: "api" })] }), clients));
    assert.ok(!isClient(session({ pods: [pod("other", { app: "api", tier: "web" })] }), clients));
    assert.ok(!isClient(session({ pods: [pod("transcript-pipeline", access)] }), clients));
    assert.ok(isClient(session({ address: "192.168.1.9" }), clients));
    assert.ok(isClient(session({ address: "fd00::9" }), clients));
    assert.ok(!isClient(session({ address: "192.168.2.9" }), clients));
  });

  it("from the network of a node is not known to be a pod's, whatever labels pods there have", () => {
    const shared = session({ pods: [pod("transcript-pipeline", access, { hostNetwork: true })] });
    assert.ok(!isClient(shared, {}));
  });
});

describe("what policies would cut", () => {
  it("is named by login, program, pod and number, with the page that says what to do", () => {
    const said = sayCut(
      [
        session({ pods: [pod("media")], sessions: 3 }),
        session({ address: "192.168.1.9", application: "" }),
        session({ pods: [pod("transcript-pipeline", access)], login: "kept" }),
      ],
      {},
    );
    assert.match(
      said,
      /app \(api\) from pod media\/p, 3 sessions; app from 192\.168\.1\.9, which is not known to be a pod's\./,
    );
    assert.match(said, /docs\/network-policies\.md/);
    assert.doesNotMatch(said, /kept/);
  });

  it("is said to be nothing only of what is connected now", () => {
    for (const none of [[], [session({ pods: [pod("transcript-pipeline", access)] })]])
      assert.match(sayCut(none, {}), /not connected now are not seen/);
    assert.match(sayCut(undefined, {}), /cannot be looked at/);
  });

  it("is counted when it is too much for a message", () => {
    const many = Array.from({ length: 14 }, (_, index) => session({ address: `10.0.0.${index}` }));
    assert.match(sayCut(many, {}), /and 4 more/);
  });
});

describe("the look at enforcement", () => {
  const job = checkJob(
    { namespace: "n", port: 5432, image: "i", placement: { hostname: "h", tolerations: [] }, grace: 0 },
    "10.42.0.5",
  ) as {
    metadata: object;
    spec: { template: { metadata: { labels: object }; spec: Record<string, unknown> } };
  };

  it("uses a pod without access, without a token, that ends and removes itself", () => {
    const { labels } = job.spec.template.metadata;
    for (const label of Object.keys(access)) assert.ok(!(label in labels));
    assert.equal(job.spec.template.spec.automountServiceAccountToken, false);
    assert.match(JSON.stringify(job), /"ttlSecondsAfterFinished":60/);
    assert.match(JSON.stringify(job), /"activeDeadlineSeconds":30/);
  });

  it("takes a pod at its word when it has ended, and not before", () => {
    const ended = (message?: string) => ({
      metadata: { name: "p" },
      status: {
        containerStatuses: [
          { name: "c", state: { terminated: { exitCode: 1, ...(message && { message }) } } },
        ],
      },
    });
    assert.equal(wordOf(ended("closed\n")), "closed");
    assert.equal(wordOf(ended()), "it exited with 1");
    assert.equal(wordOf({ metadata: { name: "p" }, status: { phase: "Running" } }), undefined);
    assert.equal(
      wordOf({ metadata: { name: "p" }, status: { phase: "Failed", reason: "DeadlineExceeded" } }),
      "DeadlineExceeded",
    );
  });

  it("warns when nothing is enforced, and when only new pods are open, in different words", () => {
    const [all, fresh, known, open] = [
      sayEnforcement({ enforced: false, seen: "server reached API" }),
      sayEnforcement({ enforced: false, seen: "new pod reached API" }),
      sayEnforcement({ enforced: true }),
      sayEnforcement({ enforced: undefined, why: "no server" }),
    ];
    assert.deepEqual(
      [all, fresh, known, open].map(({ warning }) => warning),
      [true, true, false, false],
    );
    assert.match(all.text, /accepts network policies and does not enforce them/);
    assert.match(fresh.text, /not enforced for new pods/);
    assert.match(open.text, /is not known: no server/);
  });
});

describe("the ranges of the cluster", () => {
  const found = (podCIDRs: string[], clusterRanges: string[]) =>
    checkClusterRanges(
      {
        nodes: [{ metadata: { name: "gen8" }, spec: { podCIDRs } }],
        ...{ statefulSet: undefined, volume: undefined, pods: [], jobs: [] },
      },
      {
        ...{ hostname: "gen8", identity: "x", namespace: "n", path: "/x", image: "i" },
        ...{ names: { database: "d", owner: "o" }, clusterRanges },
      },
    ).warnings ?? [];

  it("are those of K3s, or each preview warns which are missing", () => {
    const usual = ["10.42.0.0/16", "10.43.0.0/16"];
    assert.deepEqual(found(["10.42.0.0/24"], usual), []);
    const [warning, ...more] = found(["10.42.0.0/24", "2001:db8:42::/64"], usual);
    assert.deepEqual(more, []);
    assert.match(warning ?? "", /pods are in 2001:db8:42::\/64 too.*'network\.clusterRanges\[2\]' <range>/);
    assert.match(found(["10.52.3.0/24"], usual).join(), /10\.52\.3\.0\/24/);
  });
});
