/** The component with a small Prometheus of the database's own. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { bytesOfQuantity } from "../../quantities.ts";
import { labelsOf } from "../kubernetes/labels.ts";
import { lonePod } from "../kubernetes/lone-pod.ts";
import { EXPORTER_PORTS, PROMETHEUS_NAME, PROMETHEUS_PORT } from "../kubernetes/names.ts";
import {
  mountsIn,
  type Placement,
  type PodVolume,
  restrictedContainer,
  withLog,
} from "../kubernetes/pods.ts";
import { scriptFiles, SCRIPTS_PATH } from "../kubernetes/scripts.ts";
import { JOB, SCRAPE } from "./alerting.ts";

/** An Alertmanager that is asked over HTTP. */
export interface Alertmanager {
  /** A name or an address, IPv6 without brackets. */
  host: string;
  port: number;
}

/** Arguments of {@link Prometheus}. */
export interface PrometheusArgs {
  namespace: pulumi.Input<string>;
  /** The stack's name, a label of all that is collected. */
  stack: string;
  placement: Placement;
  /** An image with Prometheus. */
  image: string;
  /** How long what was collected is kept, in days. */
  retention: number;
  /** From which size on the oldest of it is removed, a Kubernetes quantity. */
  retentionSize: string;
  /** Who is told of alerts. @default nobody */
  alertmanager?: Alertmanager | undefined;
  /** The Service of the exporters, in the same namespace. */
  exporterService: pulumi.Input<string>;
  /** The ConfigMap with the alerts. */
  alertsName: pulumi.Input<string>;
}

const CONTAINER = "prometheus";
const CONFIG_PATH = "/etc/prometheus";
const ALERTS_PATH = "/etc/prometheus-alerts";
const DATA_PATH = "/prometheus";
const MIB = 2 ** 20;

/** Host and port, as Prometheus takes them. */
const target = ({ host, port }: Alertmanager) => `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Prometheus' own configuration: two targets by name, so that it needs no access to the API server. */
function configuration({
  exporterService,
  stack,
  alertmanager,
}: Pick<PrometheusArgs, "exporterService" | "stack" | "alertmanager">) {
  return pulumi.output(exporterService).apply((service) =>
    JSON.stringify(
      {
        global: {
          scrape_interval: `${SCRAPE.interval}s`,
          scrape_timeout: `${SCRAPE.timeout}s`,
          evaluation_interval: "15s",
        },
        rule_files: [`${ALERTS_PATH}/*.yaml`],
        ...(alertmanager && {
          alerting: { alertmanagers: [{ static_configs: [{ targets: [target(alertmanager)] }] }] },
        }),
        scrape_configs: [
          {
            job_name: JOB,
            static_configs: [
              {
                targets: Object.values(EXPORTER_PORTS).map((port) => `${service}:${port}`),
                labels: { stack },
              },
            ],
          },
          { job_name: "prometheus", static_configs: [{ targets: [`localhost:${PROMETHEUS_PORT}`] }] },
        ],
      },
      undefined,
      1,
    ),
  );
}

/**
 * Collects the metrics and evaluates the alerts. What it has collected is on the node's own disk, and is gone with its pod:
 * what the status and the messages need is in the database.
 */
export class Prometheus extends pulumi.ComponentResource {
  constructor(name: string, args: PrometheusArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Prometheus", name, {}, opts);
    const child = { parent: this, deleteBeforeReplace: true };
    const labels = labelsOf("prometheus");
    const metadata = { name: PROMETHEUS_NAME, namespace: args.namespace, labels };
    const scripts = scriptFiles(import.meta.url, "prometheus.sh");
    const files = new k8s.core.v1.ConfigMap(
      PROMETHEUS_NAME,
      { metadata, data: { ...scripts, "prometheus.yml": configuration(args) } },
      child,
    );
    const kept = Math.ceil((bytesOfQuantity(args.retentionSize) ?? NaN) / MIB);
    // It counts neither the newest two hours nor the block that it writes.
    const room = kept * 2 + 512;
    const volumes: PodVolume[] = [
      {
        name: "config",
        source: { configMap: { name: files.metadata.name } },
        // One ConfigMap: the script is found where all scripts are.
        mounts: {
          [CONTAINER]: [
            { path: CONFIG_PATH, readOnly: true },
            { path: SCRIPTS_PATH, readOnly: true },
          ],
        },
      },
      {
        name: "alerts",
        source: { configMap: { name: args.alertsName } },
        mounts: { [CONTAINER]: { path: ALERTS_PATH, readOnly: true } },
      },
      {
        name: "data",
        source: { emptyDir: { sizeLimit: `${room}Mi` } },
        mounts: { [CONTAINER]: { path: DATA_PATH } },
      },
    ];
    const resources = withLog({
      requests: { cpu: "20m", memory: "128Mi" },
      limits: { cpu: "500m", memory: "512Mi" },
    });
    const answers = (path: string) => ({ httpGet: { path, port: PROMETHEUS_PORT }, timeoutSeconds: 5 });
    lonePod(
      PROMETHEUS_NAME,
      {
        namespace: args.namespace,
        labels,
        placement: args.placement,
        scripts,
        service: { ports: { http: PROMETHEUS_PORT } },
        containers: [
          {
            name: CONTAINER,
            image: args.image,
            ...restrictedContainer,
            command: ["sh", `${SCRIPTS_PATH}/prometheus.sh`],
            env: [
              { name: "PORT", value: String(PROMETHEUS_PORT) },
              { name: "RETENTION", value: String(args.retention) },
              { name: "SIZE", value: String(kept) },
            ],
            ports: [{ name: "http", containerPort: PROMETHEUS_PORT }],
            livenessProbe: { ...answers("/-/healthy"), periodSeconds: 10, failureThreshold: 6 },
            // A deployment waits for it.
            readinessProbe: { ...answers("/-/ready"), periodSeconds: 2, failureThreshold: 5 },
            resources: {
              requests: { ...resources.requests, "ephemeral-storage": "256Mi" },
              limits: { ...resources.limits, "ephemeral-storage": `${room + 256}Mi` },
            },
            volumeMounts: mountsIn(CONTAINER, volumes),
          },
        ],
        volumes,
      },
      child,
      {},
    );
    this.registerOutputs();
  }
}
