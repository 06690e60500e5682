/** The product's own queries, run as an unprotected superuser would, to see that the traps are where they go. */
import { queriesIn, sources, variablesOf } from "./names.ts";
import { asUnprotected } from "./sessions.ts";

/** Values for psql's variables; anything else is a number. */
const VALUES: Readonly<Record<string, string>> = {
  owner: "transcript_user",
  role: "transcript_user",
  database: "transcripts_db",
  login: "scribe",
  group: "transcripts_readwrite",
  target: "0/1000000",
  wanted: '{"rows": {"public.recordings": 1}, "migrations": ["20250101000000"]}',
  found: "{}",
  node: "disk_free_bytes\\t\\t1000",
  figures: '[{"name": "damaged_pages", "label": "postgres", "value": 0}]',
  word: "word-1",
  handover: "/tmp",
};

export interface Rehearsed {
  path: string;
  query: string;
  /** Traps that sprang. */
  sprung: string[];
}

/** Where the product's superuser sessions have their SQL; what the owner or a login runs is left out. */
const SUPERUSERS =
  /^(sql\/(bootstrap|upgrade)|components)\/(?!.*\b(look\.sh|migrate\.sh|dump\.sh|dump-snapshot\.sql|drill-(count|lock)\.sql)$)/;

/**
 * A query that finds nothing calls nothing: heartbeats, an extension that can follow its image, and one that cannot.
 */
const THERE = `
  create schema if not exists backup;
  create table if not exists backup.heartbeat (n bigint, at timestamptz, lsn pg_lsn, boot uuid, uptime numeric);
  insert into backup.heartbeat values (1, now(), '0/1000000', '00000000-0000-0000-0000-000000000000', 1);
  create table if not exists backup.drill (n bigint, at timestamptz, proven boolean, repository text);
  create schema if not exists monitoring;
  create table if not exists monitoring.figure (name text, label text, value float8, at timestamptz, primary key (name, label));
  create table if not exists monitoring.disk (n bigint, at timestamptz, free bigint);
  create or replace view backup.uptime as select boot, uptime as seconds from backup.heartbeat;
  create or replace view backup.archived as select n, at, uptime as lost from backup.heartbeat;
  update pg_extension set extversion = '0.0.1' where extname = 'vector';
  update pg_extension set extversion = '0.0.1', extnamespace = 'public'::regnamespace where extname = 'pg_trgm';`;

/** Runs every query in a transaction that is rolled back, with traps that do nothing but say so. */
export async function rehearseQueries(searchPath: string): Promise<Rehearsed[]> {
  const queries = sources()
    .filter(({ path }) => SUPERUSERS.test(path))
    .flatMap((source) => queriesIn(source).map((found) => ({ path: source.path, ...found })))
    // A variable of the shell may be a function's name, or a number.
    .map((found) => ({
      ...found,
      query: found.query.replaceAll(/\$\w+\(/g, "pg_advisory_lock(").replaceAll(/\$[a-z]\w*(?![\w$])/g, "1"),
    }));
  const script = queries.map(({ views, query }, index) =>
    [
      ...variablesOf([...views, query].join(" ")).map((name) => `\\set ${name} '${VALUES[name] ?? "1"}'`),
      "begin;",
      "set local search_path = pg_catalog;",
      ...views.map((view) => `${view};`),
      THERE,
      `\\warn -- ${index}`,
      "set local adversary.rehearsal = 'on';",
      `set local search_path = ${searchPath};`,
      `${query};`,
      "rollback;",
    ].join("\n"),
  );
  const { stderr } = await asUnprotected(script.join("\n"), "pg_catalog");
  const answers = stderr.split(/^-- \d+\n/m).slice(1);
  return queries.map(({ path, query }, index) => ({
    path,
    query: query.replaceAll(/\s+/g, " "),
    sprung: [...(answers[index] ?? "").matchAll(/sprung: (.*)$/gm)].map(([, trap = ""]) => trap),
  }));
}
