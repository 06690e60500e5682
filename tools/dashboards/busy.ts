/** "Busy?": the queue, the connections and what goes in and out. */
import { dashboardOf } from "./dashboard.ts";
import { ofDatabases, rate } from "./expressions.ts";
import { lines, queryLines, state } from "./panels.ts";

export const busy = dashboardOf("busy", "Busy?", "What the transcripts' database has to do.", [
  {
    title: "Now",
    rows: [
      [
        state({
          figure: "jobs_dead",
          title: "Jobs that were given up",
          advice: "Read their last_error, and queue them again with retry_job",
          none: "no jobs",
        }),
        state({
          figure: "jobs_waiting_seconds",
          title: "Longest wait of a job",
          advice: "Make sure that there are workers for this kind, and that they finish",
          none: "no jobs",
        }),
        state({
          figure: "connections_used_ratio",
          title: "Connections in use",
          advice: "Let clients pool their connections, or raise database.settings.max_connections",
        }),
      ],
    ],
  },
  {
    title: "Jobs",
    rows: [
      [
        lines({
          figure: "jobs_queued",
          title: "Jobs that wait",
          advice: "If they only grow, there are too few workers of this kind",
          page: "status.md#jobs",
          none: "no jobs",
        }),
        lines({
          figure: "jobs_running",
          title: "Jobs that a worker has",
          advice: "None, while others wait, is a kind without workers",
          page: "status.md#jobs",
          none: "no jobs",
        }),
      ],
      [
        lines({
          figure: "jobs_waiting_seconds",
          title: "Longest wait of a job, over time",
          advice: "A line that climbs without end is a kind that nobody works on",
          none: "no jobs",
        }),
        lines({
          figure: "jobs_dead",
          title: "Jobs that were given up, over time",
          advice: "A step upwards is when it began: compare it with a deployment of the workers",
          none: "no jobs",
        }),
      ],
    ],
  },
  {
    title: "Clients",
    rows: [
      [
        lines({
          figure: "connections_used_ratio",
          title: "Connections in use, over time",
          advice: "Near 100 % clients are refused: let them pool their connections",
        }),
        queryLines({
          title: "Connections by database",
          advice: "pg_stat_activity shows who has them",
          page: "status.md#connections",
          unit: "none",
          queries: [
            { expression: `sum by (datname) (${ofDatabases("numbackends")})`, legend: "{{datname}}" },
          ],
        }),
      ],
      [
        queryLines({
          title: "Rows in",
          advice:
            "Nothing, while jobs are running, is workers that do not write: their log says what they wait for",
          page: "dashboards.md#rows",
          unit: "suffix: /s",
          queries: [
            { expression: rate(ofDatabases("tup_inserted"), "datname"), legend: "{{datname}}: inserted" },
            { expression: rate(ofDatabases("tup_updated"), "datname"), legend: "{{datname}}: updated" },
            { expression: rate(ofDatabases("tup_deleted"), "datname"), legend: "{{datname}}: deleted" },
          ],
        }),
        queryLines({
          title: "Rows out",
          advice: "Far more rows that are scanned than fetched by an index is a statement that lacks one",
          page: "dashboards.md#rows",
          unit: "suffix: /s",
          queries: [
            { expression: rate(ofDatabases("tup_returned"), "datname"), legend: "{{datname}}: scanned" },
            { expression: rate(ofDatabases("tup_fetched"), "datname"), legend: "{{datname}}: by an index" },
          ],
        }),
      ],
    ],
  },
]);
