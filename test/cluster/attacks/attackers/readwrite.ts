import { asks, beyondRights, terminating } from "../acts.ts";
import type { Attacker } from "../attempt.ts";
import { OWNER, type Stage } from "../stage.ts";

const tries = beyondRights("scribe");

/** A login that may read and write rows, and nothing else. */
export const readwrite: Attacker<Stage> = {
  who: "a login of the kind readwrite",
  attempts: [
    // Out of the database.
    tries("runs a program on the server", "copy (select 1) to program 'cat >/dev/null'"),
    tries("reads a file of the server", "select pg_read_file('/etc/passwd')"),
    tries("loads a file of the server into a table", "copy recordings (source_uri) from '/etc/hostname'"),
    tries("writes a file on the server", "copy (select 1) to '/dev/null'"),
    tries("loads a library into the server", "load 'auto_explain'"),
    tries("creates an extension that anybody may who may create", "create extension hstore"),
    tries("creates the extension that connects to other servers", "create extension dblink schema public"),
    tries("imports a file as a large object", "select lo_import('/etc/passwd')"),
    tries("fills the disk with large objects", "select lo_create(0)"),
    tries(
      "replicates from another server",
      "create subscription s connection 'host=192.0.2.1' publication p with (connect = false)",
    ),
    // To other rights.
    tries("becomes the owner", `set role ${OWNER}`),
    tries("becomes the superuser", "set session authorization postgres"),
    tries("makes itself a superuser", "alter role scribe superuser"),
    tries("joins another group", "grant transcripts_monitoring to scribe"),
    tries("joins those who may run programs", "grant pg_execute_server_program to scribe"),
    tries("changes the owner's password", `alter role ${OWNER} password 'mine'`),
    tries("changes another login's password", "alter role reader password 'mine'"),
    tries("takes another login's password away", "alter role watch password null"),
    tries("makes a role", "create role another login"),
    tries("reads the verifiers of passwords", "select rolpassword from pg_authid"),
    tries("reads who may log in from where", "select * from pg_hba_file_rules"),
    // Into what others do.
    tries(
      "reads the statements of other sessions",
      `select query from pg_stat_activity where usename = '${OWNER}' and query ~ 'sleeps'`,
      {
        answer: /sleeps/,
        refused: /^$/,
      },
    ),
    tries("ends the owner's sessions", terminating(OWNER), { control: terminating(OWNER) }),
    tries("takes the locks of everybody", "select pg_advisory_lock(1)"),
    // To the schema and the server.
    tries("changes a table", "alter table recordings add column mine int", { by: OWNER }),
    tries("empties a table at once", "truncate jobs", { by: OWNER }),
    tries("drops a function", "drop function retry_job(bigint)", { by: OWNER }),
    tries("creates a table in another's schema", "create table public.mine ()", { by: OWNER }),
    tries(
      "creates a schema by the name of a role, which its sessions search first",
      "create schema postgres",
    ),
    tries(
      "creates a function that runs with the rights of its owner",
      "create function public.mine() returns int language sql security definer as 'select 1'",
      { by: OWNER },
    ),
    tries("turns a table's triggers off", "alter table jobs disable trigger user", { by: OWNER }),
    tries("turns all triggers off for its session", "set session_replication_role = replica"),
    tries("claims that a migration has run", "insert into schema_migrations values ('29990101000000')", {
      by: OWNER,
    }),
    tries("turns the server's log off", "set log_statement = 'none'"),
    tries("changes the server's settings", "alter system reset checkpoint_warning", {
      control: "alter system reset checkpoint_warning",
    }),
    tries("changes the settings of everybody's sessions", "alter role all set work_mem = '1GB'"),
    tries("changes the settings of the database", "alter database transcripts_db set work_mem = '1GB'", {
      by: OWNER,
    }),
    tries("writes into the WAL without a table", "select pg_logical_emit_message(false, 'mine', 'x')"),
    tries(
      "creates a function in the catalogue",
      "create function pg_catalog.mine() returns int language sql as 'select 1'",
      {
        control: [
          "begin",
          "set local allow_system_table_mods = on",
          "create function pg_catalog.mine() returns int language sql as 'select 1'",
          "rollback",
        ],
      },
    ),
    {
      tries: "shadows a built-in function by one in its temporary schema",
      attack: asks(
        [
          "create function pg_temp.lower(text) returns text language sql as $$select 'shadowed'$$",
          "select lower('UNTOUCHED')",
        ],
        { user: "scribe", answer: /shadowed/ },
      ),
      refused: /^untouched$/,
      control: asks(
        [
          "create function pg_temp.lower(text) returns text language sql as $$select 'shadowed'$$",
          "select pg_temp.lower('UNTOUCHED')",
        ],
        { user: "scribe", answer: /shadowed/ },
      ),
    },
  ],
};
