import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { containerFor, type Run, ServerContainer } from "./server-container.ts";

/** What postgresql.conf could set for applications, each of which would stop, blind or mislead our own sessions. */
const HOSTILE: Readonly<Record<string, string>> = {
  statement_timeout: "1ms",
  lock_timeout: "1ms",
  idle_in_transaction_session_timeout: "1ms",
  idle_session_timeout: "1ms",
  default_transaction_read_only: "on",
  default_transaction_isolation: "serializable",
  default_transaction_deferrable: "on",
  synchronous_standby_names: "a_standby_that_there_is_not",
  synchronous_commit: "remote_apply",
  session_preload_libraries: "a_library_that_there_is_not",
  local_preload_libraries: "another_library",
  search_path: "elsewhere, extensions",
  row_security: "off",
  session_replication_role: "replica",
  check_function_bodies: "off",
  default_table_access_method: "a_method_that_there_is_not",
  default_tablespace: "a_place_that_there_is_not",
  temp_tablespaces: "a_place_that_there_is_not",
  client_min_messages: "error",
  client_encoding: "LATIN1",
  standard_conforming_strings: "off",
  backslash_quote: "on",
  escape_string_warning: "off",
  transform_null_equals: "on",
  array_nulls: "off",
  DateStyle: "SQL, DMY",
  IntervalStyle: "sql_standard",
  bytea_output: "escape",
  xmloption: "document",
  quote_all_identifiers: "on",
  exit_on_error: "on",
  extra_float_digits: "-15",
  timezone_abbreviations: "India",
};

describe("the deployment's own sessions, whatever postgresql.conf says to applications", function () {
  this.timeout(120_000);
  let container: ServerContainer;
  let run: Run;

  /** Runs a shell program as the image's user, with the server's programs. */
  const shell = (program: string, environment: Record<string, string> = {}) => {
    const who = ["--reuid", "999", "--regid", "999", "--clear-groups"];
    const ran = spawnSync("setpriv", [...who, "bash", "--norc", "-euo", "pipefail", "-c", program], {
      encoding: "utf8",
      timeout: 30_000,
      env: {
        PATH: `${join(container.root, "programs/usr/lib/postgresql/16/bin")}:/usr/bin:/bin`,
        SCRIPTS: join(container.root, "scripts"),
        SUPERUSER_SOCKET: join(container.root, "socket"),
        ...environment,
      },
    });
    return { status: ran.status, output: ran.stdout.trim(), errors: ran.stderr.trim() };
  };
  const superuser = (sql: string) =>
    shell('. "$SCRIPTS/superuser.sh"; superuser test "" -d postgres -At -c "$SQL"', { SQL: sql });
  /** As migrate.sh connects, with the options that it sets. */
  const owner = (sql: string) =>
    shell(
      'eval "$(grep "^PGOPTIONS=" "$SCRIPTS/migrate.sh")"; export PGOPTIONS; ' +
        'psql -X -q -w -At -v ON_ERROR_STOP=1 -h "$SUPERUSER_SOCKET" -U transcript_user -d postgres -c "$SQL"',
      { SQL: sql },
    );

  before(async function () {
    container = await containerFor(this);
    const gentle = await container.started();
    const made = superuser(
      "create role transcript_user login; grant create on schema public to transcript_user;" +
        "grant set on parameter temp_file_limit to transcript_user",
    );
    assert.equal(made.status, 0, made.errors);
    await gentle.end("SIGINT");
    const settings = Object.entries(HOSTILE).map(([name, value]) => `${name} = '${value}'`);
    container.deploy({ settings: settings.join("\n") });
    run = await container.startedFor((sql) => superuser(sql).status === 0);
  });
  after(async () => {
    await run?.end("SIGINT");
    container?.remove();
  });

  it("the control: a session that sets nothing for itself cannot work", () => {
    const ran = container.query("create table nobody_makes (id int)");
    assert.notEqual(ran.status, 0, ran.output);
  });

  it("the superuser's write, commit and rebuild", () => {
    const ran = superuser(
      "create table public.ours (id int primary key); insert into public.ours select generate_series(1, 1000); " +
        "select pg_sleep(0.2); reindex table public.ours; select count(*) from public.ours",
    );
    assert.equal(ran.errors, "");
    assert.match(ran.output, /1000$/);
  });

  it("the superuser's read and write text as PostgreSQL does by default", () => {
    const left = superuser(
      "select name || ' = ' || setting from pg_settings where source = 'configuration file' and context <> 'postmaster'" +
        ` and name in (${Object.keys(HOSTILE)
          .map((name) => `'${name}'`)
          .join(", ")})` +
        // In force for everybody else's commits, and for what a session may not set.
        " and name not in ('synchronous_standby_names', 'exit_on_error')",
    );
    assert.equal(left.status, 0, left.errors);
    // What was reset is a session's own value by now; the extension of a name is not.
    assert.equal(left.output, "");
  });

  it("the migrations' write, commit, wait and read text as PostgreSQL does by default", () => {
    // The library is nobody's but the owner of a session_preload_libraries' business: no option takes it off.
    const settings = Object.entries(HOSTILE).filter(([name]) => name !== "session_preload_libraries");
    container.deploy({ settings: settings.map(([name, value]) => `${name} = '${value}'`).join("\n") });
    assert.equal(superuser("select pg_reload_conf(); select pg_sleep(0.5)").status, 0);
    const ran = owner(
      "create table public.theirs (id int, t text default 'a\\b'); insert into public.theirs select generate_series(1, 1000); " +
        "select pg_sleep(0.2); select count(*) from public.theirs where t = E'a\\\\b' and t is not null",
    );
    assert.equal(ran.errors, "");
    assert.match(ran.output, /1000$/);
    const seen = owner("select '2026-02-01'::date || ' ' || current_setting('client_encoding')");
    assert.equal(seen.output, "2026-02-01 UTF8", seen.errors);
  });
});
