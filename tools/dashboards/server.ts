/** "Server": what runs out, and what the server does by itself. */
import { dashboardOf } from "./dashboard.ts";
import { metric, rate } from "./expressions.ts";
import { lines, queryLines, state, yesOrNo } from "./panels.ts";

export const server = dashboardOf("server", "Server", "What runs out next, and what the server does.", [
  {
    title: "What runs out next",
    rows: [
      [
        state({
          figure: "disk_free_ratio",
          title: "Disk free",
          advice: "Make room, or grow the volume",
          page: "growing.md",
        }),
        state({
          figure: "disk_full_seconds",
          title: "Disk is full in",
          advice: "Make room, or grow the volume, while there is time",
          none: "not filling",
        }),
        state({
          figure: "disk_files_free_ratio",
          title: "Files that the disk can still hold",
          advice: "Remove what else is on the disk",
          none: "not counted",
        }),
        state({
          figure: "transaction_numbers_used_ratio",
          title: "Transaction numbers used",
          advice: "End what holds vacuum back",
        }),
      ],
      [
        state({
          figure: "slot_wal_bytes",
          title: "WAL that a replication slot keeps",
          advice: "Start the slot's reader, or drop the slot",
          none: "no slot",
        }),
        state({
          figure: "prepared_transaction_seconds",
          title: "Oldest prepared transaction",
          advice: "Commit it or roll it back",
        }),
        yesOrNo({
          figure: "extension_behind",
          title: "Extension is older than the image's",
          advice: "Update the extension in the database",
          page: "upgrades.md#another-pgvector-or-another-distribution",
        }),
        state({
          figure: "server_running_seconds",
          title: "Running for",
          advice:
            "If nobody restarted it, npm run status says which container was, and the log before it why",
          page: "server-refuses-to-start.md",
        }),
      ],
    ],
  },
  {
    title: "Disk",
    rows: [
      [
        queryLines({
          title: "Disk",
          advice: "Make room, or grow the volume, before the lines meet zero",
          page: "growing.md",
          unit: "bytes",
          queries: [
            { expression: `max(${metric("disk_size_bytes")})`, legend: "size" },
            { expression: `min(${metric("disk_free_bytes")})`, legend: "free" },
          ],
        }),
        lines({
          figure: "disk_free_ratio",
          title: "Disk free, over time",
          advice: "Make room, or grow the volume, before it falls below a line",
          page: "growing.md",
        }),
      ],
      [
        queryLines({
          title: "Size of each database",
          advice: "If one grows faster than what is stored in it, vacuum is held back",
          page: "dashboards.md#the-size-of-a-database",
          unit: "bytes",
          queries: [
            {
              expression: 'max by (datname) (pg_database_size_bytes{datname!~"template[01]|"})',
              legend: "{{datname}}",
            },
          ],
        }),
        queryLines({
          title: "WAL on the disk",
          advice: "Far more than max_wal_size is WAL that an archive or a slot has not taken",
          page: "full-disk.md#why",
          unit: "bytes",
          queries: [{ expression: "max(pg_wal_size_bytes)", legend: "WAL" }],
        }),
      ],
    ],
  },
  {
    title: "Background",
    rows: [
      [
        queryLines({
          title: "Checkpoints",
          advice: "If most are requested, raise database.settings.max_wal_size",
          page: "dashboards.md#checkpoints",
          unit: "suffix: /h",
          queries: [
            { expression: `3600 * ${rate("pg_stat_bgwriter_checkpoints_timed_total")}`, legend: "timed" },
            { expression: `3600 * ${rate("pg_stat_bgwriter_checkpoints_req_total")}`, legend: "requested" },
          ],
        }),
        queryLines({
          title: "Buffers written",
          advice: "If most are written by sessions, shared_buffers are too small for what is changed",
          page: "dashboards.md#checkpoints",
          unit: "suffix: /s",
          queries: [
            { expression: rate("pg_stat_bgwriter_buffers_checkpoint_total"), legend: "by checkpoints" },
            { expression: rate("pg_stat_bgwriter_buffers_clean_total"), legend: "by the background writer" },
            { expression: rate("pg_stat_bgwriter_buffers_backend_total"), legend: "by sessions" },
          ],
        }),
        lines({
          figure: "transaction_numbers_used_ratio",
          title: "Transaction numbers used, over time",
          advice: "Autovacuum begins at 10 %: if it climbs further, end what holds vacuum back",
        }),
      ],
    ],
  },
]);
