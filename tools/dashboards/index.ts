/** The dashboards, their files, and every query in them. */
import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import type { DASHBOARD_NAMES } from "../../components/monitoring/dashboards.ts";
import { busy } from "./busy.ts";
import { fast } from "./fast.ts";
import { NO_FIGURES } from "./panels.ts";
import { safe } from "./safe.ts";
import { server } from "./server.ts";

export const DASHBOARDS: Readonly<Record<(typeof DASHBOARD_NAMES)[number], Dashboard>> = {
  safe,
  fast,
  busy,
  server,
};

/** Where a dashboard's JSON is, by its path from the project's root. */
export const fileOf = (name: string) => `components/monitoring/dashboards/${name}.json`;

/** A query as Prometheus takes it. */
export interface PanelQuery {
  dashboard: string;
  panel: string;
  expression: string;
  /** Whether there may be nothing to show, as without a RAID. */
  mayBeEmpty: boolean;
}

/**
 * Every query of every panel, with Grafana's variables replaced.
 *
 * @param rateInterval what Grafana makes of `$__rate_interval`: four times that of scraping, at least
 */
export function queries(rateInterval = "1m"): PanelQuery[] {
  return Object.entries(DASHBOARDS).flatMap(([name, { panels = [] }]) =>
    panels.flatMap((panel) =>
      "targets" in panel
        ? (panel.targets ?? []).map((target) => ({
            dashboard: name,
            panel: panel.title ?? "",
            expression: (target as unknown as { expr: string }).expr.replaceAll(
              "$__rate_interval",
              rateInterval,
            ),
            mayBeEmpty: panel.fieldConfig?.defaults.noValue !== NO_FIGURES,
          }))
        : [],
    ),
  );
}
