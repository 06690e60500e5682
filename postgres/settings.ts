/**
 * PostgreSQL's settings as this deployment has them: which are its own, which may be configured and to what, and what it
 * takes to change one. What PostgreSQL itself knows of them is in ../postgres.
 */
import {
  canonicalName,
  descriptionOf,
  hasKnownPrefix,
  isCustomName,
  LIBRARIES,
  SETTINGS,
} from "./catalogue.ts";
import { quotedValue } from "./conf-file.ts";
import { splitIdentifiers, splitPaths } from "./lists.ts";
import { parseBoolean } from "./numbers.ts";
import { plainValue, readValue } from "./values.ts";
import { SOCKET_PATH, VOLUME_SOCKET_PATH } from "./places.ts";

/** The settings by which this deployment stands; they are not configuration. */
const OWN: Readonly<Record<string, string>> = {
  listen_addresses: "*",
  port: "5432",
  unix_socket_directories: `${SOCKET_PATH}, ${VOLUME_SOCKET_PATH}`,
  password_encryption: "scram-sha-256",
  // Files of the ConfigMap, never of the data directory.
  hba_file: "/etc/postgresql/pg_hba.conf",
  ident_file: "/etc/postgresql/pg_ident.conf",
  dynamic_shared_memory_type: "posix",
  // Standard error, which is the pod's log.
  log_destination: "stderr",
  logging_collector: "off",
  // A password in ALTER ROLE would be shown to whoever may read statistics.
  "pg_stat_statements.track_utility": "off",
};

/** What is set unless configuration says otherwise. */
const USUAL: Readonly<Record<string, string>> = {
  shared_preload_libraries: "pg_stat_statements",
  "pg_stat_statements.track": "top",
  log_timezone: "UTC",
  TimeZone: "UTC",
  log_checkpoints: "on",
  log_lock_waits: "on",
  log_line_prefix: "%m [%p] %q%u@%d ",
  // Index builds and bulk loads of embeddings write much WAL at once; 1GB would force a checkpoint every minute.
  max_wal_size: "4GB",
  // A pod that requests no huge pages may not touch one: where the node has some, `try` ends in SIGBUS.
  huge_pages: "off",
  // Where the extensions are, for everybody. A schema that is not there yet is passed over.
  search_path: '"$user", public, extensions',
  // The text of a statement that failed may be as long as its sender likes, and hold what nobody else should read.
  log_min_error_statement: "panic",
  // Connections that do not log in take slots from those that want to.
  authentication_timeout: "10s",
  // Room for every login to look at everything at once: a full lock table lets nobody in.
  max_locks_per_transaction: "128",
};

/** Names of settings, for suggestions. */
export function settingNames(): string[] {
  return Object.keys(SETTINGS);
}

/** Files and places that are the container's. */
const PLACES: Readonly<Record<string, string>> = {
  data_directory: "is where the volume is mounted",
  config_file: "is a file of the ConfigMap",
  external_pid_file: "is a file on a root file system that is read-only",
  unix_socket_group: "is a group of the container's, and only the server's own user uses the sockets",
};

/** Settings of one transaction, which a file cannot set. */
const OF_A_TRANSACTION: Readonly<Record<string, string>> = {
  transaction_isolation: "default_transaction_isolation",
  transaction_read_only: "default_transaction_read_only",
  transaction_deferrable: "default_transaction_deferrable",
};

type Objection = (value: string, otherLibraries: boolean) => string | undefined;

/** A library as a server finds it: without the path of the installation, and without its suffix. */
const libraryName = (path: string) => path.replace(/^\$libdir\//, "").replace(/\.so$/, "");

/** Why a list of libraries to load would keep the server from starting, or every session from beginning. */
function unknownLibrary(value: string, otherLibraries: boolean): string | undefined {
  const libraries = splitPaths(value);
  if (!libraries) return `is "${value}", whose syntax is invalid. Allowed: names with commas between them`;
  if (otherLibraries) return undefined;
  const unknown = libraries.map(libraryName).find((library) => !LIBRARIES.includes(library));
  return unknown === undefined
    ? undefined
    : `is "${value}", but the image has no library ${unknown}. Allowed: a list of ${LIBRARIES.join(", ")}`;
}

/** What this deployment cannot be without, though PostgreSQL takes it. */
const NOT_HERE: Readonly<Record<string, Objection>> = {
  shared_preload_libraries: (value, otherLibraries) =>
    splitPaths(value)?.map(libraryName).includes("pg_stat_statements")
      ? unknownLibrary(value, otherLibraries)
      : `is "${value}", but pg_stat_statements must be among the libraries: monitoring reads it`,
  session_preload_libraries: unknownLibrary,
  local_preload_libraries: (value) =>
    splitPaths(value)?.length === 0
      ? undefined
      : `is "${value}", but the image has no $libdir/plugins, and no session would begin. Allowed: nothing`,
  dynamic_library_path: (value) =>
    value.split(":").includes("$libdir")
      ? undefined
      : `is "${value}", but the extensions' libraries are in $libdir. Allowed: a list of paths with $libdir in it`,
  search_path: (value) =>
    splitIdentifiers(value)?.includes("extensions")
      ? undefined
      : `is "${value}", but extensions must be among the schemas: types and functions of pgvector are in it`,
  huge_pages: (value) =>
    value === "off"
      ? undefined
      : `is "${value}", but the pod requests no huge pages, and a server that wants them would not start. Allowed: off`,
  ssl: (value) =>
    parseBoolean(value) === false
      ? undefined
      : `is "${value}", but the server has no certificate, and would not start. Allowed: off`,
  db_user_namespace: (value) =>
    parseBoolean(value) === false
      ? undefined
      : `is "${value}", but the logins' names would have to hold an @. Allowed: off`,
  unix_socket_permissions: (value) =>
    // What an owner needs to connect.
    (Number(readNumber("unix_socket_permissions", value)) & 0o600) === 0o600
      ? undefined
      : `is "${value}", but the server's own user must read and write its sockets. Allowed: 0600, or more such as 0700`,
  default_table_access_method: (value) =>
    value === "heap" ? undefined : `is "${value}", but the image has no other access method. Allowed: heap`,
  client_encoding: (value) =>
    value.replace(/[^A-Za-z0-9]/g, "").toLowerCase() === "muleinternal"
      ? `is "${value}", to which the database's UTF8 cannot be converted: no session would begin. Allowed: UTF8`
      : undefined,
};

function readNumber(name: string, value: string): number | undefined {
  const read = readValue(name, value);
  return "value" in read && typeof read.value === "number" ? read.value : undefined;
}

/** A name as PostgreSQL spells it, and unchanged where it knows none. */
export function settingName(name: string): string {
  return canonicalName(name) ?? name;
}

/** Whether a name is one of PostgreSQL 16's, of a library of the image, or of somebody's own: with a dot. */
export function isSettingName(name: string): boolean {
  return canonicalName(name) !== undefined || (isCustomName(name) && !hasKnownPrefix(name));
}

/** Why a setting cannot be used. */
export interface SettingObjection {
  message: string;
  /** What to do: another value is allowed, another name is meant, or nothing of it can be set. */
  remedy: "set" | "rename" | "remove";
}

/**
 * Why a written setting cannot be used, or undefined when it can.
 *
 * @param otherLibraries whether the image may have libraries that the official one does not have. Default: no
 */
export function objectionTo(
  written: string,
  value: string,
  otherLibraries = false,
): SettingObjection | undefined {
  const name = settingName(written);
  const remove = (message: string): SettingObjection => ({ message, remedy: "remove" });
  if (isOwnSetting(name))
    return remove(`is set by the deployment itself (${name} = ${OWN[name]}) and cannot be configured`);
  if (Object.hasOwn(PLACES, name)) return remove(`${PLACES[name]}, and cannot be configured`);
  if (Object.hasOwn(OF_A_TRANSACTION, name)) {
    const ofAll = OF_A_TRANSACTION[name];
    return remove(`is of one transaction alone. Allowed: ${ofAll} for the default of all`);
  }
  if (/[\n\r\0]/.test(value)) return { message: "holds a line break", remedy: "set" };
  if (!isSettingName(name)) return { message: "is not a setting of PostgreSQL 16", remedy: "rename" };
  if (!descriptionOf(name)) return undefined;
  const read = readValue(name, value);
  if ("value" in read) {
    const message = NOT_HERE[name]?.(value, otherLibraries);
    return message === undefined ? undefined : { message, remedy: "set" };
  }
  const meant = read.meant === undefined ? "" : `. Did you mean ${read.meant}?`;
  return {
    message: `is ${/^-?\d+$/.test(value) ? value : `"${value}"`}. Allowed: ${read.allowed}${meant}`,
    remedy: "set",
  };
}

/**
 * Settings as everything behind the configuration reads them: names as PostgreSQL spells them, numbers plain and sizes with
 * their unit.
 */
export function plainSettings(configured: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(configured).map(([name, value]) => [settingName(name), plainValue(name, value)]),
  );
}

/**
 * Whether a changed value takes a restart of the server to be in force. What a library says that is not the image's is
 * not known; a restart is what brings it into force for certain.
 */
export function takesRestart(name: string): boolean {
  const description = descriptionOf(name);
  return description === undefined ? name.includes(".") : description.context === "postmaster";
}

/** Whether a setting is one by which this deployment stands, whatever is configured. */
export function isOwnSetting(name: string): boolean {
  return Object.hasOwn(OWN, name);
}

/**
 * Everything that is set: the configured settings with what this deployment adds.
 *
 * @param added settings of the deployment's capabilities
 */
export function effectiveSettings(
  configured: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { ...USUAL, ...configured, ...added, ...OWN };
}

/** The text of postgresql.conf, in the order of names so that two renderings of the same settings are the same. */
export function postgresqlConf(
  configured: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>> = {},
): string {
  const settings = effectiveSettings(configured, added);
  const lines = Object.keys(settings)
    .sort()
    .map((name) => `${name} = ${quotedValue(settings[name] ?? "")}`);
  return `# Made from database.settings; edits here are overwritten by the next deployment.\n${lines.join("\n")}\n`;
}

/** The part of the settings that takes a restart to change, as text to take a checksum of. */
export function restartSettings(
  configured: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>> = {},
): string {
  return Object.entries(effectiveSettings(configured, added))
    .filter(([name]) => takesRestart(name))
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join("\n");
}
