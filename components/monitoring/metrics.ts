/**
 * What Prometheus is told of the figures: their names, their labels, and the queries with which postgres_exporter reads them.
 * One figure is one metric, whose name ends with its unit. Pure.
 */

/** A metric. */
export interface Metric {
  /** Its name without the prefix: that of the figure. */
  name: string;
  /** What it is, in the words of Prometheus' `# HELP`. */
  help: string;
  /** The name of its label. @default it has none */
  of?: string;
}

/** What the names of all metrics of this program begin with. */
export const METRIC_PREFIX = "transcripts_";

/** The figures of `monitoring.now`, in the database `postgres`: components/server/scripts/figures-now.sql, node-figures.sh. */
export const FIGURE_METRICS: readonly Metric[] = [
  { name: "server_running_seconds", help: "How long the server has been running" },
  {
    name: "connections_used_ratio",
    help: "Connections in use, of those that are not kept for the superuser",
  },
  { name: "transaction_open_seconds", help: "Age of the oldest open transaction of a client" },
  { name: "lock_wait_seconds", help: "How long the session that has waited longest has waited for a lock" },
  { name: "prepared_transaction_seconds", help: "Age of the oldest prepared transaction" },
  {
    name: "transaction_numbers_used_ratio",
    help: "Transaction numbers that no vacuum has freed, of the 2^31 that there are",
  },
  { name: "cache_hit_ratio", help: "Reads that memory answered, since the statistics began" },
  { name: "damaged_pages", help: "Pages whose checksum was wrong when they were read", of: "database" },
  { name: "slot_wal_bytes", help: "WAL that a replication slot keeps on the disk", of: "slot" },
  { name: "archive_behind_seconds", help: "Work that a loss of the disk would cost now" },
  { name: "archive_waiting_segments", help: "Segments of WAL that wait to be archived" },
  {
    name: "repositories_silent_seconds",
    help: "Since when the backup agent has not said what is in the repositories",
  },
  {
    name: "repository_failing",
    help: "Whether a repository cannot be read, or has no backup",
    of: "repository",
  },
  { name: "backup_age_seconds", help: "Age of the newest base backup", of: "repository" },
  {
    name: "restore_proven_seconds",
    help: "Since when no restore was proven; before the first proof, since the oldest backup",
    of: "repository",
  },
  { name: "drill_failed", help: "Whether the last restore drill failed", of: "repository" },
  { name: "disk_size_bytes", help: "Size of the data's disk" },
  { name: "disk_free_bytes", help: "What is free of it" },
  { name: "disk_free_ratio", help: "What is free of it, as a share" },
  { name: "disk_files_free_ratio", help: "Files that it can still hold, as a share" },
  { name: "disk_full_seconds", help: "When it is full, if it goes on as in the last day" },
  { name: "disk_read_only", help: "Whether nothing can be written to it" },
  { name: "raid_missing_devices", help: "Devices that an array lacks", of: "array" },
  { name: "certificate_left_seconds", help: "How long the server's certificate is still valid" },
  { name: "certificate_overdue_seconds", help: "How long ago it should have been renewed" },
  { name: "certificate_refused", help: "Whether a new certificate cannot be used" },
  { name: "configuration_refused", help: "Whether PostgreSQL runs without the deployed configuration" },
  { name: "settings_refused", help: "Whether PostgreSQL refused settings at its last reload" },
  { name: "credentials_refused", help: "Whether a Secret has not been taken up", of: "secret" },
];

/** Of how old those are. */
export const SILENT_METRIC: Metric = {
  name: "figures_silent_seconds",
  help: "Age of the newest figure",
};

/** What only a session in the application's database sees: one query, whose columns are metrics of one label. */
interface Counted {
  /** What the names of its metrics begin with. */
  name: string;
  of: string;
  /** Its columns, without the label's, and what each is. The unit or `total` ends the name. */
  columns: Readonly<Record<string, string>>;
  sql: string;
  /** For how long an answer is good, in seconds. */
  cached: number;
}

/** Of thousands of kinds or indexes, the first will do. */
const MOST = 100;

const COUNTED: readonly Counted[] = [
  {
    name: "jobs",
    of: "kind",
    columns: {
      queued: "Jobs that wait, or that will",
      running: "Jobs that a worker has",
      dead: "Jobs that were given up",
      waiting_seconds: "How long the job that has been due for longest has waited",
    },
    // The view counts all jobs that there ever were.
    cached: 60,
    sql: `SELECT kind,
  coalesce(sum(jobs) FILTER (WHERE status = 'queued'), 0) AS queued,
  coalesce(sum(jobs) FILTER (WHERE status = 'running'), 0) AS running,
  coalesce(sum(jobs) FILTER (WHERE status = 'dead'), 0) AS dead,
  greatest(0, coalesce(extract(epoch FROM now() - min(oldest_run_at) FILTER (WHERE status = 'queued')), 0)) AS waiting_seconds
FROM public.job_counts GROUP BY kind ORDER BY dead DESC, waiting_seconds DESC LIMIT ${MOST}`,
  },
  {
    name: "index",
    of: "index",
    columns: {
      hits_total: "Blocks of an index that memory had",
      reads_total: "Blocks of an index that were read from the disk",
    },
    cached: 0,
    sql: `SELECT i.indexrelname || ' (' || a.amname || ')' AS index, i.idx_blks_hit AS hits_total, i.idx_blks_read AS reads_total
FROM pg_statio_user_indexes AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS a ON a.oid = c.relam
WHERE i.schemaname = 'public' ORDER BY i.idx_blks_hit + i.idx_blks_read DESC LIMIT ${MOST}`,
  },
  {
    name: "extension",
    of: "extension",
    columns: { behind: "Whether an extension is older than the one that the image has" },
    cached: 60,
    // A newer one than the image's is that of an image that was taken back: nothing brings it in line.
    sql: `SELECT e.extname AS extension,
  CASE WHEN e.extversion ~ '^[0-9.]+$' AND a.default_version ~ '^[0-9.]+$'
       THEN string_to_array(e.extversion, '.')::int[] < string_to_array(a.default_version, '.')::int[]
       ELSE e.extversion <> a.default_version END::int AS behind
FROM pg_extension AS e JOIN pg_available_extensions AS a ON a.name = e.extname`,
  },
];

/** The metrics of {@link COUNTED}. */
export const DATABASE_METRICS: readonly Metric[] = COUNTED.flatMap(({ name, of, columns }) =>
  Object.entries(columns).map(([column, help]) => ({ name: `${name}_${column}`, help, of })),
);

/** The metric of a figure. */
export function metricOf(figure: string): Metric | undefined {
  return [...FIGURE_METRICS, SILENT_METRIC, ...DATABASE_METRICS].find(({ name }) => name === figure);
}

/** An entry of the file that `--extend.query-path` names. */
interface Query {
  query: string;
  metrics: Record<string, { usage: "LABEL" | "GAUGE" | "COUNTER"; description: string }>[];
  cache_seconds?: number;
}

/** A figure that was written more than a minute ago is not current, and is left out. */
const figureSql = ({ name, of }: Metric, column: string) =>
  `SELECT ${of === undefined ? "" : `label AS ${of}, `}value AS ${column} FROM monitoring.now ` +
  `WHERE name = '${name}' AND at > clock_timestamp() - interval '1 minute'`;

const silentSql = (column: string) =>
  `SELECT greatest(0, extract(epoch FROM clock_timestamp() - max(at))) AS ${column} FROM monitoring.figure HAVING count(*) > 0`;

const labelled = (of: string | undefined): Query["metrics"] =>
  of === undefined ? [] : [{ [of]: { usage: "LABEL", description: "Which one" } }];

/**
 * The exporter makes a metric's name of a query's name, `_` and a column's. Each query needs a name of its own: this divides
 * the metrics' names so that it has one.
 */
function divided(names: readonly string[]): Map<string, [query: string, column: string]> {
  const taken = new Set<string>();
  return new Map(
    names.map((name) => {
      const words = name.split("_");
      for (let at = words.length - 1; at >= 0; at--) {
        const query = [METRIC_PREFIX.slice(0, -1), ...words.slice(0, at)].join("_");
        if (taken.has(query)) continue;
        taken.add(query);
        return [name, [query, words.slice(at).join("_")]];
      }
      throw new Error(`no name is left for the query of ${name}`);
    }),
  );
}

/** The queries for the database `postgres`, as postgres_exporter reads them: JSON is YAML. */
export function figureQueries(): string {
  const metrics = [...FIGURE_METRICS, SILENT_METRIC];
  const names = divided(metrics.map(({ name }) => name));
  const queries = metrics.map((metric): [string, Query] => {
    const { name, help, of } = metric;
    const [query, column] = names.get(name) ?? [name, "value"];
    return [
      query,
      {
        query: metric === SILENT_METRIC ? silentSql(column) : figureSql(metric, column),
        metrics: [...labelled(of), { [column]: { usage: "GAUGE", description: help } }],
      },
    ];
  });
  return JSON.stringify(Object.fromEntries(queries), undefined, 1);
}

/** The queries for the application's database. */
export function databaseQueries(): string {
  const queries = COUNTED.map(({ name, of, columns, sql, cached }): [string, Query] => [
    METRIC_PREFIX + name,
    {
      query: sql,
      metrics: [
        ...labelled(of),
        ...Object.entries(columns).map(([column, description]) => ({
          [column]: {
            usage: column.endsWith("_total") ? ("COUNTER" as const) : ("GAUGE" as const),
            description,
          },
        })),
      ],
      ...(cached > 0 && { cache_seconds: cached }),
    },
  ]);
  return JSON.stringify(Object.fromEntries(queries), undefined, 1);
}
