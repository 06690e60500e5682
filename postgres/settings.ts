/**
 * PostgreSQL's settings in this deployment: which are fixed, which can be configured and how, and which require a
 * restart.
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

/** Settings that this deployment depends on; they cannot be configured. */
const OWN: Readonly<Record<string, string>> = {
  listen_addresses: "*",
  port: "5432",
  unix_socket_directories: `${SOCKET_PATH}, ${VOLUME_SOCKET_PATH}`,
  password_encryption: "scram-sha-256",
  // Files from the ConfigMap, never from the data directory.
  hba_file: "/etc/postgresql/pg_hba.conf",
  ident_file: "/etc/postgresql/pg_ident.conf",
  dynamic_shared_memory_type: "posix",
  // Standard error, which is the pod's log.
  log_destination: "stderr",
  logging_collector: "off",
  // Everyone who may read statistics would see a password in ALTER ROLE.
  "pg_stat_statements.track_utility": "off",
};

/** This deployment's defaults. */
const USUAL: Readonly<Record<string, string>> = {
  shared_preload_libraries: "pg_stat_statements",
  "pg_stat_statements.track": "top",
  log_timezone: "UTC",
  TimeZone: "UTC",
  log_checkpoints: "on",
  log_lock_waits: "on",
  log_line_prefix: "%m [%p] %q%u@%d ",
  // Index builds and bulk loads of embeddings write a lot of WAL; 1GB would force a checkpoint every minute.
  max_wal_size: "4GB",
  // A pod that requests no huge pages must not use any: if the node has some, `try` ends in SIGBUS.
  huge_pages: "off",
  // Contains the extensions' schema. PostgreSQL ignores a schema that does not exist yet.
  search_path: '"$user", public, extensions',
  // A failed statement can be arbitrarily long, and contain confidential data.
  log_min_error_statement: "panic",
  // Connections that do not log in occupy slots that others need.
  authentication_timeout: "10s",
  // Enough for every login to read everything at once: with a full lock table, nobody can log in.
  max_locks_per_transaction: "128",
};

/** Names of settings, for suggestions. */
export function settingNames(): string[] {
  return Object.keys(SETTINGS);
}

/** Files and paths that the container determines. */
const PLACES: Readonly<Record<string, string>> = {
  data_directory: "is where the volume is mounted",
  config_file: "is a file of the ConfigMap",
  external_pid_file: "is a file on a root file system that is read-only",
  unix_socket_group: "is a group of the container, and only the server's own user uses the sockets",
};

/** Settings of a single transaction, which a file cannot set. */
const OF_A_TRANSACTION: Readonly<Record<string, string>> = {
  transaction_isolation: "default_transaction_isolation",
  transaction_read_only: "default_transaction_read_only",
  transaction_deferrable: "default_transaction_deferrable",
};

type Objection = (value: string, otherLibraries: boolean) => string | undefined;

/** A library's name without the installation's path and the suffix. */
const libraryName = (path: string) => path.replace(/^\$libdir\//, "").replace(/\.so$/, "");

/** Why a list of libraries would prevent the server or every session from starting. */
function unknownLibrary(value: string, otherLibraries: boolean): string | undefined {
  const libraries = splitPaths(value);
  if (!libraries) return `is "${value}", whose syntax is invalid. Allowed: comma-separated names`;
  if (otherLibraries) return undefined;
  const unknown = libraries.map(libraryName).find((library) => !LIBRARIES.includes(library));
  return unknown === undefined
    ? undefined
    : `is "${value}", but the image has no library ${unknown}. Allowed: a list of ${LIBRARIES.join(", ")}`;
}

/** Values that PostgreSQL accepts, but that this deployment cannot work with. */
const NOT_HERE: Readonly<Record<string, Objection>> = {
  shared_preload_libraries: (value, otherLibraries) =>
    splitPaths(value)?.map(libraryName).includes("pg_stat_statements")
      ? unknownLibrary(value, otherLibraries)
      : `is "${value}", but pg_stat_statements must be among the libraries: monitoring reads it`,
  session_preload_libraries: unknownLibrary,
  local_preload_libraries: (value) =>
    splitPaths(value)?.length === 0
      ? undefined
      : `is "${value}", but the image has no $libdir/plugins, and no session would start. Allowed: empty`,
  dynamic_library_path: (value) =>
    value.split(":").includes("$libdir")
      ? undefined
      : `is "${value}", but the extensions' libraries are in $libdir. Allowed: a list of paths that includes $libdir`,
  search_path: (value) =>
    splitIdentifiers(value)?.includes("extensions")
      ? undefined
      : `is "${value}", but extensions must be among the schemas: it contains pgvector's types and functions`,
  huge_pages: (value) =>
    value === "off"
      ? undefined
      : `is "${value}", but the pod requests no huge pages, so the server would not start. Allowed: off`,
  ssl: (value) =>
    parseBoolean(value) === false
      ? undefined
      : `is "${value}", but the server has no certificate, so it would not start. Allowed: off`,
  db_user_namespace: (value) =>
    parseBoolean(value) === false
      ? undefined
      : `is "${value}", but the logins' names would have to contain an @. Allowed: off`,
  unix_socket_permissions: (value) =>
    // The file's owner needs both to connect.
    (Number(readNumber("unix_socket_permissions", value)) & 0o600) === 0o600
      ? undefined
      : `is "${value}", but the server's own user must read and write its sockets. Allowed: 0600 or more, such as 0700`,
  default_table_access_method: (value) =>
    value === "heap" ? undefined : `is "${value}", but the image has no other access method. Allowed: heap`,
  client_encoding: (value) =>
    value.replace(/[^A-Za-z0-9]/g, "").toLowerCase() === "muleinternal"
      ? `is "${value}", to which the database's UTF8 cannot be converted: no session would start. Allowed: UTF8`
      : undefined,
};

function readNumber(name: string, value: string): number | undefined {
  const read = readValue(name, value);
  return "value" in read && typeof read.value === "number" ? read.value : undefined;
}

/** A name in PostgreSQL's spelling; an unknown name is unchanged. */
export function settingName(name: string): string {
  return canonicalName(name) ?? name;
}

/** Whether a name is a setting of PostgreSQL 16 or of a library in the image, or a custom one with a dot. */
export function isSettingName(name: string): boolean {
  return canonicalName(name) !== undefined || (isCustomName(name) && !hasKnownPrefix(name));
}

/** Why a setting cannot be used. */
export interface SettingObjection {
  message: string;
  /** What to do: set another value, use another name, or remove the setting. */
  remedy: "set" | "rename" | "remove";
}

/**
 * Why a written setting cannot be used, or undefined if it can.
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
    return remove(`applies to a single transaction. Allowed: ${ofAll}, the default for all`);
  }
  if (/[\n\r\0]/.test(value)) return { message: "contains a line break", remedy: "set" };
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
 * Normalized settings: PostgreSQL's spelling of names, plain numbers, and sizes with their unit.
 */
export function plainSettings(configured: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(configured).map(([name, value]) => [settingName(name), plainValue(name, value)]),
  );
}

/**
 * Whether a changed value requires a restart. For settings of unknown libraries it is unknown, and a restart always
 * works.
 */
export function takesRestart(name: string): boolean {
  const description = descriptionOf(name);
  return description === undefined ? name.includes(".") : description.context === "postmaster";
}

/** Whether this deployment depends on a setting, so that it cannot be configured. */
export function isOwnSetting(name: string): boolean {
  return Object.hasOwn(OWN, name);
}

/**
 * All settings: the configured ones and those that this deployment adds.
 *
 * @param added settings of the deployment's capabilities
 */
export function effectiveSettings(
  configured: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { ...USUAL, ...configured, ...added, ...OWN };
}

/** The text of postgresql.conf, sorted by name, so that the same settings give the same text. */
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

/** The settings that require a restart, as text for a checksum. */
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
