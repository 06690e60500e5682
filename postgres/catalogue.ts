/**
 * PostgreSQL 16's settings: `pg_settings` of a server with the official image's libraries loaded, without those that
 * cannot be set. Written by `npm run catalogue`.
 */
import catalogue from "./catalogue-data.json" with { type: "json" };

/** PostgreSQL's description of one setting. */
export interface SettingDescription {
  /** `postmaster`: requires a restart. Anything else: a reload or a new connection is enough. */
  context: string;
  type: "bool" | "integer" | "real" | "enum" | "string";
  /** The unit of a bare number: `8kB`, `kB`, `MB`, `B`, `ms`, `s`, `min`. */
  unit?: string;
  /** Inclusive bounds in that unit. */
  min?: number;
  max?: number;
  /** Words of an enumeration, and those that it accepts without listing them. */
  values?: string[];
  unshown?: string[];
  /** Default value; a number is in the unit. */
  default?: string;
  /** The library that it belongs to. */
  library?: string;
}

export const SETTINGS = catalogue.settings as Readonly<Record<string, SettingDescription>>;

/** Libraries that the official image's server can load. */
export const LIBRARIES: readonly string[] = catalogue.libraries;

/** Resource managers that wal_consistency_checking supports. */
export const CHECKED_RESOURCE_MANAGERS: readonly string[] = catalogue.resourceManagers;

/** Bytes of one WAL segment. */
export const WAL_SEGMENT = catalogue.segment;

/** Names from PostgreSQL 7 that are still accepted (map_old_guc_names in guc.c). */
const OLD_NAMES: Readonly<Record<string, string>> = {
  sort_mem: "work_mem",
  vacuum_mem: "maintenance_work_mem",
};

const SPELLINGS = new Map([
  ...Object.keys(SETTINGS).map((name) => [name.toLowerCase(), name] as const),
  ...Object.entries(OLD_NAMES),
]);

/** The name as PostgreSQL spells it; names are case-insensitive. Undefined if the setting is unknown. */
export function canonicalName(name: string): string | undefined {
  return SPELLINGS.get(name.toLowerCase());
}

/** The description of a setting, in any spelling. */
export function descriptionOf(name: string): SettingDescription | undefined {
  return SETTINGS[canonicalName(name) ?? ""];
}

/** Prefixes of the official image's libraries. */
const PREFIXES = new Set(
  Object.keys(SETTINGS).flatMap((name) => (name.includes(".") ? [name.slice(0, name.indexOf("."))] : [])),
);

/** Whether a name with a dot belongs to a known library, all of whose settings are known. */
export function hasKnownPrefix(name: string): boolean {
  return PREFIXES.has(name.toLowerCase().split(".")[0] ?? "");
}

/** A custom name: two or more identifiers separated by dots (valid_custom_variable_name). */
export function isCustomName(name: string): boolean {
  return /^[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*(\.[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)+$/.test(name);
}
