/** `npm run dashboards`: writes the dashboards for Grafana into components/monitoring/dashboards. */
import { writeFileSync } from "node:fs";
import { answersHelp, projectFile } from "./cli.ts";
import { DASHBOARDS, fileOf } from "./dashboards/index.ts";

if (!answersHelp("usage: npm run dashboards"))
  for (const [name, dashboard] of Object.entries(DASHBOARDS))
    writeFileSync(projectFile(fileOf(name)), JSON.stringify(dashboard));
