/** The dashboards for Grafana, which `npm run dashboards` has written into dashboards/. */
import { readFileSync } from "node:fs";
import { METRIC_PREFIX } from "./metrics.ts";
import { type Limits, rulesFor } from "./rules.ts";
import { type Step, stepsOf } from "./thresholds.ts";

/** The files, without `.json`. */
export const DASHBOARD_NAMES = ["safe", "fast", "busy", "server"] as const;

/** The figure whose limit is the users' own: see `Limits`. */
const QUEUE_AGE = "jobs_waiting_seconds";

/** What is read of a dashboard here. */
interface Dashboard {
  panels: {
    targets?: { expr: string }[];
    fieldConfig?: { defaults: { thresholds?: { steps: Step[] } } };
  }[];
}

/**
 * The dashboards, as data for a ConfigMap that Grafana's sidecar looks for.
 *
 * @param limits the stack's own. @default those of the rules
 */
export function dashboardFiles(limits?: Limits): Record<string, string> {
  return Object.fromEntries(
    DASHBOARD_NAMES.map((name) => {
      const text = readFileSync(new URL(`./dashboards/${name}.json`, import.meta.url), "utf8");
      const dashboard = JSON.parse(text) as Dashboard;
      if (limits !== undefined) setQueueAge(dashboard, limits);
      return [`${name}.json`, JSON.stringify(dashboard)];
    }),
  );
}

function setQueueAge({ panels }: Dashboard, limits: Limits): void {
  for (const { targets = [], fieldConfig } of panels) {
    const thresholds = fieldConfig?.defaults.thresholds;
    if (thresholds !== undefined && targets.some(({ expr }) => expr.includes(METRIC_PREFIX + QUEUE_AGE)))
      thresholds.steps = stepsOf(QUEUE_AGE, rulesFor(limits));
  }
}
