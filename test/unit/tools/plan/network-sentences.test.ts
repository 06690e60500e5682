import assert from "node:assert/strict";
import { policyIn, policyOut } from "../../../../components/network/policies.ts";
import { ways, type Clients } from "../../../../components/network/ways.ts";
import type { EngineEvent, EventStep } from "../../../../tools/engine/events.ts";
import { summarize } from "../../../../tools/plan/summary.ts";

type Step = [op: EventStep["op"], name: string, old?: object, next?: object];

/** What a plan says about changes of policies. */
function said(...steps: Step[]): string[] {
  const events = steps.map(([op, name, old = {}, next = {}]): EngineEvent => {
    const type = "kubernetes:networking.k8s.io/v1:NetworkPolicy";
    const metadata: EventStep = {
      ...{ op, type, urn: `urn:pulumi:prod::transcript-pipeline::${type}::${name}` },
      old: { inputs: old as Record<string, unknown> },
      new: { inputs: next as Record<string, unknown> },
      detailedDiff: op === "update" ? { spec: { diffKind: "update" } } : {},
    };
    return { resourcePreEvent: { metadata } };
  });
  return summarize(events).statements.map(({ severity, text }) => `${severity}: ${text}`);
}

const of = (clients: Clients) =>
  ways({ port: 5432, namespace: "transcript-pipeline", clients, repositories: [] });
const database = (clients: Clients) => {
  const [way] = of(clients).waysIn;
  assert.ok(way);
  return { spec: policyIn(way) };
};
const DATABASE = "postgres-network-database";
const DENY = "postgres-network-default-deny";

describe("a plan with network policies", () => {
  it("says that everything else is denied when they are switched on, and who is let in", () => {
    const lines = said(
      ["create", DATABASE, {}, database({ api: { namespace: "media" } })],
      ["create", DENY],
    ).join("\n");
    assert.match(lines, /attention: Denies every connection of the namespace's pods/);
    assert.match(lines, /Lets clients reach the database: `every pod in media on 5432`/);
  });

  it("warns of danger when they are removed, once", () => {
    const lines = said(
      ["delete", DENY],
      ["delete", DATABASE, database({})],
      ["delete", "postgres-network-init"],
    );
    assert.deepEqual(lines, [
      "danger: Opens the database to every pod in the cluster: NetworkPolicy `postgres-network-default-deny` is deleted, and only passwords are in the way",
    ]);
  });

  it("warns of danger when the default deny changes", () => {
    assert.match(said(["update", DENY]).join(), /danger: Changes what is denied/);
  });

  it("says which clients come and go", () => {
    const lines = said([
      "update",
      DATABASE,
      database({ api: { namespace: "media" } }),
      database({ desk: { ranges: ["192.168.1.0/24"] } }),
    ]).join("\n");
    assert.match(lines, /attention: Lets more clients reach the database: `192\.168\.1\.0\/24 on 5432`/);
    assert.match(lines, /attention: Lets fewer clients .*: `every pod in media on 5432`/);
  });

  it("says what is reached from now on", () => {
    const out = (ranges: string[]) => ({
      spec: policyOut({
        name: "backup",
        pods: { a: "b" },
        destinations: [{ to: [{ ranges }], ports: [{ port: 443, protocol: "TCP" }] }],
      }),
    });
    const lines = said(["update", "postgres-network-backup", out(["192.0.2.0/24"]), out(["0.0.0.0/0"])]).join(
      "\n",
    );
    assert.match(lines, /Lets pods reach more: `0\.0\.0\.0\/0 on 443`/);
    assert.match(lines, /Lets pods reach less: .*`192\.0\.2\.0\/24 on 443`/);
  });

  it("says what a single policy allowed that is deleted", () => {
    assert.match(
      said(["delete", DATABASE, database({})]).join(),
      /attention: Takes away what a network policy allows: `.*app=postgres-init on 5432, transcript-pipeline/,
    );
  });
});
