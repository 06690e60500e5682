/**
 * Settings that PostgreSQL accepts, but that block applications or this deployment's own sessions: a sentence for each,
 * with numbers and a fix. The deployment's own sessions override settings where necessary (scripts/superuser.sh,
 * scripts/migrate.sh, tools/dev/smoke-test.ts); an application does not.
 */
import { bytesOfSetting, readableBytes } from "../quantities.ts";

/** The settings and what they are compared with. */
export interface Circumstances {
  /** All settings in force. */
  settings: Readonly<Record<string, string>>;
  /** The configured ones. */
  configured: Readonly<Record<string, string>>;
  /** Simultaneous connections of the owner. */
  ownerConnections: number;
  /** Size of the volume in bytes. */
  capacity: number;
}

/** Simultaneous superuser sessions: the reconciler's, and a Job's work next to the session that holds its lock. */
const OWN_SUPERUSER_SESSIONS = 3;
/** Simultaneous owner sessions: the migrations' lock, dbmate, and a check whether the server is reachable. */
const OWN_OWNER_SESSIONS = 3;

/** PostgreSQL's words for true (parse_bool: any unambiguous prefix). */
const isOn = (value: string | undefined) => /^(on|t|tr|tru|true|y|ye|yes|1)$/i.test(value?.trim() ?? "");

const remove = (name: string) => `Remove it: pulumi config rm --path database.settings.${name}`;
const change = (name: string, value: string | number) =>
  `Set it: pulumi config set --path database.settings.${name} ${value}`;

/** Timeouts that each role has, so that the one for all sessions never applies. */
const TIMES_OF_ROLES = {
  statement_timeout: "statementTimeout",
  lock_timeout: "lockTimeout",
  idle_in_transaction_session_timeout: "idleInTransactionTimeout",
} as const;

/** Levels of synchronous_commit that do not wait for a standby. */
const LOCAL_COMMIT = /^(local|off|no|n|false|f|0)$/i;

function commits({ settings }: Circumstances): string[] {
  const standbys = settings.synchronous_standby_names?.trim() ?? "";
  if (standbys === "" || LOCAL_COMMIT.test(settings.synchronous_commit?.trim() ?? "on")) return [];
  return [
    `synchronous_standby_names is "${standbys}", and this deployment has 0 standbys: every commit of an application waits ` +
      `for one forever, without an error. ${remove("synchronous_standby_names")}`,
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
      "session_replication_role is replica: triggers and foreign keys do not apply in an application's sessions. " +
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
      `max_connections is ${all}, of which ${superusers + reserved} are reserved: ${left} are left for everybody else, and the ` +
        `migrations alone need ${OWN_OWNER_SESSIONS}. ` +
        change("max_connections", superusers + reserved + OWN_OWNER_SESSIONS + 1) +
        " or more",
    );
  } else if (ownerConnections < OWN_OWNER_SESSIONS) {
    found.push(
      `the owner may have ${ownerConnections} connections at once, but the migrations need ${OWN_OWNER_SESSIONS}: they wait ` +
        `until their Job times out. Set it: pulumi config set --path database.ownerSessions.connections ${OWN_OWNER_SESSIONS}`,
    );
  }
  if (superusers < OWN_SUPERUSER_SESSIONS) {
    found.push(
      `superuser_reserved_connections is ${superusers}, but this deployment needs up to ` +
        `${OWN_SUPERUSER_SESSIONS} sessions: when applications use all other connections, changed passwords and deployments ` +
        `wait for them. ${change("superuser_reserved_connections", OWN_SUPERUSER_SESSIONS)}`,
    );
  }
  for (const name of ["pre_auth_delay", "post_auth_delay"]) {
    const seconds = settings[name]?.trim() ?? "0";
    if (/^0+\s*\w*$/.test(seconds)) continue;
    found.push(
      `${name} is ${seconds}: every new connection waits that long, including this deployment's own, which give up after ` +
        `5 s. ${remove(name)}`,
    );
  }
  for (const name of ["session_preload_libraries", "local_preload_libraries"]) {
    const libraries = settings[name]?.trim() ?? "";
    if (libraries === "" || libraries === "auto_explain") continue;
    found.push(
      `${name} is "${libraries}": if the image does not have all of them, only this deployment's superuser can log in, and ` +
        `the server starts without an error. Try them first in one session (LOAD), or: ${remove(name)}`,
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
      `archive_mode is ${settings.archive_mode}, but neither archive_command nor archive_library is set: WAL is kept until the ` +
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

/** Timeouts for all sessions, which each role's own timeout overrides. */
function overruled({ configured }: Circumstances): string[] {
  return Object.entries(TIMES_OF_ROLES).flatMap(([name, field]) =>
    configured[name] === undefined
      ? []
      : [
          `${name} is ${configured[name]} in database.settings, but applies to none of the roles: each has its own, from ` +
            `database.sessions.${field} and database.ownerSessions.${field}, in seconds. Set those, and: ` +
            `pulumi config rm --path database.settings.${name}`,
        ],
  );
}

/** Sentences about what would block applications or this deployment. */
export function sessionBlockers(circumstances: Circumstances): string[] {
  return [commits, writes, connections, walOf, overruled].flatMap((kind) => kind(circumstances));
}
