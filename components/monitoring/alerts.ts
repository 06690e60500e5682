/** The rules of what is wrong as Prometheus' alerts, and the alerts that only Prometheus can have. Pure. */
import { metricOf, METRIC_PREFIX } from "./metrics.ts";
import type { Rule, Severity } from "./rules.ts";

/** An alert. */
export interface Alert {
  /** Its name, unique. */
  name: string;
  /** The expression without its comparison: what it looks at. There is a value at any time, if all is well. */
  measured: string;
  /** The comparison. @default none: the expression has a value when something is wrong */
  comparison?: string;
  /** Seconds that it must last. */
  lasts: number;
  /** `none`: it says that nothing is wrong. */
  severity: Severity | "none";
  /** What is wrong, a template of Prometheus'. */
  words: string;
  remedy: string;
  page: string;
  why: string;
}

/**
 * Labels by which a stack's metrics are told from those of another one, and the exporter's own from those of another
 * database: `{job="…",stack="…"}`. Empty where whoever collects them names the labels.
 */
export type Selector = string;

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** `archive-behind` is TranscriptsArchiveBehind. */
function alertName(rule: string): string {
  return `Transcripts${rule
    .split("-")
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join("")}`;
}

/** A template for the value in the unit that the figure's name ends with. */
function valueTemplate(figure: string): string {
  if (figure.endsWith("_seconds")) return "{{ $value | humanizeDuration }}";
  if (figure.endsWith("_ratio")) return "{{ $value | humanizePercentage }}";
  if (figure.endsWith("_bytes")) return "{{ $value | humanize1024 }}B";
  return "{{ $value }}";
}

/** Longer than the kubelet takes to bring a new password into the exporter's pod: 90 s. */
const SILENT = 2 * MINUTE;

/**
 * A figure, and for a while after it was last read: a scrape that fails, as during a restart, neither ends what is wrong
 * nor has it begin again.
 */
const figureOf = (name: string, selector: Selector) =>
  `last_over_time(${METRIC_PREFIX}${name}${selector}[3m])`;

function alertOf(rule: Rule, selector: Selector): Alert {
  const { name, figure, above, below, severity, remedy, page, why } = rule;
  const common = { name: alertName(name), severity, remedy, page };
  // Whoever looks measures it: here it is the exporter.
  if (figure === "database_silent_seconds")
    return {
      ...common,
      // An exporter that waits for a server that hangs does not answer, so that pg_up is missing.
      measured: selector === "" ? "min(pg_up)" : `min(pg_up${selector} or up${selector})`,
      comparison: "== 0",
      lasts: SILENT,
      words: "the database, or what asks it for metrics, has not answered for two minutes",
      why: "a restart for a deployment takes seconds, and a new password is in the exporter's pod within 90 s",
    };
  const metric = metricOf(figure);
  if (metric === undefined) throw new Error(`${name}: ${figure} is not a metric`);
  return {
    ...common,
    measured: figureOf(figure, selector),
    comparison: above === undefined ? `< ${below}` : `> ${above}`,
    lasts: rule.lasts,
    words: rule.words
      .replaceAll("{label}", `{{ $labels.${metric.of} }}`)
      .replaceAll("{value}", valueTemplate(figure)),
    why,
  };
}

/** What the status and the messages see by other means. */
const ownAlerts = (selector: Selector): Alert[] => [
  {
    name: "TranscriptsExporterSilent",
    measured: `absent(${METRIC_PREFIX}figures_silent_seconds${selector})`,
    lasts: 5 * MINUTE,
    severity: "critical",
    words: "Prometheus has no figures of the database: nobody knows how it is",
    remedy: "npm run status; kubectl -n transcript-pipeline logs postgres-exporter-0 -c figures",
    page: "monitoring.md#prometheus-has-no-figures",
    why: "a new pod of the exporter is up within a minute, and has a new password within two",
  },
  {
    name: "TranscriptsJobsSilent",
    measured: `absent(${METRIC_PREFIX}extension_behind${selector})`,
    lasts: 5 * MINUTE,
    severity: "warning",
    words: "Prometheus has no figures of the jobs and the indexes",
    remedy: "kubectl -n transcript-pipeline logs postgres-exporter-0 -c database",
    page: "monitoring.md#prometheus-has-no-figures",
    why: "as for the other figures",
  },
  {
    name: "TranscriptsServerRestarting",
    measured: `resets(${METRIC_PREFIX}server_running_seconds${selector}[1h])`,
    comparison: "> 2",
    lasts: 0,
    severity: "warning",
    words: "PostgreSQL was started {{ $value }} times within the hour",
    remedy: "why it ended: kubectl -n transcript-pipeline describe pod postgres-0",
    page: "status.md#the-database-does-not-answer",
    why: "two deployments within an hour restart it twice at most",
  },
  {
    name: "TranscriptsExtensionBehind",
    measured: figureOf("extension_behind", selector),
    comparison: "> 0",
    lasts: HOUR,
    severity: "warning",
    words: "extension {{ $labels.extension }} is older than the image's",
    remedy: "upgrade it by database.upgradeTo",
    page: "upgrades.md",
    why: "it works as before, and a deployment of an upgrade takes less than an hour",
  },
  {
    name: "TranscriptsDeadMansSwitch",
    measured: "vector(1)",
    lasts: 0,
    severity: "none",
    words:
      "this alert always fires: whoever no longer gets it knows that Prometheus or what sends its alerts is gone",
    remedy: "nothing is to be done while it arrives",
    page: "monitoring.md#the-dead-mans-switch",
    why: "it fires from the first evaluation on",
  },
];

/** Every alert. */
export function alertsFor(rules: readonly Rule[], selector: Selector): Alert[] {
  return [...rules.map((rule) => alertOf(rule, selector)), ...ownAlerts(selector)];
}

/** The expression of an alert. */
export function expressionOf({ measured, comparison }: Alert): string {
  return comparison === undefined ? measured : `${measured} ${comparison}`;
}

/** A group of alerts as Prometheus and the operator's PrometheusRule have it. */
export interface AlertGroup {
  name: string;
  interval: string;
  rules: {
    alert: string;
    expr: string;
    for: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
  }[];
}

/**
 * The alerts as Prometheus reads them.
 *
 * @param hasten by how much their durations are divided, for tests. @default 1
 */
export function alertGroups(alerts: readonly Alert[], hasten = 1): AlertGroup[] {
  return [
    {
      name: "transcript-pipeline",
      interval: `${Math.max(1, Math.round(15 / hasten))}s`,
      rules: alerts.map((alert) => ({
        alert: alert.name,
        expr: expressionOf(alert),
        for: `${Math.ceil(alert.lasts / hasten)}s`,
        labels: { severity: alert.severity },
        annotations: {
          summary: alert.words,
          description: `${alert.remedy}  (docs/${alert.page})`,
          runbook: `docs/${alert.page}`,
        },
      })),
    },
  ];
}
