/**
 * Settings that PostgreSQL takes, and that keep applications, or this deployment's own sessions, from working: a sentence
 * for each with its numbers and the way out. The deployment's own sessions set what they need for themselves
 * (scripts/superuser.sh, scripts/migrate.sh, tools/dev/smoke-test.ts); an application does not.
 */
import { bytesOfSetting, readableBytes } from "../quantities.ts";

/** What the sentences speak of besides the settings. */
export interface Circumstances {
  /** All settings in force. */
  settings: Readonly<Record<string, string>>;
  /** Those that the configuration names. */
  configured: Readonly<Record<string, string>>;
  /** Connections that the owner may have at once. */
  ownerConnections: number;
  /** Size of the volume in bytes. */
  capacity: number;
}

/** Superuser's sessions at once: the reconciler's, and a Job's work next to the one that holds its lock. */
const OWN_SUPERUSER_SESSIONS = 3;
/** Owner's sessions at once: the migrations' lock, dbmate, and a look whether the server can be reached. */
const OWN_OWNER_SESSIONS = 3;

/** PostgreSQL's words for yes (parse_bool: any unambiguous beginning). */
const isOn = (value: string | undefined) => /^(on|t|tr|tru|true|y|ye|yes|1)$/i.test(value?.trim() ?? "");

const remove = (name: string) => `Remove it: pulumi config rm --path database.settings.${name}`;
const change = (name: string, value: string | number) =>
  `Set it: pulumi config set --path database.settings.${name} ${value}`;

/** Times that each role has of its own, so that the one of all sessions applies to nobody. */
const TIMES_OF_ROLES = {
  statement_timeout: "statementTimeout",
  lock_timeout: "lockTimeout",
  idle_in_transaction_session_timeout: "idleInTransactionTimeout",
} as const;

/** Levels of synchronous_commit that wait for no standby. */
const LOCAL_COMMIT = /^(local|off|no|n|false|f|0)$/i;

function commits({ settings }: Circumstances): string[] {
  const standbys = settings.synchronous_standby_names?.trim() ?? "";
  if (standbys === "" || LOCAL_COMMIT.test(settings.synchronous_commit?.trim() ?? "on")) return [];
  return [
    `synchronous_standby_names is "${standbys}", and this deployment has 0 standbys: every commit of an application waits ` +
      `for one, without an end and without an error. ${remove("synchronous_standby_names")}`,
  ];
}

function writes({ settings }: Circumstances): string[] {
  const found: string[] = [];
  if (isOn(settings.default_transaction_read_only)) {
    found.push(
      "default_transaction_read_only is on: every INSERT, UPDATE and DELETE of an application fails, unless its session " +
        `turns it off. Migrations do. ${remove("default_transaction_read_only")}`,
    );
  }
  if (/^replica$/i.test(settings.session_replication_role ?? "")) {
    found.push(
      "session_replication_role is replica: no trigger and no foreign key of an application's sessions is in force. " +
        remove("session_replication_role"),
    );
  }
  return found;
}

function connections({ settings, ownerConnections }: Circumstances): string[] {
  const found: string[] = [];
  const count = (name: string, usual: number) => Number(settings[name] ?? usual);
  const [all, superusers, reserved] = [
    count("max_connections", 100),
    count("superuser_reserved_connections", 3),
    count("reserved_connections", 0),
  ];
  const left = all - superusers - reserved;
  if (left < OWN_OWNER_SESSIONS + 1) {
    found.push(
      `max_connections is ${all}, of which ${superusers + reserved} are reserved: ${left} are left for everybody, and the ` +
        `migrations alone take ${OWN_OWNER_SESSIONS}. ` +
        change("max_connections", superusers + reserved + OWN_OWNER_SESSIONS + 1) +
        " or more",
    );
  } else if (ownerConnections < OWN_OWNER_SESSIONS) {
    found.push(
      `the owner may have ${ownerConnections} connections at once, and the migrations take ${OWN_OWNER_SESSIONS}: they wait ` +
        `until their Job's time is over. Set it: pulumi config set --path database.ownerSessions.connections ${OWN_OWNER_SESSIONS}`,
    );
  }
  if (superusers < OWN_SUPERUSER_SESSIONS) {
    found.push(
      `superuser_reserved_connections is ${superusers}, and this deployment's own sessions are up to ` +
        `${OWN_SUPERUSER_SESSIONS}: when applications take all other connections, changed passwords and deployments wait for ` +
        `them. ${change("superuser_reserved_connections", OWN_SUPERUSER_SESSIONS)}`,
    );
  }
  for (const name of ["pre_auth_delay", "post_auth_delay"]) {
    const seconds = settings[name]?.trim() ?? "0";
    if (/^0+\s*\w*$/.test(seconds)) continue;
    found.push(
      `${name} is ${seconds}: every new connection waits that long, this deployment's own included, which give up after ` +
        `5 s. ${remove(name)}`,
    );
  }
  for (const name of ["session_preload_libraries", "local_preload_libraries"]) {
    const libraries = settings[name]?.trim() ?? "";
    if (libraries === "" || libraries === "auto_explain") continue;
    found.push(
      `${name} is "${libraries}": nobody but this deployment's superuser logs in if the image does not have all of them, and ` +
        `no start of the server finds that out. Try it first in one session (LOAD), or: ${remove(name)}`,
    );
  }
  return found;
}

function walOf({ settings, capacity }: Circumstances): string[] {
  const archiving = /^(on|always|t|true|y|yes|1)$/i.test(settings.archive_mode?.trim() ?? "");
  const nothing = ["archive_command", "archive_library"].every(
    (name) => (settings[name] ?? "").trim() === "",
  );
  const found: string[] = [];
  if (archiving && nothing) {
    found.push(
      `archive_mode is ${settings.archive_mode}, and neither archive_command nor archive_library is set: WAL is kept until the ` +
        `volume of ${readableBytes(capacity)} is full, and then the server stops. ${remove("archive_mode")}`,
    );
  }
  const kept = bytesOfSetting(settings.wal_keep_size ?? "0") ?? 0;
  if (kept > capacity / 2) {
    found.push(
      `wal_keep_size is ${readableBytes(kept)}, more than half of storage.capacity, ${readableBytes(capacity)}: a full ` +
        `volume stops every writer. ${remove("wal_keep_size")}`,
    );
  }
  return found;
}

/** Times that are set for all sessions, where each role has one of its own. */
function overruled({ configured }: Circumstances): string[] {
  return Object.entries(TIMES_OF_ROLES).flatMap(([name, field]) =>
    configured[name] === undefined
      ? []
      : [
          `${name} is ${configured[name]} in database.settings, and applies to none of the roles: each has its own, by ` +
            `database.sessions.${field} and database.ownerSessions.${field}, in seconds. Set those, and: ` +
            `pulumi config rm --path database.settings.${name}`,
        ],
  );
}

/** What would block applications or this deployment, in sentences. */
export function sessionBlockers(circumstances: Circumstances): string[] {
  return [commits, writes, connections, walOf, overruled].flatMap((kind) => kind(circumstances));
}
