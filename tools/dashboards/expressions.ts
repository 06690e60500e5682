/**
 * Queries for Prometheus. Each adds up or picks over all labels but those that it names: exporters differ in the others by
 * version, and clusters in those of the exporters.
 */
import { METRIC_PREFIX, metricOf } from "../../components/monitoring/metrics.ts";
import { RULES } from "../../components/monitoring/rules.ts";

/** A query, and what its lines are called; `{{label}}` is a label's value. */
export interface Query {
  expression: string;
  legend: string;
}

/** The metric of a figure. */
export function metric(figure: string): string {
  if (metricOf(figure) === undefined) throw new Error(`${figure} is not in components/monitoring/metrics.ts`);
  return METRIC_PREFIX + figure;
}

/** A figure as it is now, for each of its label: the worst value, where several exporters have one. */
export function worst(figure: string): string {
  const of = metricOf(figure)?.of;
  const pick = RULES.some((rule) => rule.figure === figure && rule.below !== undefined) ? "min" : "max";
  return `${pick}${of === undefined ? "" : ` by (${of})`} (${metric(figure)})`;
}

const summed = (by: readonly string[]) => `sum${by.length === 0 ? "" : ` by (${by.join(", ")})`}`;

/** How fast a counter grows, a second, for each of these labels. */
export function rate(counter: string, ...by: string[]): string {
  return `${summed(by)} (rate(${counter}[$__rate_interval]))`;
}

/** By how much a counter grew in the time of a point of the graph. */
export function increase(counter: string, ...by: string[]): string {
  return `${summed(by)} (increase(${counter}[$__rate_interval]))`;
}

/** Which share of what is read comes from memory. */
export function hitRatio(hits: string, reads: string, by: string): string {
  return `${rate(hits, by)} / (${rate(hits, by)} + ${rate(reads, by)})`;
}

/** A metric of pg_stat_database, of the databases that have clients. */
export function ofDatabases(name: string): string {
  return `pg_stat_database_${name}{datname!~"template[01]|"}`;
}
