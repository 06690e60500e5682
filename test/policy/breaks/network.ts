/** Ways to break the rules about network policies. */
import { add, type Change, drop, labels, set } from "../stacks.ts";
import { type Break, policy } from "./break.ts";

const DENY = "NetworkPolicy/postgres-network-default-deny";
const DATABASE = "NetworkPolicy/postgres-network-database";
const INIT = "NetworkPolicy/postgres-network-init";

const server = { matchLabels: { app: "postgres" } };
const api = { matchLabels: { app: "api" } };

/** Without these objects of the stack. */
const without =
  (...subjects: string[]): Change =>
  (resources) => {
    for (const subject of subjects) {
      const [kind = "", name = ""] = subject.split("/");
      const at = resources.findIndex((one) => one.type.endsWith(`:${kind}`) && one.name === name);
      if (at < 0) throw new Error(`there is no ${subject}`);
      resources.splice(at, 1);
    }
  };

/** A policy that lets peers reach the server, on all ports or on some. */
const open = (from: unknown, ports?: unknown[]): Change =>
  policy("open", {
    podSelector: server,
    policyTypes: ["Ingress"],
    ingress: [{ ...(from !== undefined && { from }), ...(ports && { ports }) }],
  });

/** A policy with a way out of pods that are not the server. */
const out = (rule: Record<string, unknown>): Change =>
  policy("out", { podSelector: api, policyTypes: ["Egress"], egress: [rule] });

const PORTS = [{ port: 443, protocol: "TCP" }];

const LETS_IN: readonly [by: string, from: unknown, ports?: unknown[]][] = [
  ["letting everybody in", undefined],
  ["an empty list of clients", []],
  ["every address", [{ ipBlock: { cidr: "0.0.0.0/0" } }]],
  ["half of all addresses", [{ ipBlock: { cidr: "128.0.0.0/1" } }]],
  ["every address of IPv6", [{ ipBlock: { cidr: "::/0" } }]],
  ["a range that is none", [{ ipBlock: { cidr: "everybody" } }]],
  ["every pod of every namespace", [{ namespaceSelector: {} }]],
  ["every pod of every namespace, in two words", [{ namespaceSelector: {}, podSelector: {} }]],
  ["every pod of the namespace", [{ podSelector: {} }]],
  ["a client that names nobody", [{}]],
  [
    "every pod but some",
    [{ podSelector: { matchExpressions: [{ key: "app", operator: "NotIn", values: ["web"] }] } }],
  ],
  ["everybody next to a client", [{ podSelector: api }, { namespaceSelector: {} }]],
  ["everybody on the port's name", undefined, [{ port: "postgresql" }]],
  ["everybody on its number as text", undefined, [{ port: "5432" }]],
  ["everybody on a range of ports", undefined, [{ port: 1024, endPort: 65535 }]],
  ["everybody on all ports of the protocol", undefined, [{ protocol: "TCP" }]],
  ["everybody on one port among others", undefined, [{ port: 9187 }, { port: 5432 }]],
];

export const networkBreaks: Readonly<Record<string, readonly Break[]>> = {
  "database-network-policy": [
    {
      by: "policies for others alone",
      alsoFirst: [without(DENY, DATABASE)],
      change: policy("api", { podSelector: api, policyTypes: ["Ingress"] }),
      message: /none of .*NetworkPolicy\/api selects its pods/,
    },
    {
      by: "Egress alone",
      alsoFirst: [without(DENY, DATABASE)],
      change: policy("in", { podSelector: {}, policyTypes: ["Egress"] }),
      message: /selects its pods for Ingress/,
    },
    {
      by: "another namespace",
      alsoFirst: [without(DENY, DATABASE)],
      change: add("kubernetes:networking.k8s.io/v1:NetworkPolicy", {
        metadata: { name: "n", namespace: "other", labels },
        spec: { podSelector: {} },
      }),
      message: /none of/,
    },
    ...LETS_IN.map(([by, from, ports]) => ({
      by,
      change: open(from, ports),
      message: /it lets everybody in to StatefulSet\/postgres/,
    })),
    {
      by: "clients that reach every port",
      change: open([{ podSelector: api }]),
      message: /it opens every port of StatefulSet\/postgres/,
    },
    {
      by: "a way in on every port of a protocol",
      change: drop(DATABASE, "spec/ingress/0/ports/0/port"),
      message: /it opens every port/,
    },
    {
      by: "leaving the clients out of the way in",
      change: drop(DATABASE, "spec/ingress/0/from"),
      message: /lets everybody in/,
    },
  ],
  "network-default-deny": [
    {
      by: "its removal",
      change: without(DENY),
      message: /no NetworkPolicy in its namespace has an empty podSelector/,
    },
    {
      by: "the way in alone",
      change: set(DENY, "spec/policyTypes", ["Ingress"]),
      message: /no NetworkPolicy/,
    },
    { by: "no policyTypes", change: drop(DENY, "spec/policyTypes"), message: /no NetworkPolicy/ },
    { by: "some pods alone", change: set(DENY, "spec/podSelector", server), message: /no NetworkPolicy/ },
    { by: "a rule of its own", change: set(DENY, "spec/ingress", [{}]), message: /no NetworkPolicy/ },
    {
      by: "a rule of its own for the way out",
      change: set(DENY, "spec/egress", [{}]),
      message: /no NetworkPolicy/,
    },
    {
      by: "another namespace",
      change: set(DENY, "metadata/namespace", "other"),
      message: /no NetworkPolicy/,
    },
    {
      by: "its removal from a stack that need not have any, but has others",
      config: { "network-default-deny": { required: false } },
      change: without(DENY),
      message: /no NetworkPolicy/,
    },
  ],
  "network-way-out": [
    {
      by: "a way out for the server",
      change: policy("server-out", {
        podSelector: server,
        policyTypes: ["Egress"],
        egress: [{ to: [{ podSelector: api }], ports: PORTS }],
      }),
      message: /it selects StatefulSet\/postgres and has an egress rule/,
    },
    {
      by: "a way out for every pod",
      change: policy("all-out", {
        podSelector: {},
        policyTypes: ["Egress"],
        egress: [{ to: [{ podSelector: api }], ports: PORTS }],
      }),
      message: /a way out for the server/,
    },
    {
      by: "a way out without policyTypes",
      change: policy("server-out", {
        podSelector: server,
        egress: [{ to: [{ podSelector: api }], ports: PORTS }],
      }),
      message: /a way out for the server/,
    },
    { by: "a way out to everybody", change: out({ ports: PORTS }), message: /an egress rule has no to/ },
    {
      by: "a way out on every port",
      change: out({ to: [{ podSelector: api }] }),
      message: /an egress rule leads to every port/,
    },
    {
      by: "a way out on every port of a protocol",
      change: drop(INIT, "spec/egress/1/ports/0/port"),
      message: /an egress rule leads to every port/,
    },
    {
      by: "a way out to every pod",
      change: out({ to: [{ namespaceSelector: {} }], ports: PORTS }),
      message: /leads to every pod/,
    },
    {
      by: "every address, the cluster's own among them",
      change: out({ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }], ports: PORTS }),
      message: /leads to 0\.0\.0\.0\/0, which has the cluster's own addresses/,
    },
    {
      by: "every address but some of the cluster's own",
      change: out({
        to: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["10.42.0.0/16", "10.43.0.0/17"] } }],
        ports: PORTS,
      }),
      message: /the cluster's own addresses/,
    },
    {
      by: "the cluster's pods by their addresses",
      change: out({ to: [{ ipBlock: { cidr: "10.0.0.0/8" } }], ports: PORTS }),
      message: /the cluster's own addresses/,
    },
    {
      by: "some of the cluster's pods by their addresses",
      change: out({ to: [{ ipBlock: { cidr: "10.42.7.0/24" } }], ports: PORTS }),
      message: /the cluster's own addresses/,
    },
    { by: "leaving the peers out", change: drop(INIT, "spec/egress/1/to"), message: /has no to/ },
  ],
};
