/** Time zones that pgtz.c accepts: names in the time zone database, and POSIX specifications. */
import { parseReal } from "./numbers.ts";
import zones from "./time-zones-data.json" with { type: "json" };

/** Names by their lower-case spelling, because they are case-insensitive. */
const NAMES = new Map(
  Object.entries(zones).flatMap(([region, cities]) =>
    cities.split(" ").map((city) => {
      const name = region === "" ? city : `${region}/${city}`;
      return [name.toLowerCase(), name] as const;
    }),
  ),
);

/** Names of time zones, for suggestions. */
export function timeZoneNames(): Iterable<string> {
  return NAMES.values();
}

// tzparse in localtime.c: a name, an offset, and optionally a name, an offset and two dates for summer time.
const NAME = "(?:<[^>]*>|[^\\d,+\\-<][^\\d,+\\-]*)";
const HOURS = "(?:\\d|[1-9]\\d|0\\d|1[0-5]\\d|16[0-7])";
const OFFSET = `[+-]?${HOURS}(?::[0-5]?\\d(?::[0-5]?\\d|:60)?)?`;
const DATE =
  "(?:J(?:[1-9]|[1-9]\\d|[12]\\d\\d|3[0-5]\\d|36[0-5])|M(?:0?[1-9]|1[0-2])\\.[1-5]\\.[0-6]|(?:\\d|[1-9]\\d|[12]\\d\\d|3[0-5]\\d|36[0-5]))";
const RULE = `${DATE}(?:/${OFFSET})?`;
const SUMMER = `${NAME}(?:${OFFSET}(?:[,;]${RULE},${RULE})?|,${RULE},${RULE})?`;
const POSIX = new RegExp(`^${NAME}?${OFFSET}(?:${SUMMER})?$`);

/** Whether a text is a time zone for log_timezone. */
export function isZone(text: string): boolean {
  if (text === "" || text.length > 255) return false;
  if (NAMES.has(text.toLowerCase())) return true;
  if (text.startsWith(":")) return NAMES.has(text.slice(1).toLowerCase());
  // Specifications are compared in upper case, like names.
  return POSIX.test(text.toUpperCase());
}

/** Whether TimeZone accepts a text: a zone, hours east of Greenwich, or `INTERVAL '+01:00'`. */
export function isTimeZone(text: string): boolean {
  const interval = /^interval\s*'\s*[+-]?(?:\d{1,2}|\d{1,2}:[0-5]\d(?::[0-5]\d)?)(?:\s*hours?)?\s*'$/i;
  if (/^interval/i.test(text)) return interval.test(text);
  // Any text after a number makes it a name.
  const hours = /\s$/.test(text) ? undefined : parseReal(text);
  if (hours !== undefined) return Math.abs(hours) < 168;
  return isZone(text);
}
