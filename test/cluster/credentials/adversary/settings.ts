/** Settings that the owner may attach to its database, where they are every session's. */

export interface Hostile {
  name: string;
  /** As ALTER … SET takes it. */
  value: string;
  /** The answer of an unprotected superuser's session to {@link seen}, once the setting is attached. */
  answer: string;
  /** @default the setting's value */
  seen?: string;
}

const in_force = (name: string, value: string, answer = value): Hostile => ({
  name,
  value: `'${value}'`,
  answer,
});

/** Each with what shows that it reached a session. */
export const HOSTILE: readonly Hostile[] = [
  {
    name: "search_path",
    value: "postgres, public, pg_catalog",
    answer: "postgres, public, pg_catalog",
  },
  { name: "role", value: "transcript_user", answer: "off", seen: "select current_setting('is_superuser')" },
  // Stored, and without effect: what a session logged in as outranks it. Asserted, lest it should change.
  {
    name: "session_authorization",
    value: "transcript_user",
    answer: "on",
    seen: "select current_setting('is_superuser')",
  },
  {
    name: "local_preload_libraries",
    value: "'nosuch'",
    answer: 'FATAL:  could not access file "$libdir/plugins/nosuch": No such file or directory',
  },
  // What 1 ms does a loaded machine may also do to this session's own question.
  {
    name: "statement_timeout",
    value: "'1ms'",
    answer: "ERROR:  canceling statement due to statement timeout",
    seen: "select pg_catalog.pg_sleep(1)",
  },
  in_force("lock_timeout", "1ms"),
  in_force("idle_in_transaction_session_timeout", "1ms"),
  in_force("default_transaction_read_only", "on"),
  in_force("default_transaction_isolation", "serializable"),
  in_force("standard_conforming_strings", "off"),
  in_force("transform_null_equals", "on"),
  in_force("array_nulls", "off"),
  in_force("quote_all_identifiers", "on"),
  in_force("client_min_messages", "error"),
  in_force("client_encoding", "SJIS"),
  in_force("exit_on_error", "on"),
  in_force("password_encryption", "md5"),
  in_force("check_function_bodies", "off"),
  in_force("synchronous_commit", "off"),
  in_force("default_tablespace", "pg_global"),
  in_force("createrole_self_grant", "set"),
  in_force("xmloption", "document"),
  { name: "DateStyle", value: "'German'", answer: "German, DMY" },
  { name: "plpgsql.extra_errors", value: "'all'", answer: "all" },
];

/** Those that the owner's own sessions survive: no setting of a role undoes what a missing library does. */
export const TOLERABLE = HOSTILE.filter(({ name }) => name !== "local_preload_libraries");

/**
 * The owner's own sessions, which the same settings would break: what a role has outranks what the database has. Only what
 * the superuser's sessions make of them is of interest here.
 */
const SHIELD: Readonly<Record<string, string>> = {
  search_path: '"$user", public, extensions',
  role: "'none'",
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  default_transaction_read_only: "off",
  default_transaction_isolation: "'read committed'",
  standard_conforming_strings: "on",
  transform_null_equals: "off",
  array_nulls: "on",
  quote_all_identifiers: "off",
  client_min_messages: "notice",
  client_encoding: "'UTF8'",
  exit_on_error: "off",
  default_tablespace: "''",
  DateStyle: "'ISO, MDY'",
  check_function_bodies: "on",
};

/** Options of the adversary's own connections. */
export const ADVERSARY_OPTIONS = [
  ...["role=none", "local_preload_libraries=", "statement_timeout=0", "lock_timeout=0"],
  ...["default_transaction_read_only=off", "idle_in_transaction_session_timeout=0", "exit_on_error=off"],
  ...["standard_conforming_strings=on", "client_encoding=UTF8", "default_tablespace="],
  'search_path="$user",public',
]
  .map((option) => `-c ${option}`)
  .join(" ");

/**
 * SQL that attaches all of them, in every way there is to do it, where they are not attached yet. A known prefix, as
 * plpgsql's, takes its library.
 */
export function attachAll(settings: readonly Hostile[]): string {
  const shield = Object.entries(SHIELD).map(
    ([name, value]) => `alter role transcript_user set ${name} = ${value};`,
  );
  const attached = settings.map(({ name, value }, index) =>
    index % 2 === 0
      ? `alter database transcripts_db set ${name} = ${value};`
      : `alter role all in database transcripts_db set ${name} = ${value};`,
  );
  return `do $attach$ begin
    if (select count(*) from pg_catalog.pg_db_role_setting, unnest(setconfig) as s
         where setrole = 0 and setdatabase = (select oid from pg_catalog.pg_database where datname = 'transcripts_db'))
       < ${settings.length} then
      ${[...shield, ...attached].join("\n      ")}
    end if;
  end $attach$;`;
}
