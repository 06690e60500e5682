import { beyondRights, terminating } from "../acts.ts";
import type { Attacker } from "../attempt.ts";
import { OWNER, type Stage } from "../stage.ts";

const tries = beyondRights("reader");
const byWriter = { by: "scribe" } as const;

/** A login that may read rows, and nothing else. */
export const readonly: Attacker<Stage> = {
  who: "a login of the kind readonly",
  attempts: [
    tries("writes a row", "insert into recordings (source_uri) values ('attacks:1')", byWriter),
    tries("changes rows", "update recordings set title = 'no'", byWriter),
    tries("deletes rows", "delete from segments", byWriter),
    tries("locks rows", "select id from recordings for update", byWriter),
    tries("empties a table at once", "truncate jobs", { by: OWNER }),
    tries("uses a sequence up", "select nextval(pg_get_serial_sequence('jobs', 'id'))", byWriter),
    tries("queues a job", "select enqueue_job('attacks')", byWriter),
    tries("takes jobs from the queue", "select * from claim_jobs('attacks', '{attacks}')", byWriter),
    tries("creates a temporary table", "create temporary table mine ()", byWriter),
    tries("creates a table in another's schema", "create table public.mine ()", { by: OWNER }),
    tries("uses transaction numbers up", "select pg_current_xact_id()", byWriter),
    tries("fills the disk with large objects", "select lo_from_bytea(0, 'x')"),
    tries("becomes a writer", "set role transcripts_readwrite"),
    tries("becomes the owner", `set role ${OWNER}`),
    tries("makes itself a writer", "grant transcripts_readwrite to reader"),
    tries("changes a writer's password", "alter role scribe password 'mine'"),
    tries("ends another login's sessions", terminating("watch"), { control: terminating("watch") }),
    tries("runs a program on the server", "copy recordings to program 'cat >/dev/null'", {
      control: "copy (select 1) to program 'cat >/dev/null'",
    }),
    tries("lists the server's files", "select pg_ls_dir('/')"),
    tries("reads the verifiers of passwords", "select * from pg_shadow"),
    tries("takes the locks of everybody", "select pg_advisory_lock(1)"),
    tries("lets its snapshots pile up", "select pg_export_snapshot()"),
    tries(
      "reads the statements of others in the statistics",
      `select query from pg_stat_statements where userid <> 'reader'::regrole and query <> '<insufficient privilege>'`,
      {
        answer: /./,
        refused: /^$/,
      },
    ),
  ],
};
