/** The component with what Prometheus and Grafana are given: the alerts and the dashboards. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";
import { ALERTS_NAME, DASHBOARDS_NAME, EXPORTER_NAME, EXPORTER_PORTS } from "../kubernetes/names.ts";
import { alertGroups, type AlertGroup, alertsFor } from "./alerts.ts";
import { dashboardFiles } from "./dashboards.ts";
import { type Limits, rulesFor } from "./rules.ts";

/** Whose Prometheus it is: see `monitoring.prometheus`. */
export type PrometheusKind = "annotations" | "operator" | "bundled";

/** Arguments of {@link Alerting}. */
export interface AlertingArgs {
  namespace: pulumi.Input<string>;
  /** The stack's name, a label of what is scraped. */
  stack: string;
  kind: PrometheusKind;
  limits: Limits;
}

/** Seconds between two looks at the metrics, and that one may take: each query has four. */
export const SCRAPE = { interval: 30, timeout: 25 } as const;

/** The `job` of the exporters, by which their own metrics are told from another database's. */
export const JOB = EXPORTER_NAME;

/** The alerts for these limits. */
function alertsOf({ kind, stack, limits }: Omit<AlertingArgs, "namespace">): AlertGroup[] {
  // Whoever finds the Service by its annotations names the labels.
  const selector = kind === "annotations" ? "" : `{job="${JOB}",stack="${stack}"}`;
  return alertGroups(alertsFor(rulesFor(limits), selector));
}

/** By which Grafana's sidecar finds dashboards: the default of its chart. */
const DASHBOARD_LABEL = { grafana_dashboard: "1" } as const;

/** The alerts and the dashboards as objects of the cluster; and with the Prometheus operator, what is to be scraped. */
export class Alerting extends pulumi.ComponentResource {
  /** The ConfigMap with the alerts, in the file `alerts.yaml`. Undefined with the operator. */
  readonly configMapName: pulumi.Output<string> | undefined;

  constructor(name: string, args: AlertingArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Alerting", name, {}, opts);
    const child = { parent: this, deleteBeforeReplace: true };
    const labels = labelsOf("alerts");
    const metadata = { name: ALERTS_NAME, namespace: args.namespace, labels };
    const groups = alertsOf(args);
    if (args.kind === "operator") {
      new k8s.apiextensions.CustomResource(
        ALERTS_NAME,
        { apiVersion: "monitoring.coreos.com/v1", kind: "PrometheusRule", metadata, spec: { groups } },
        child,
      );
      new k8s.apiextensions.CustomResource(
        EXPORTER_NAME,
        {
          apiVersion: "monitoring.coreos.com/v1",
          kind: "ServiceMonitor",
          metadata: { ...metadata, name: EXPORTER_NAME },
          spec: {
            selector: { matchLabels: labelsOf("exporter") },
            endpoints: Object.keys(EXPORTER_PORTS).map((port) => ({
              port,
              interval: `${SCRAPE.interval}s`,
              scrapeTimeout: `${SCRAPE.timeout}s`,
              relabelings: [{ targetLabel: "stack", replacement: args.stack }],
            })),
          },
        },
        child,
      );
    } else {
      this.configMapName = new k8s.core.v1.ConfigMap(
        ALERTS_NAME,
        // JSON is YAML.
        { metadata, data: { "alerts.yaml": JSON.stringify({ groups }, undefined, 1) } },
        child,
      ).metadata.name;
    }
    new k8s.core.v1.ConfigMap(
      DASHBOARDS_NAME,
      {
        metadata: {
          name: DASHBOARDS_NAME,
          namespace: args.namespace,
          labels: { ...labelsOf("dashboards"), ...DASHBOARD_LABEL },
        },
        data: dashboardFiles(args.limits),
      },
      child,
    );
    this.registerOutputs();
  }
}
