/** The component for metrics: exporters, alerts, dashboards, and a Prometheus unless another one collects them. */
import * as pulumi from "@pulumi/pulumi";
import type { Placement } from "../kubernetes/pods.ts";
import type { PostgresEndpoint } from "../postgres-endpoint.ts";
import { Alerting, type PrometheusKind } from "./alerting.ts";
import { Exporter } from "./exporter.ts";
import { type Alertmanager, Prometheus } from "./prometheus.ts";
import type { Limits } from "./rules.ts";

/** Arguments of {@link Monitoring}. */
export interface MonitoringArgs {
  namespace: pulumi.Input<string>;
  /** The stack's name, a label of what is collected. */
  stack: string;
  placement: Placement;
  endpoint: PostgresEndpoint;
  /** The Secret of a login of the kind `monitoring`. */
  loginSecretName: pulumi.Input<string>;
  /** Whose Prometheus it is. */
  kind: PrometheusKind;
  exporterImage: string;
  /** The image of the bundled Prometheus. */
  prometheusImage: string;
  /** How long it keeps what it has collected, in days. */
  retention: number;
  /** From which size on the oldest of it is removed, a Kubernetes quantity. */
  retentionSize: string;
  /** The Alertmanager that it tells of its alerts. @default it tells nobody */
  alertmanager?: Alertmanager | undefined;
  limits: Limits;
}

/** By which a Prometheus finds a Service to scrape, all of its ports, where it is configured to look for that. */
const FOUND_BY = { "prometheus.io/scrape": "true" } as const;

/** Everything that collects metrics, or is there for those who do. */
export class Monitoring extends pulumi.ComponentResource {
  constructor(name: string, args: MonitoringArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Monitoring", name, {}, opts);
    const child = { parent: this };
    const { namespace, stack, placement, kind, limits } = args;
    const exporter = new Exporter(
      "postgres-exporter",
      {
        namespace,
        placement,
        endpoint: args.endpoint,
        loginSecretName: args.loginSecretName,
        image: args.exporterImage,
        annotations: kind === "annotations" ? FOUND_BY : undefined,
      },
      child,
    );
    const alerting = new Alerting("postgres-alerts", { namespace, stack, kind, limits }, child);
    if (kind === "bundled") {
      new Prometheus(
        "postgres-prometheus",
        {
          namespace,
          stack,
          placement,
          image: args.prometheusImage,
          retention: args.retention,
          retentionSize: args.retentionSize,
          alertmanager: args.alertmanager,
          exporterService: exporter.serviceName,
          // Without the operator, the alerts are in a ConfigMap.
          alertsName: alerting.configMapName ?? "",
        },
        child,
      );
    }
    this.registerOutputs();
  }
}
