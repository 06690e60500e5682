/** What the dashboards have in common. */
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import type { PanelBuilder as Lines } from "@grafana/grafana-foundation-sdk/timeseries";
import type { PanelBuilder as State } from "@grafana/grafana-foundation-sdk/stat";
import { DATASOURCE } from "./panels.ts";

/** What all have, and nothing else: the links between them are of it. */
const TAG = "transcript-pipeline";

/** Columns of Grafana's grid, and how many rows of it a panel takes. */
const WIDTH = 24;
const HEIGHT = { stat: 4, timeseries: 8 };

/** A heading, and what is below it: lines of panels that share the width. */
export interface Part {
  title: string;
  rows: readonly (readonly (Lines | State)[])[];
}

/** The links to the others, in the bar at the top: the SDK would hide them in a menu of newer versions. */
const links = {
  build() {
    const link = new dashboard.DashboardLinkBuilder("The pipeline's database")
      .type(dashboard.DashboardLinkType.Dashboards)
      .tags([TAG])
      .includeVars(true)
      .keepTime(true)
      .build();
    delete link.placement;
    return link;
  },
};

/**
 * A dashboard of the first of Grafana's formats, which every version reads.
 *
 * @param name of its file, and the end of its uid, which people's bookmarks have
 */
export function dashboardOf(
  name: string,
  title: string,
  description: string,
  parts: readonly Part[],
): dashboard.Dashboard {
  const built = new dashboard.DashboardBuilder(title)
    .uid(`transcript-pipeline-${name}`)
    .description(description)
    .tags([TAG, "postgresql"])
    .refresh("30s")
    .time({ from: "now-6h", to: "now" })
    .withVariable(
      new dashboard.DatasourceVariableBuilder("datasource").label("Prometheus").type("prometheus"),
    )
    // For several stacks in one Prometheus: what tells them apart is its own.
    .withVariable(new dashboard.AdHocVariableBuilder("filters").label("Only").datasource(DATASOURCE))
    .link(links)
    .build();
  const panels: (dashboard.Panel | dashboard.RowPanel)[] = [];
  let y = 0;
  for (const { title, rows } of parts) {
    const id = panels.length + 1;
    panels.push(new dashboard.RowBuilder(title).id(id).gridPos({ x: 0, y: y++, w: WIDTH, h: 1 }).build());
    for (const row of rows) {
      let height = 0;
      const w = Math.floor(WIDTH / row.length);
      for (const [index, builder] of row.entries()) {
        const panel = builder.id(panels.length + 1).build();
        const h = panel.type === "stat" ? HEIGHT.stat : HEIGHT.timeseries;
        panels.push({ ...panel, gridPos: { x: index * w, y, w, h } });
        height = Math.max(height, h);
      }
      y += height;
    }
  }
  return { ...built, panels };
}
