import { asks, beyondRights, superuserAsks, terminating } from "../acts.ts";
import type { Attacker } from "../attempt.ts";
import { OWNER, type Stage } from "../stage.ts";

const tries = beyondRights(OWNER);

/**
 * The owner, whose migrations may do anything to the database, and nothing to the server. How it fails to trap the
 * product's superuser sessions is in credentials/adversary.test.ts.
 */
export const owner: Attacker<Stage> = {
  who: "the owner of the database",
  attempts: [
    tries("runs a program on the server", "copy (select 1) to program 'cat >/dev/null'"),
    tries("reads a file of the server", "select pg_read_file('/etc/passwd')"),
    tries("writes a file on the server", "copy (select 1) to '/dev/null'"),
    tries("exports a large object into a file", "select lo_export(4242, '/tmp/mine')", {
      control: [
        "begin",
        "select lo_from_bytea(4242, 'x')",
        "select lo_export(4242, '/dev/null')",
        "rollback",
      ],
    }),
    tries("creates the extension that reads files", "create extension file_fdw"),
    tries("creates the extension that connects to other servers", "create extension dblink schema public"),
    tries(
      "replicates from another server",
      "create subscription s connection 'host=192.0.2.1' publication p with (connect = false)",
    ),
    tries(
      "keeps the server's WAL for ever by a replication slot",
      "select pg_create_physical_replication_slot('mine')",
      {
        control: [
          "select pg_create_physical_replication_slot('mine')",
          "select pg_drop_replication_slot('mine')",
        ],
      },
    ),
    tries(
      "creates a function in C",
      "create function mine() returns void language c as '$libdir/plpgsql', 'plpgsql_call_handler'",
    ),
    tries("becomes the superuser", "set role postgres"),
    tries("makes itself a superuser", `alter role ${OWNER} superuser`),
    tries("makes a role", "create role another login"),
    tries("joins those who may run programs", `grant pg_execute_server_program to ${OWNER}`),
    tries("changes the superuser's password", "alter role postgres password 'mine'"),
    tries("changes a login's password", "alter role scribe password 'mine'"),
    tries("reads the verifiers of passwords", "select rolpassword from pg_authid"),
    tries("reads who may log in from where", "select * from pg_hba_file_rules"),
    tries("gives the superuser a function that runs with its rights", [
      "create function mine() returns int language sql security definer as 'select 1'",
      "alter function mine() owner to postgres",
    ]),
    tries("runs a function at every change of the schema", [
      "create function mine() returns event_trigger language plpgsql as 'begin end'",
      "create event trigger mine on ddl_command_end execute function mine()",
    ]),
    tries("changes the superuser's settings", "alter role postgres set search_path = public"),
    tries(
      "has every session load a library",
      "alter database transcripts_db set session_preload_libraries = 'mine'",
    ),
    tries("changes the server's settings", "alter system reset checkpoint_warning", {
      control: "alter system reset checkpoint_warning",
    }),
    tries("turns the server's log off", "alter database transcripts_db set log_min_messages = 'panic'"),
    tries("ends the superuser's sessions", terminating("postgres"), { control: terminating("postgres") }),
    tries("publishes every table, also those of others", "create publication mine for all tables"),
    tries("puts data elsewhere on the node", "create tablespace mine location '/tmp/tablespace'", {
      control: [
        "copy (select 1) to program 'mkdir -p -m 700 /tmp/tablespace'",
        "create tablespace mine location '/tmp/tablespace'",
        "drop tablespace mine",
      ],
    }),
    {
      tries: "logs in to the superuser's database",
      attack: asks("select 1", { dbname: "postgres" }),
      refused: /permission denied for database "postgres"/,
      control: superuserAsks("select 1"),
    },
  ],
};
