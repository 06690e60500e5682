/** Reads a setting's value as PostgreSQL does, or describes what is allowed. */
import { nearest } from "../nearest.ts";
import { canonicalName, type SettingDescription, SETTINGS, WAL_SEGMENT } from "./catalogue.ts";
import { amountText, parseBoolean, parseInteger, parseReal, sizeOfUnit, unitsFor } from "./numbers.ts";
import { isTakenByOfficialImage, OFFICIAL_IMAGE } from "./official-image.ts";
import { textKindOf } from "./texts.ts";

/** The value as PostgreSQL reads it, numbers in the setting's unit; or what is allowed instead. */
export type ReadValue =
  { value: string | number | boolean } | { allowed: string; meant?: string | undefined };

/** kB that max_stack_depth must leave of a container's 8 MB stack (STACK_DEPTH_SLOP). */
const STACK_SLOP = 512;
const CONTAINER_STACK = 8192;

/** Bounds of check hooks that are narrower than the catalogue's. */
function objectionOfHook(name: string, value: number | boolean): string | undefined {
  if (name === "bonjour" && value === true) return "off: Linux does not support it";
  if (name === "max_stack_depth" && Number(value) > CONTAINER_STACK - STACK_SLOP)
    return `100kB to ${CONTAINER_STACK - STACK_SLOP}kB, the stack of a process in a container minus ${STACK_SLOP}kB`;
  if (name === "vacuum_buffer_usage_limit" && value !== 0 && Number(value) < 128)
    return "0, or 128kB to 16GB";
  return undefined;
}

/** Least values with which a server starts, in the unit, if the catalogue has a smaller one: combinations.ts. */
const LEAST_TO_START: Readonly<Record<string, number>> = {
  max_wal_size: (2 * WAL_SEGMENT) / 2 ** 20,
  min_wal_size: (2 * WAL_SEGMENT) / 2 ** 20,
};

/** A human-readable bound. */
const bound = (value: number, unit: string | undefined) => amountText(value, unit);

function rangeOf({ type, unit, min = -Infinity, max = Infinity }: SettingDescription): string {
  // The maximum of the number type does not help anybody.
  const most = max > 1e300 ? undefined : bound(max, unit);
  const range = most === undefined ? `${bound(min, unit)} or more` : `${bound(min, unit)} to ${most}`;
  const kind = type === "integer" && unit === undefined ? ", a whole number" : "";
  if (unit === undefined) return `${range}${kind}`;
  const units = unitsFor(unit);
  return `${range}, a number with ${units.slice(0, -1).join(", ")} or ${units.at(-1)}`;
}

/** Units as people write them elsewhere, and PostgreSQL's names for them. */
const UNITS: readonly (readonly [RegExp, string])[] = [
  [/^(k|kb|ki|kib|kbytes?|kilobytes?)$/i, "kB"],
  [/^(m|mb|mi|mib|mbytes?|megabytes?)$/i, "MB"],
  [/^(g|gb|gi|gib|gbytes?|gigabytes?)$/i, "GB"],
  [/^(t|tb|ti|tib|terabytes?)$/i, "TB"],
  [/^(b|bytes?)$/i, "B"],
  [/^(us|usecs?|microseconds?|µs)$/i, "us"],
  [/^(ms|msecs?|millis|milliseconds?)$/i, "ms"],
  [/^(s|secs?|seconds?)$/i, "s"],
  [/^(m|mins?|minutes?)$/i, "min"],
  [/^(h|hrs?|hours?)$/i, "h"],
  [/^(d|days?)$/i, "d"],
];

/** The value that was probably meant, if it has a foreign unit or is out of bounds. */
function meantNumber(
  text: string,
  description: SettingDescription,
  read: (text: string) => number | undefined,
) {
  const { unit, min = -Infinity, max = Infinity } = description;
  const inRange = (value: number | undefined) => value !== undefined && value >= min && value <= max;
  const value = read(text);
  if (value !== undefined) {
    const nearestBound = value < min ? min : max;
    return Math.abs(nearestBound) > 1e300 ? undefined : bound(nearestBound, unit);
  }
  const [, number, written = ""] = /^\s*([+-]?[\d.]+)\s*(\S+)\s*$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  const units = unitsFor(unit);
  const found = UNITS.find(([form, name]) => form.test(written) && units.includes(name));
  const suggestion = found && `${number}${found[1]}`;
  return suggestion !== undefined && inRange(read(suggestion)) ? suggestion : undefined;
}

function readNumber(name: string, text: string, description: SettingDescription): ReadValue {
  const { unit, min = -Infinity, max = Infinity } = description;
  const shown = { ...description, min: LEAST_TO_START[name] ?? min };
  const read = (written: string) =>
    description.type === "integer" ? parseInteger(written, unit) : parseReal(written, unit);
  const value = read(text);
  if (value === undefined || value < min || value > max)
    return { allowed: rangeOf(shown), meant: meantNumber(text, shown, read) };
  const objection = objectionOfHook(name, value);
  return objection === undefined ? { value } : { allowed: objection };
}

/**
 * Reads a value as PostgreSQL does from postgresql.conf.
 *
 * @param name in any case
 * @throws RangeError for a name that is not in the catalogue
 */
export function readValue(name: string, text: string): ReadValue {
  const canonical = canonicalName(name) ?? name;
  const description = SETTINGS[canonical];
  if (!description) throw new RangeError(`${name} is not a setting of PostgreSQL 16`);
  switch (description.type) {
    case "bool": {
      const value = parseBoolean(text);
      if (value === undefined) return { allowed: "on or off", meant: nearest(text, ["on", "off"]) };
      const objection = objectionOfHook(canonical, value);
      return objection === undefined ? { value } : { allowed: objection };
    }
    case "integer":
    case "real":
      return readNumber(canonical, text, description);
    case "enum": {
      const { values = [], unshown = [] } = description;
      const word = text.toLowerCase();
      const added = OFFICIAL_IMAGE[canonical]?.values ?? [];
      if ([...values, ...unshown].some((known) => known.toLowerCase() === word)) return { value: word };
      if (isTakenByOfficialImage(canonical, text)) return { value: word };
      const words = [...values, ...added];
      return { allowed: `one of ${words.join(", ")}`, meant: text === "" ? undefined : nearest(text, words) };
    }
    case "string": {
      const kind = textKindOf(canonical);
      if (!kind || kind.accepts(text) || isTakenByOfficialImage(canonical, text)) return { value: text };
      return {
        allowed: kind.allowed,
        meant: kind.words && text !== "" ? nearest(text, kind.words()) : undefined,
      };
    }
  }
}

/** A number in the setting's unit, for sums. Undefined if the value or the setting is not a number. */
export function numberIn(name: string, text: string): number | undefined {
  const description = SETTINGS[canonicalName(name) ?? ""];
  if (description?.type !== "integer" && description?.type !== "real") return undefined;
  const read = readValue(name, text);
  return "value" in read && typeof read.value === "number" ? read.value : undefined;
}

/**
 * A normalized value: a plain decimal number, or a size or time with a unit. Plain values and values that are not
 * numbers are unchanged.
 */
export function plainValue(name: string, text: string): string {
  const description = SETTINGS[canonicalName(name) ?? ""];
  if (description?.type !== "integer" && description?.type !== "real") return text;
  const value = numberIn(name, text);
  if (value === undefined) return text;
  const { unit } = description;
  const [, number, written = ""] = /^(0|[1-9]\d*)([A-Za-z]+)$/.exec(text) ?? [];
  const isExact =
    number !== undefined && Number(number) * sizeOfUnit(written) === value * sizeOfUnit(unit ?? "");
  return isExact ? text : amountText(value, unit);
}
