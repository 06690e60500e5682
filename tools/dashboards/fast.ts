/** "Fast?": what is read from memory, what takes long, and who waits for whom. */
import { dashboardOf } from "./dashboard.ts";
import { hitRatio, increase, metric, ofDatabases, rate } from "./expressions.ts";
import { lines, queryLines, state } from "./panels.ts";

/** Of pgvector's kinds of index, as the label says it. */
const VECTOR_INDEX = '{index=~".*[(](hnsw|ivfflat)[)]"}';
const OTHER_INDEX = '{index!~".*[(](hnsw|ivfflat)[)]"}';

/** How many lines a graph of the worst shows. */
const WORST = 10;

const indexHits = (which: string) =>
  hitRatio(metric("index_hits_total") + which, metric("index_reads_total") + which, "index");

export const fast = dashboardOf("fast", "Fast?", "What takes time in the transcripts' database.", [
  {
    title: "Now",
    rows: [
      [
        state({
          figure: "cache_hit_ratio",
          title: "Reads from memory, since the statistics began",
          advice: "If it falls for days, the data has outgrown the memory",
          page: "dashboards.md#reads-from-memory",
        }),
        state({
          figure: "lock_wait_seconds",
          title: "Longest wait for a lock",
          advice: "Find who blocks whom, and end the session that blocks",
        }),
        state({
          figure: "transaction_open_seconds",
          title: "Oldest open transaction",
          advice: "Find whose it is, and end it: vacuum removes nothing until then",
        }),
      ],
    ],
  },
  {
    title: "Memory",
    rows: [
      [
        queryLines({
          title: "Reads from memory, by database",
          advice: "If it stays low while clients wait, give the server more memory",
          page: "dashboards.md#reads-from-memory",
          unit: "percentunit",
          queries: [
            {
              expression: hitRatio(ofDatabases("blks_hit"), ofDatabases("blks_read"), "datname"),
              legend: "{{datname}}",
            },
          ],
        }),
        queryLines({
          title: "Vector indexes: blocks from memory",
          advice:
            "A search by similarity is slow until its index is in memory: give the server more, or load it again",
          page: "dashboards.md#indexes",
          unit: "percentunit",
          none: "no vector index",
          queries: [{ expression: indexHits(VECTOR_INDEX), legend: "{{index}}" }],
        }),
      ],
      [
        queryLines({
          title: `Other indexes: blocks from memory, the ${WORST} worst`,
          advice: "If the index that a slow statement uses is among them, give the server more memory",
          page: "dashboards.md#indexes",
          unit: "percentunit",
          queries: [{ expression: `bottomk(${WORST}, ${indexHits(OTHER_INDEX)})`, legend: "{{index}}" }],
        }),
        queryLines({
          title: `Indexes: blocks from the disk, the ${WORST} most`,
          advice: "The first ones are those that more memory would serve best",
          page: "dashboards.md#indexes",
          unit: "suffix: /s",
          queries: [
            {
              expression: `topk(${WORST}, ${rate(metric("index_reads_total"), "index")})`,
              legend: "{{index}}",
            },
          ],
        }),
      ],
    ],
  },
  {
    title: "Statements",
    rows: [
      [
        queryLines({
          title: `Statements by total time, the ${WORST} most`,
          advice: "Look the statement up by its queryid, and begin with the one that is on top",
          page: "dashboards.md#slow-statements",
          unit: "suffix: s/s",
          queries: [
            {
              expression: `topk(${WORST}, ${rate("pg_stat_statements_seconds_total", "queryid")})`,
              legend: "{{queryid}}",
            },
          ],
        }),
        queryLines({
          title: `Statements by time of a call, the ${WORST} longest`,
          advice: "A statement that suddenly takes longer has another plan, or waits for a lock",
          page: "dashboards.md#slow-statements",
          unit: "s",
          queries: [
            {
              expression: `topk(${WORST}, ${rate("pg_stat_statements_seconds_total", "queryid")} / ${rate("pg_stat_statements_calls_total", "queryid")})`,
              legend: "{{queryid}}",
            },
          ],
        }),
      ],
      [
        queryLines({
          title: "Transactions",
          advice:
            "If it falls while jobs wait, look for locks; if many are rolled back, the clients' logs say why",
          page: "dashboards.md#transactions",
          unit: "suffix: /s",
          queries: [
            { expression: rate(ofDatabases("xact_commit"), "datname"), legend: "{{datname}}: committed" },
            { expression: rate(ofDatabases("xact_rollback"), "datname"), legend: "{{datname}}: rolled back" },
          ],
        }),
        queryLines({
          title: "Written to temporary files",
          advice:
            "Sorts and hashes that do not fit into work_mem are slower by far: raise it, or change the statement",
          page: "dashboards.md#temporary-files",
          unit: "binBps",
          queries: [{ expression: rate(ofDatabases("temp_bytes"), "datname"), legend: "{{datname}}" }],
        }),
      ],
    ],
  },
  {
    title: "Who waits",
    rows: [
      [
        lines({
          figure: "lock_wait_seconds",
          title: "Longest wait for a lock, over time",
          advice: "Peaks at the same hour each day are a job that takes its locks too early",
        }),
        lines({
          figure: "transaction_open_seconds",
          title: "Oldest open transaction, over time",
          advice: "A line that climbs for hours is a client that has forgotten its transaction",
        }),
        queryLines({
          title: "Deadlocks",
          advice: "Let transactions lock rows in the same order; the server's log has both statements",
          page: "dashboards.md#deadlocks",
          unit: "none",
          queries: [{ expression: increase(ofDatabases("deadlocks"), "datname"), legend: "{{datname}}" }],
        }),
      ],
    ],
  },
]);
