/** The section `monitoring`: who reads the figures, and what counts as wrong where only its users know. */
import type { Problem } from "../problem.ts";
import { defaulted, host, image, integer, oneOf, size } from "./fields.ts";
import { commandToRemove, commandToSet, type Section, type ValuesOf } from "./reader.ts";

/** The port of an Alertmanager that names no other. */
const ALERTMANAGER_PORT = 9093;

export const monitoring = {
  queueAge: defaulted(
    60,
    integer(1, 43200, "minutes", {
      description:
        "After how long a job that waits for a worker, its `run_at` being past, is wrong for the status, messages and alerts",
    }),
  ),
  prometheus: defaulted(
    "none",
    oneOf(["none", "annotations", "operator", "bundled"], {
      description:
        "Who collects metrics. `bundled`: a small Prometheus next to the database, with the alerts. `operator`: that of the Prometheus operator, by a ServiceMonitor and a PrometheusRule. `annotations`: one that scrapes Services annotated with `prometheus.io/scrape`; the alerts are in the ConfigMap postgres-alerts. `none`: nobody, and there is no exporter",
    }),
  ),
  exporterImage: defaulted(
    "quay.io/prometheuscommunity/postgres-exporter:v0.20.1",
    image({ description: "The image of postgres_exporter, 0.16 or newer" }),
  ),
  prometheusImage: defaulted(
    "quay.io/prometheus/prometheus:v3.15.1",
    image({ description: "The image of the bundled Prometheus, 2.45 or newer" }),
  ),
  retention: defaulted(
    15,
    integer(1, 365, "days", { description: "How long the bundled Prometheus keeps what it has collected" }),
  ),
  retentionSize: defaulted("1Gi", size({ description: "What that takes at most on the node's own disk" })),
  alertmanager: host(
    {
      description:
        "Host name or address of an Alertmanager that the bundled Prometheus tells of its alerts, such as `alertmanager.monitoring.svc`. It is asked over HTTP. Default: none",
    },
    { elsewhere: "set a port in monitoring.alertmanagerPort", zones: false },
  ),
  alertmanagerPort: integer(1, 65535, "port", {
    description: `Its port. Default: ${ALERTMANAGER_PORT}`,
  }),
} as const satisfies Section;

/** What is written in the section. */
export type MonitoringValues = ValuesOf<typeof monitoring>;

/** The Alertmanager that the bundled Prometheus tells, or undefined. */
export function alertmanagerOf({
  alertmanager,
  alertmanagerPort = ALERTMANAGER_PORT,
}: Pick<MonitoringValues, "alertmanager" | "alertmanagerPort">): { host: string; port: number } | undefined {
  return alertmanager === undefined ? undefined : { host: alertmanager, port: alertmanagerPort };
}

/** How the fields of the section fit together. */
export function monitoringProblems({ monitoring: written }: { monitoring: MonitoringValues }): Problem[] {
  const problems: Problem[] = [];
  if (written.alertmanager !== undefined && written.prometheus !== "bundled") {
    const key = "monitoring.alertmanager";
    problems.push({
      key,
      message:
        `is "${written.alertmanager}", and is used by the bundled Prometheus alone: monitoring.prometheus is ` +
        `${written.prometheus}. To remove it: ${commandToRemove(key)}`,
    });
  }
  if (written.alertmanager === undefined && written.alertmanagerPort !== undefined) {
    const key = "monitoring.alertmanagerPort";
    problems.push({
      key,
      message: `is ${written.alertmanagerPort}, the port of no host. Set one: ${commandToSet("monitoring.alertmanager", false)}`,
    });
  }
  return problems;
}
