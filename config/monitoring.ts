/** The section `monitoring`: who reads the figures, and what counts as wrong where only its users know. */
import { defaulted, image, integer, oneOf, size } from "./fields.ts";
import type { Section, ValuesOf } from "./reader.ts";

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
} as const satisfies Section;

/** What is written in the section. */
export type MonitoringValues = ValuesOf<typeof monitoring>;
