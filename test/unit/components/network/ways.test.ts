import assert from "node:assert/strict";
import { DEFAULT_DENY, policyIn, policyOut } from "../../../../components/network/policies.ts";
import { ways, type WaysArgs } from "../../../../components/network/ways.ts";

const made = (args: Partial<WaysArgs> = {}) => {
  const { waysIn, waysOut } = ways({
    port: 5432,
    namespace: "transcript-pipeline",
    clients: {},
    repositories: [],
    ...args,
  });
  return {
    in: Object.fromEntries(waysIn.map((way) => [way.name, policyIn(way)])),
    out: Object.fromEntries(waysOut.map((way) => [way.name, policyOut(way)])),
  };
};

const server = { podSelector: { matchLabels: { app: "postgres" } } };
const init = { podSelector: { matchLabels: { app: "postgres-init" } } };
const labelled = { podSelector: { matchLabels: { "transcript-pipeline/database-access": "true" } } };
const port = [{ port: 5432, protocol: "TCP" }];
const dns = {
  to: [
    {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
      podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
    },
  ],
  ports: [
    { port: 53, protocol: "UDP" },
    { port: 53, protocol: "TCP" },
  ],
};
const toDatabase = { to: [server], ports: port };

describe("the ways of the network policies", () => {
  it("deny everything to every pod first", () => {
    assert.deepEqual(DEFAULT_DENY, { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  });

  it("lead into the database for the init Job and labelled pods alone, on its port by number", () => {
    assert.deepEqual(made().in, {
      database: { ...server, policyTypes: ["Ingress"], ingress: [{ from: [init, labelled], ports: port }] },
    });
  });

  it("lead out to DNS and the database for those alone: the server, the trial and the upgrade have none", () => {
    assert.deepEqual(made().out, {
      init: { ...init, policyTypes: ["Egress"], egress: [dns, toDatabase] },
      "client-labelled": { ...labelled, policyTypes: ["Egress"], egress: [dns, toDatabase] },
    });
  });

  it("lead in for declared clients, and no longer for labelled pods", () => {
    const clients = {
      api: { namespace: "media", podLabels: { app: "api" } },
      desk: { ranges: ["192.168.1.20/32"] },
      worker: { podLabels: { app: "worker" } },
    };
    const { in: into, out } = made({ clients });
    const media = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "media" } } };
    const worker = { podSelector: { matchLabels: { app: "worker" } } };
    assert.deepEqual(into.database?.ingress, [
      {
        from: [
          init,
          { ...media, podSelector: { matchLabels: { app: "api" } } },
          { ipBlock: { cidr: "192.168.1.20/32" } },
          worker,
        ],
        ports: port,
      },
    ]);
    // Other namespaces' ways out are not ours to give.
    assert.deepEqual(Object.keys(out), ["init", "client-worker"]);
    assert.deepEqual(out["client-worker"], { ...worker, policyTypes: ["Egress"], egress: [dns, toDatabase] });
  });

  it("give a client that names its own namespace the way out that it needs there", () => {
    const clients = { worker: { namespace: "transcript-pipeline", podLabels: { app: "worker" } } };
    assert.deepEqual(Object.keys(made({ clients }).out), ["init", "client-worker"]);
  });

  it("lead every pod of a namespace in by an empty selector", () => {
    const clients = { reports: { namespace: "reports", podLabels: undefined } };
    const [rule] = made({ clients }).in.database?.ingress as { from: unknown[] }[];
    assert.deepEqual(rule?.from[1], {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "reports" } },
      podSelector: {},
    });
  });

  it("lead out of the backups' pods to DNS and the repositories, and to no database", () => {
    const ranges = { ranges: ["0.0.0.0/0"], except: ["10.42.0.0/16"] };
    const { out } = made({ repositories: [{ to: [ranges], ports: [{ port: 443, protocol: "TCP" }] }] });
    assert.deepEqual(out.backup, {
      podSelector: {
        matchLabels: {
          "app.kubernetes.io/part-of": "transcript-pipeline",
          "app.kubernetes.io/component": "backup",
        },
      },
      policyTypes: ["Egress"],
      egress: [
        dns,
        {
          to: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["10.42.0.0/16"] } }],
          ports: [{ port: 443, protocol: "TCP" }],
        },
      ],
    });
  });

  it("never turn a list of nobody into everybody", () => {
    const policy = policyIn({ name: "x", pods: { app: "x" }, ports: [1], from: [] });
    assert.ok(!("ingress" in policy));
    const out = policyOut({ name: "x", pods: { app: "x" }, destinations: [{ to: [], ports: [] }] });
    assert.deepEqual(out.egress, []);
  });
});
