import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { AlertGroup } from "../../../../components/monitoring/alerts.ts";
import { DATABASE_METRICS, FIGURE_METRICS, metricOf } from "../../../../components/monitoring/metrics.ts";
import { RULES } from "../../../../components/monitoring/rules.ts";
import { projectFile } from "../../../../tools/cli.ts";
import { evaluate } from "../../../../tools/evaluation/evaluate.ts";
import { unwrapped } from "../../../../tools/evaluation/recorder.ts";
import { deployable } from "../../../settings.ts";

interface Manifest {
  kind: string;
  metadata: {
    name: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  data?: Record<string, string>;
  spec?: Record<string, unknown>;
}

/** The stack's objects, by `<kind>/<name>`. */
async function objects(monitoring: object, more: object = {}): Promise<Map<string, Manifest>> {
  const raw = { ...deployable(), monitoring, ...more };
  const config = Object.entries(raw).map(
    ([name, value]) => [`transcript-pipeline:${name}`, JSON.stringify(value)] as const,
  );
  const { registrations } = await evaluate("prod", Object.fromEntries(config), []);
  const manifests = registrations
    .map(({ inputs }) => unwrapped(inputs) as Manifest)
    .filter(({ kind }) => typeof kind === "string");
  return new Map(manifests.map((manifest) => [`${manifest.kind}/${manifest.metadata.name}`, manifest]));
}

const of = (all: Map<string, Manifest>, name: string): Manifest => {
  const found = all.get(name);
  assert.ok(found, `no ${name}`);
  return found;
};
const groupsOf = (text: string | undefined) =>
  (JSON.parse(text ?? "{}") as { groups: AlertGroup[] }).groups.flatMap(({ rules }) => rules);

describe("metrics", function () {
  this.timeout(30_000);

  it("are there for nobody where nobody collects them", async () => {
    const names = [...(await objects({})).keys()].join("\n");
    assert.doesNotMatch(names, /exporter|prometheus|alerts|dashboards/i);
  });

  it("are collected by the bundled Prometheus from two targets by name, without access to the API", async () => {
    const all = await objects({ prometheus: "bundled", retention: 30, retentionSize: "2Gi" });
    const config = JSON.parse(of(all, "ConfigMap/postgres-prometheus").data?.["prometheus.yml"] ?? "") as {
      scrape_configs: { job_name: string; static_configs: { targets: string[]; labels: object }[] }[];
    };
    const [exporters] = config.scrape_configs;
    assert.equal(exporters?.job_name, "postgres-exporter");
    assert.deepEqual(exporters.static_configs, [
      { targets: ["postgres-exporter:9187", "postgres-exporter:9188"], labels: { stack: "prod" } },
    ]);
    const spec = JSON.stringify(of(all, "StatefulSet/postgres-prometheus").spec);
    assert.match(spec, /"automountServiceAccountToken":false/);
    assert.match(spec, /"RETENTION","value":"30"/);
    assert.match(spec, /"SIZE","value":"2048"/);
    // Twice what is kept, and what is being written.
    assert.match(spec, /"emptyDir":\{"sizeLimit":"4608Mi"\}/);
    assert.ok(!all.has("ServiceMonitor/postgres-exporter"));
    assert.equal(of(all, "Service/postgres-exporter").metadata.annotations, undefined);
  });

  it("are told of to an Alertmanager, which Prometheus may then reach", async () => {
    const all = await objects({
      ...{ prometheus: "bundled", alertmanager: "fd00::9", alertmanagerPort: 9094 },
    });
    const config = JSON.parse(of(all, "ConfigMap/postgres-prometheus").data?.["prometheus.yml"] ?? "") as {
      alerting?: object;
    };
    assert.deepEqual(config.alerting, {
      alertmanagers: [{ static_configs: [{ targets: ["[fd00::9]:9094"] }] }],
    });
    const policy = of(all, "NetworkPolicy/postgres-network-prometheus-out").spec as {
      egress: { to: object[]; ports: { port: number }[] }[];
    };
    assert.deepEqual(policy.egress.at(-1), {
      to: [{ ipBlock: { cidr: "fd00::9/128" } }],
      ports: [{ port: 9094, protocol: "TCP" }],
    });
    const none = await objects({ prometheus: "bundled" });
    assert.doesNotMatch(
      of(none, "ConfigMap/postgres-prometheus").data?.["prometheus.yml"] ?? "",
      /alertmanager/,
    );
  });

  it("are found by the operator, which also gets the alerts, each for its own exporters alone", async () => {
    const all = await objects({ prometheus: "operator" });
    const monitor = of(all, "ServiceMonitor/postgres-exporter").spec as {
      selector: { matchLabels: Record<string, string> };
      endpoints: { port: string }[];
    };
    const service = of(all, "Service/postgres-exporter");
    for (const [label, value] of Object.entries(monitor.selector.matchLabels))
      assert.equal(service.metadata.labels?.[label], value);
    assert.deepEqual(
      monitor.endpoints.map(({ port }) => port),
      (service.spec?.ports as { name: string }[]).map(({ name }) => name),
    );
    const { groups } = of(all, "PrometheusRule/postgres-alerts").spec as { groups: AlertGroup[] };
    const silent = groups
      .flatMap(({ rules }) => rules)
      .find(({ alert }) => alert === "TranscriptsDatabaseSilent");
    const own = '{job="postgres-exporter",stack="prod"}';
    assert.equal(silent?.expr, `min(pg_up${own} or up${own}) == 0`);
    assert.ok(!all.has("ConfigMap/postgres-alerts") && !all.has("StatefulSet/postgres-prometheus"));
  });

  it("are found by their annotation where that is looked for", async () => {
    const all = await objects({ prometheus: "annotations" });
    assert.deepEqual(of(all, "Service/postgres-exporter").metadata.annotations, {
      "prometheus.io/scrape": "true",
    });
    assert.ok(groupsOf(of(all, "ConfigMap/postgres-alerts").data?.["alerts.yaml"]).length > RULES.length);
  });

  it("take how long a job may wait from the stack, in the alert and in the dashboards", async () => {
    const all = await objects({ prometheus: "bundled", queueAge: 7 });
    const waiting = groupsOf(of(all, "ConfigMap/postgres-alerts").data?.["alerts.yaml"]).find(
      ({ alert }) => alert === "TranscriptsJobsWaiting",
    );
    assert.equal(
      waiting?.expr,
      'last_over_time(transcripts_jobs_waiting_seconds{job="postgres-exporter",stack="prod"}[3m]) > 420',
    );
    const dashboards = of(all, "ConfigMap/postgres-dashboards");
    assert.equal(dashboards.metadata.labels?.grafana_dashboard, "1");
    assert.match(dashboards.data?.["busy.json"] ?? "", /"value":420\b/);
  });

  it("are read by a login of its own kind, whose Secret the exporters alone mount", async () => {
    const all = await objects({ prometheus: "bundled" });
    assert.ok(all.has("Secret/postgres-login-exporter"));
    const mounting = [...all].filter(([, { spec }]) =>
      JSON.stringify(spec ?? {}).includes("postgres-login-exporter"),
    );
    assert.deepEqual(
      mounting.map(([name]) => name),
      ["StatefulSet/postgres-exporter"],
    );
  });

  it("are let to whoever is named, and to nobody else", async () => {
    const all = await objects(
      { prometheus: "bundled" },
      { network: { scrapers: { grafana: { namespace: "monitoring" } } } },
    );
    const from = (name: string) => {
      const { ingress } = of(all, `NetworkPolicy/postgres-network-${name}`).spec as {
        ingress?: { from: unknown[]; ports: { port: number }[] }[];
      };
      return ingress;
    };
    const grafana = {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } },
      podSelector: {},
    };
    assert.deepEqual(from("metrics"), [
      {
        from: [{ podSelector: { matchLabels: { app: "postgres-prometheus" } } }],
        ports: [
          { port: 9187, protocol: "TCP" },
          { port: 9188, protocol: "TCP" },
        ],
      },
    ]);
    assert.deepEqual(from("prometheus"), [{ from: [grafana], ports: [{ port: 9090, protocol: "TCP" }] }]);
    // One in the database's own namespace is denied its way out too.
    const near = await objects(
      { prometheus: "operator" },
      { network: { scrapers: { own: { podLabels: { app: "prometheus" } } } } },
    );
    const { egress } = of(near, "NetworkPolicy/postgres-network-scraper-own").spec as {
      egress: { to: object[]; ports: { port: number }[] }[];
    };
    assert.deepEqual(egress.at(-1)?.to, [{ podSelector: { matchLabels: { app: "postgres-exporter" } } }]);
    const alone = await objects({ prometheus: "bundled" });
    const { ingress } = of(alone, "NetworkPolicy/postgres-network-prometheus").spec as {
      ingress?: unknown;
    };
    assert.equal(ingress, undefined);
  });
});

describe("the metrics of the figures", () => {
  it("are of every figure that there is, and of no other", () => {
    const sql = readFileSync(projectFile("components/server/scripts/figures-now.sql"), "utf8");
    const script = readFileSync(projectFile("components/server/scripts/node-figures.sh"), "utf8");
    const names = [
      ...[...sql.matchAll(/^\s+SELECT (?:DISTINCT ON \(name\) )?'([a-z_]+)', /gm)].map(([, name]) => name),
      ...[...script.matchAll(/(?:figure|refused) ([a-z]+_[a-z_]+) |printf "([a-z_]+)\\t/g)].map(
        ([, one, other]) => one ?? other,
      ),
    ];
    assert.ok(names.length > 25, names.join());
    assert.deepEqual([...new Set(names)].sort(), FIGURE_METRICS.map(({ name }) => name).sort());
  });

  it("are of everything that a rule looks at, with a label where its words have one", () => {
    for (const { name, figure, words } of RULES) {
      if (figure === "database_silent_seconds") continue;
      const metric = metricOf(figure);
      assert.ok(metric, `${name}: ${figure}`);
      if (words.includes("{label}")) assert.ok(metric.of, `${name}: ${figure} has no label`);
    }
    assert.equal(new Set(DATABASE_METRICS.map(({ name }) => name)).size, DATABASE_METRICS.length);
  });
});
