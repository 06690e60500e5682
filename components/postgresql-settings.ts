/**
 * PostgreSQL 16's settings: which there are, what they take, and what it takes to change one. The catalogue
 * beside this file is `pg_settings` of a 16.14 server, without what no one can set.
 */
import { SOCKET_PATH, VOLUME_SOCKET_PATH } from "./places.ts";
import catalogue from "./postgresql-16-settings.json" with { type: "json" };

/** What `pg_settings` says of one setting. */
export interface SettingDescription {
  /** `postmaster`: takes a restart. Anything else: a reload, or a new connection, is enough. */
  context: string;
  type: string;
  /** The unit of a bare number: `8kB`, `kB`, `MB`, `ms`, `s`, … */
  unit?: string;
  min?: number;
  max?: number;
  values?: string[];
}

const SETTINGS = catalogue as Readonly<Record<string, SettingDescription>>;

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

/** Whether a setting takes a memory size, which must then be written with its unit. */
function isMemory(description: SettingDescription): boolean {
  return /^(8?kB|B|MB)$/.test(description.unit ?? "");
}

/** Why a written setting cannot be used, or undefined when it can. */
export function objectionTo(name: string, value: string): string | undefined {
  if (name in OWN) return `is set by the deployment itself (${name} = ${OWN[name]}) and cannot be configured`;
  if (/[\n\r\0]/.test(value)) return "holds a line break";
  if (name === "shared_preload_libraries" && !value.split(/\s*,\s*/).includes("pg_stat_statements")) {
    return `is "${value}", but pg_stat_statements must be among the libraries: monitoring reads it`;
  }
  if (name === "search_path" && !value.split(/\s*,\s*/).includes("extensions")) {
    return `is "${value}", but extensions must be among the schemas: types and functions of pgvector are in it`;
  }
  if (name === "huge_pages" && value !== "off") {
    return `is "${value}", but the pod requests no huge pages, and a server that wants them would not start. Allowed: off`;
  }
  // An extension's settings are known to the extension alone.
  if (/^[a-z_]\w*\.[a-z_]\w*$/.test(name)) return undefined;
  const description = SETTINGS[name];
  if (!description) return "is no setting of PostgreSQL 16";
  if (isMemory(description)) {
    return /^(-1|0|\d+(\.\d+)?\s*(B|kB|MB|GB|TB))$/.test(value)
      ? undefined
      : `is "${value}". Allowed: a size with its unit, as in 512MB or 32GB`;
  }
  if (description.values && !description.values.includes(value.toLowerCase()) && !/^(on|off)$/.test(value)) {
    return `is "${value}". Allowed: one of ${description.values.join(", ")}`;
  }
  if (description.type === "bool" && !/^(on|off|true|false|yes|no|1|0)$/i.test(value)) {
    return `is "${value}". Allowed: on or off`;
  }
  const number = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
  if (description.type === "integer" || description.type === "real") {
    if (number === undefined) return description.unit ? undefined : `is "${value}". Allowed: a number`;
    const { min = -Infinity, max = Infinity } = description;
    if (number < min || number > max) return `is ${value}. Allowed: ${min} to ${max}`;
  }
  return undefined;
}

/** Whether a changed value takes a restart of the server to be in force. */
export function takesRestart(name: string): boolean {
  return SETTINGS[name]?.context === "postmaster";
}

/** Everything that is set: the configured settings with what this deployment adds. */
export function effectiveSettings(configured: Readonly<Record<string, string>>): Record<string, string> {
  return { ...USUAL, ...configured, ...OWN };
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** The text of postgresql.conf, in the order of names so that two renderings of the same settings are the same. */
export function postgresqlConf(configured: Readonly<Record<string, string>>): string {
  const settings = effectiveSettings(configured);
  const lines = Object.keys(settings)
    .sort()
    .map((name) => `${name} = ${quoted(settings[name] ?? "")}`);
  return `# Made from database.settings; edits here are overwritten by the next deployment.\n${lines.join("\n")}\n`;
}

/** The part of the settings that takes a restart to change, as text to take a checksum of. */
export function restartSettings(configured: Readonly<Record<string, string>>): string {
  return Object.entries(effectiveSettings(configured))
    .filter(([name]) => takesRestart(name))
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join("\n");
}
