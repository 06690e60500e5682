import assert from "node:assert/strict";
import type { EngineEvent, EventStep } from "../../../../tools/engine/events.ts";
import { summarize } from "../../../../tools/plan/summary.ts";

const CONFIG_MAP = "kubernetes:core/v1:ConfigMap";
const SINKS = "phone\tntfy\twarning\t-\t-\t-\nwatch\theartbeat\twarning\t-\t-\t-\n";
const RULES = "disk-filling\tdisk_free_ratio\tbelow\t0.15\n";

type Data = Readonly<Record<string, string>>;

function said(
  op: EventStep["op"],
  type: string,
  before: Data,
  after: Data,
  name = "postgres-notify",
): string {
  const keys = Object.keys({ ...before, ...after });
  const metadata: EventStep = {
    ...{ op, type, urn: `urn:pulumi:prod::transcript-pipeline::${type}::${name}` },
    old: { inputs: { data: before } },
    new: { inputs: { data: after } },
    detailedDiff: Object.fromEntries(
      keys
        .filter((key) => before[key] !== after[key])
        .map((key) => [`data["${key}"]`, { diffKind: "update" }]),
    ),
  };
  const event: EngineEvent = { resourcePreEvent: { metadata } };
  return summarize([event])
    .statements.map(({ severity, text }) => `${severity}: ${text}`)
    .join("\n");
}
const table = (sinks: string, rules = RULES) => ({ "sinks.tsv": sinks, "rules.tsv": rules });
const changed = (sinks: string, rules = RULES) =>
  said("update", CONFIG_MAP, table(SINKS), table(sinks, rules));

describe("what a plan says about messages", () => {
  it("is red when somebody is told no more, of all or of one thing", () => {
    assert.match(changed(SINKS.replace(/^phone.*\n/, "")), /danger: Sends no more messages to .*phone/);
    assert.match(changed(SINKS, ""), /danger: Sends no more messages of .*disk-filling/);
    assert.match(said("delete", "kubernetes:apps/v1:StatefulSet", {}, {}), /danger: Tells nobody any more/);
  });

  it("says who is told from now on, and what of it changes", () => {
    assert.match(
      changed(`${SINKS}team\tslack\twarning\t-\t-\t-\n`),
      /attention: Sends messages to .*team.* too/,
    );
    assert.match(changed(SINKS.replace("warning", "critical")), /attention: Changes what .*phone.* is sent/);
    assert.match(
      changed(SINKS, RULES.replace("0.15", "0.1")),
      /attention: Changes from when on .*disk-filling/,
    );
  });
});

describe("what a plan says about metrics and alerts", () => {
  const alerts = (...names: string[]) => ({
    "alerts.yaml": JSON.stringify({
      groups: [{ rules: names.map((name) => ({ alert: name.split(" ")[0], expr: name })) }],
    }),
  });
  const change = (before: Data, after: Data) => said("update", CONFIG_MAP, before, after, "postgres-alerts");

  it("is red when an alert is raised no more, or nobody has metrics any more", () => {
    assert.match(change(alerts("A", "B"), alerts("B")), /danger: Raises no more alert .*A/);
    assert.match(
      said("delete", CONFIG_MAP, alerts("A"), {}, "postgres-alerts"),
      /danger: Raises no more alerts/,
    );
    const workload = "kubernetes:apps/v1:StatefulSet";
    assert.match(said("delete", workload, {}, {}, "postgres-exporter"), /danger: Has no more metrics/);
    assert.match(said("delete", workload, {}, {}, "postgres-prometheus"), /danger: Collects no more metrics/);
  });

  it("names the alerts that are new, and those that are raised at another time", () => {
    assert.match(change(alerts("A"), alerts("A", "B")), /attention: Raises .*B.* too/);
    assert.match(change(alerts("A 1"), alerts("A 2")), /attention: Changes from when on .*A/);
  });
});
