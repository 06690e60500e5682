/**
 * What PostgreSQL 16 knows of its settings: `pg_settings` of a server with the official image's libraries loaded, written
 * by `npm run catalogue`, without what nobody can set.
 */
import catalogue from "./catalogue-data.json" with { type: "json" };

/** What PostgreSQL says of one setting. */
export interface SettingDescription {
  /** `postmaster`: takes a restart. Anything else: a reload, or a new connection, is enough. */
  context: string;
  type: "bool" | "integer" | "real" | "enum" | "string";
  /** The unit of a bare number: `8kB`, `kB`, `MB`, `B`, `ms`, `s`, `min`. */
  unit?: string;
  /** Bounds in that unit, both included. */
  min?: number;
  max?: number;
  /** Words of an enumeration, and those that it takes without listing them. */
  values?: string[];
  unshown?: string[];
  /** Value when nothing is set, a number in the unit. */
  default?: string;
  /** The library whose setting it is. */
  library?: string;
}

export const SETTINGS = catalogue.settings as Readonly<Record<string, SettingDescription>>;

/** Libraries that the official image's server can load. */
export const LIBRARIES: readonly string[] = catalogue.libraries;

/** Resource managers whose records wal_consistency_checking can check. */
export const CHECKED_RESOURCE_MANAGERS: readonly string[] = catalogue.resourceManagers;

/** Bytes of one WAL segment. */
export const WAL_SEGMENT = catalogue.segment;

/** Names of PostgreSQL 7 that are still taken (map_old_guc_names in guc.c). */
const OLD_NAMES: Readonly<Record<string, string>> = {
  sort_mem: "work_mem",
  vacuum_mem: "maintenance_work_mem",
};

const SPELLINGS = new Map([
  ...Object.keys(SETTINGS).map((name) => [name.toLowerCase(), name] as const),
  ...Object.entries(OLD_NAMES),
]);

/** The name as PostgreSQL spells it: names are read without regard to case. Undefined when it knows none. */
export function canonicalName(name: string): string | undefined {
  return SPELLINGS.get(name.toLowerCase());
}

/** What is known of a setting, however it is spelt. */
export function descriptionOf(name: string): SettingDescription | undefined {
  return SETTINGS[canonicalName(name) ?? ""];
}

/** Prefixes of settings that belong to a library of the official image. */
const PREFIXES = new Set(
  Object.keys(SETTINGS).flatMap((name) => (name.includes(".") ? [name.slice(0, name.indexOf("."))] : [])),
);

/** Whether a name with a dot belongs to a library that is known, all of whose settings are known, too. */
export function hasKnownPrefix(name: string): boolean {
  return PREFIXES.has(name.toLowerCase().split(".")[0] ?? "");
}

/** A name of somebody's own: two or more simple identifiers with dots between them (valid_custom_variable_name). */
export function isCustomName(name: string): boolean {
  return /^[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*(\.[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)+$/.test(name);
}
