import { asks, beyondRights, DENIED, superuserAsks, terminating } from "../acts.ts";
import type { Attacker, Attempt } from "../attempt.ts";
import { OWNER, type Stage } from "../stage.ts";

const tries = beyondRights("watch");
const byReader = { by: "reader" } as const;

/** Beyond what it may in the database of the figures, where it may read them alone. */
const triesAtFigures = (tries: string, statement: string): Attempt<Stage> => ({
  tries,
  attack: asks(statement, { user: "watch", dbname: "postgres" }),
  refused: DENIED,
  control: superuserAsks(["begin", statement, "rollback"], undefined, "postgres"),
});

/** A login that sees how the server does, and no row. */
export const monitoring: Attacker<Stage> = {
  who: "a login of the kind monitoring",
  attempts: [
    tries("reads what was said", "select count(*) from segments", byReader),
    tries("reads which recordings there are", "select count(*) from recordings", byReader),
    tries("searches what was said", "select count(*) from search_segments_text('foxes')", byReader),
    tries("reads the planner's samples of rows", "select stavalues1 from pg_statistic"),
    tries("writes a row", "insert into jobs (kind) values ('no')", { by: "scribe" }),
    tries("becomes a reader of everything", "set role pg_read_all_data"),
    tries("reads a file of the server", "select pg_read_file('postgresql.auto.conf')"),
    tries("lists the server's files", "select pg_ls_dir('/')"),
    tries("ends the owner's sessions", terminating(OWNER), { control: terminating(OWNER) }),
    tries("ends the superuser's sessions", terminating("postgres"), { control: terminating("postgres") }),
    tries("erases the statistics", "select extensions.pg_stat_statements_reset()"),
    tries("has the server read its settings again", "select pg_reload_conf()"),
    tries("changes the server's settings", "alter system reset checkpoint_warning", {
      control: "alter system reset checkpoint_warning",
    }),
    tries("stops archiving by a new segment of WAL", "select pg_switch_wal()"),
    triesAtFigures("says that all is well", "update monitoring.figure set value = 0"),
    triesAtFigures("adds a figure", "insert into monitoring.figure values ('x', '', 0, now())"),
    triesAtFigures(
      "says that a restore was proven",
      "insert into backup.drill (proven, words) values (true, 'so')",
    ),
    triesAtFigures("makes a table next to the figures", "create table monitoring.own ()"),
    triesAtFigures("makes a table in the superuser's database", "create table public.own ()"),
    triesAtFigures("makes a temporary table there", "create temporary table own ()"),
    triesAtFigures("fills the disk there without a table", "select lo_from_bytea(0, 'x')"),
    triesAtFigures("takes a lock there that others wait for", "select pg_advisory_lock(1)"),
  ],
};
