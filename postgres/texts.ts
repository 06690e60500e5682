/** PostgreSQL's check hooks for text settings, by the setting's name. */
import { CHECKED_RESOURCE_MANAGERS } from "./catalogue.ts";
import { splitIdentifiers } from "./lists.ts";
import { isStandbyNames } from "./standby-names.ts";
import { isTimeZone, isZone, timeZoneNames } from "./time-zones.ts";

/** A kind of text: a check, a description of what is allowed, and words to suggest. */
export interface TextKind {
  accepts: (text: string) => boolean;
  allowed: string;
  words?: () => Iterable<string>;
}

const matching = (form: RegExp, allowed: string): TextKind => ({
  accepts: (text) => form.test(text),
  allowed,
});

/** A list of words, or one of the values in `whole`. */
function listOf(words: readonly string[], whole: readonly string[] = []): TextKind {
  return {
    accepts: (text) =>
      whole.includes(text.toLowerCase()) ||
      (splitIdentifiers(text)?.every((word) => words.includes(word.toLowerCase())) ?? false),
    allowed: `${whole.map((word) => `${word}, or `).join("")}a list of ${words.join(", ")}`,
    words: () => [...whole, ...words],
  };
}

const names: TextKind = {
  accepts: (text) => splitIdentifiers(text) !== undefined,
  allowed: "comma-separated names, in double quotes if they contain anything except letters, digits and _",
};

const zone: TextKind = {
  accepts: isZone,
  allowed: "a time zone, such as UTC or Europe/Berlin",
  words: timeZoneNames,
};

/** pg_encname_tbl in encnames.c: encodings and their aliases, of which only letters and digits count, without case. */
const ENCODINGS = new Set(
  (
    "abc alt big5 euccn eucjis2004 eucjp euckr euctw gb18030 gbk iso88591 iso885910 iso885913 iso885914 iso885915 iso885916 " +
    "iso88592 iso88593 iso88594 iso88595 iso88596 iso88597 iso88598 iso88599 johab koi8 koi8r koi8u latin1 latin10 latin2 " +
    "latin3 latin4 latin5 latin6 latin7 latin8 latin9 mskanji muleinternal shiftjis shiftjis2004 sjis sqlascii tcvn tcvn5712 " +
    "uhc unicode utf8 vscii win win1250 win1251 win1252 win1253 win1254 win1255 win1256 win1257 win1258 win866 win874 win932 " +
    "win936 win949 win950 windows1250 windows1251 windows1252 windows1253 windows1254 windows1255 windows1256 windows1257 " +
    "windows1258 windows866 windows874 windows932 windows936 windows949 windows950"
  ).split(" "),
);

const encoding: TextKind = {
  accepts: (text) => ENCODINGS.has(text.replace(/[^A-Za-z0-9]/g, "").toLowerCase()),
  allowed: "an encoding, such as UTF8 or LATIN1",
  words: () => ["UTF8", "LATIN1", "SQL_ASCII", "WIN1252"],
};

/** Locales that every server has. official-image.ts lists the official image's others. */
const locale = (others: RegExp): TextKind => ({
  accepts: (text) =>
    /^(C|POSIX|C\.(utf-?8))$/i.test(text) && /^[CP]/.test(text) ? !/^posix$/.test(text) : others.test(text),
  allowed: "a locale of the image: C, C.UTF-8, POSIX or en_US.UTF-8",
  words: () => ["C", "C.UTF-8", "POSIX", "en_US.UTF-8"],
});

/** An output style and an order of day, month and year (check_datestyle). */
function isDateStyle(text: string): boolean {
  const words = splitIdentifiers(text);
  if (!words) return false;
  const styles = new Set<string>();
  const orders = new Set<string>();
  for (const written of words) {
    const word = written.toLowerCase();
    if (word === "iso" || word === "sql" || word === "german") styles.add(word);
    else if (word.startsWith("postgres")) styles.add("postgres");
    else if (word === "ymd") orders.add("ymd");
    else if (word === "dmy" || word.startsWith("euro")) orders.add("dmy");
    else if (word === "mdy" || word === "us" || word.startsWith("noneuro")) orders.add("mdy");
    else if (word !== "default") return false;
  }
  return styles.size <= 1 && orders.size <= 1;
}

/** Without names of time zones, which are not loaded yet when postgresql.conf is read. */
const TIMESTAMP =
  /^\s*\d{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])([ T]([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?\s*([+-]\d{1,2}(:?[0-5]\d)?)?)?\s*$/;

/** Parsed by strtoul: only a number that is too large is refused. */
const unsigned: TextKind = {
  accepts: (text) => {
    const digits = /^\s*[+-]?(0[xX][0-9a-fA-F]+|\d+)/.exec(text)?.[1] ?? "0";
    return (
      BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : /^0\d/.test(digits) ? "0" : digits) <
      2n ** 64n
    );
  },
  allowed: "a number below 2^64",
};

/** Bytes of a name that PostgreSQL keeps: NAMEDATALEN and MAXFNAMELEN minus one. */
const fits = (text: string) => Buffer.byteLength(text) < 64;

const KINDS: Readonly<Record<string, TextKind>> = {
  DateStyle: {
    accepts: isDateStyle,
    allowed: "a style (ISO, SQL, Postgres, German) and an order (YMD, DMY, MDY), such as ISO, DMY",
  },
  TimeZone: { ...zone, accepts: isTimeZone },
  log_timezone: zone,
  timezone_abbreviations: {
    ...matching(/^(Default|Australia|India)$/, "Default, Australia or India"),
    words: () => ["Default", "Australia", "India"],
  },
  client_encoding: encoding,
  lc_messages: locale(/^(?!)/),
  lc_monetary: locale(/^$/),
  lc_numeric: locale(/^$/),
  lc_time: locale(/^$/),
  search_path: names,
  temp_tablespaces: names,
  createrole_self_grant: listOf(["set", "inherit"]),
  restrict_nonsystem_relation_kind: listOf(["view", "foreign-table"]),
  debug_io_direct: listOf(["data", "wal", "wal_init"]),
  log_destination: listOf(["stderr", "csvlog", "jsonlog", "syslog"]),
  // Checked at the start, after loading libraries, which may add more.
  wal_consistency_checking: listOf(
    CHECKED_RESOURCE_MANAGERS.map((name) => name.toLowerCase()),
    ["all"],
  ),
  "plpgsql.extra_errors": listOf(
    ["shadowed_variables", "too_many_rows", "strict_multi_assignment"],
    ["all", "none"],
  ),
  "plpgsql.extra_warnings": listOf(
    ["shadowed_variables", "too_many_rows", "strict_multi_assignment"],
    ["all", "none"],
  ),
  backtrace_functions: matching(/^[\w, \n\t]*$/, "comma-separated names of functions"),
  default_table_access_method: {
    accepts: (text) => text !== "" && fits(text),
    allowed: "the name of a table access method, such as heap",
  },
  primary_slot_name: matching(
    /^[a-z0-9_]{0,63}$/,
    "up to 63 lower-case letters, digits and _, the name of a replication slot",
  ),
  recovery_target: matching(/^(immediate)?$/, "immediate, or empty"),
  recovery_target_lsn: matching(
    /^([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})?$/,
    "a WAL location, such as 16/B374D848",
  ),
  recovery_target_name: { accepts: fits, allowed: "at most 63 bytes" },
  recovery_target_time: {
    accepts: (text) => text === "" || TIMESTAMP.test(text),
    allowed: "a time, such as 2026-01-31 12:00:00+00",
  },
  recovery_target_timeline: unsigned,
  recovery_target_xid: unsigned,
  synchronous_standby_names: {
    accepts: isStandbyNames,
    allowed: "comma-separated names, or FIRST or ANY, a number, and names in parentheses",
  },
};

/** The kind of text that a setting accepts, if PostgreSQL checks it. */
export function textKindOf(name: string): TextKind | undefined {
  return KINDS[name];
}
