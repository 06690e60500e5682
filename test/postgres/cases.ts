/** Values to try with each setting of the catalogue: right, at and beyond its limits, of the wrong form, and junk. */
import type { SettingDescription } from "../../postgres/catalogue.ts";
import { sizeOfUnit, unitsFor } from "../../postgres/numbers.ts";
import { OFFICIAL_IMAGE } from "../../postgres/official-image.ts";
import { textKindOf } from "../../postgres/texts.ts";
import type { Random } from "../random.ts";

/** Forms that are numbers in some system. */
const NUMBERS = [
  ...[
    "0",
    "1",
    "-1",
    "+1",
    "-0",
    " 5",
    "5 ",
    "\t7",
    "08",
    "012",
    "0x10",
    "0X1f",
    "0x",
    "0x1.8",
    "0x1p3",
    "1e3",
    "1E2",
  ],
  ...[
    "1e",
    ".5",
    "5.",
    ".5e1",
    "1.5",
    "2.5",
    "-2.5",
    "1e400",
    "-1e400",
    "1e-400",
    "nan",
    "inf",
    "Infinity",
    "0b11",
    "1_000",
  ],
  ...[
    "1,000",
    "--1",
    "+-1",
    "1 2",
    "2147483647",
    "2147483648",
    "-2147483648",
    "9223372036854775808",
    "1e10",
    "١",
  ],
];

/** Units used by PostgreSQL, by Kubernetes, and by people. */
const UNITS = [
  ...[
    "B",
    "kB",
    "MB",
    "GB",
    "TB",
    "us",
    "ms",
    "s",
    "min",
    "h",
    "d",
    "KB",
    "mb",
    "M",
    "Mi",
    "MiB",
    "k",
    "G",
    "m",
    "sec",
  ],
  ...["seconds", "minute", "S", "MIN", "D", "%", "kBB", "b", "PB", "8kB"],
];

const JUNK = [
  "",
  " ",
  "foo",
  "default",
  "none",
  "null",
  "'",
  '"',
  "\\",
  "a,b",
  "a b",
  "é",
  "*",
  "$user",
  "1;2",
  "on,off",
];

const WORDS = [
  ...[
    "on",
    "off",
    "ON",
    "Off",
    "true",
    "false",
    "tru",
    "TRUE",
    "t",
    "f",
    "fa",
    "yes",
    "ye",
    "y",
    "no",
    "n",
    "o",
    "of",
  ],
  ...[
    "1",
    "0",
    "2",
    "00",
    "truee",
    " on",
    "on ",
    "enabled",
    "disable",
    "auto",
    "debug",
    "archive",
    "hot_standby",
  ],
];

/** Texts for settings whose text is checked, all tried with each of them. */
const TEXTS = [
  ...[
    "UTC",
    "utc",
    "GMT",
    "Europe/Berlin",
    "europe/berlin",
    "Europe/Berln",
    "EST5EDT",
    "EST5EDT,M3.2.0,M11.1.0",
    "FOO+3",
  ],
  ...[
    "<X>3",
    ":UTC",
    "+02",
    "5",
    "-5.5",
    "167",
    "168",
    "interval '1'",
    "INTERVAL '+05:30'",
    "interval 1",
    "CEST",
    "CET-1CEST",
  ],
  ...[
    "ISO",
    "iso, mdy",
    "ISO,DMY",
    "German",
    "SQL, European",
    "postgres,us",
    "ISO,SQL",
    "MDY,DMY",
    "postgresql",
    "YYYY-MM-DD",
  ],
  ...[
    "UTF8",
    "utf-8",
    "UTF 8",
    "utf9",
    "LATIN1",
    "iso-8859-1",
    "SQL_ASCII",
    "unicode",
    "win1252",
    "cp1252",
    "EUC_JP",
  ],
  ...["C", "POSIX", "C.UTF-8", "c.utf8", "de_DE", "en_US", "C.utf8", "c", "posix", "de_DE.UTF-8"],
  ...["public", "a, b", "a,,b", ",a", "a,", '"a', '"a""b", c', '"$user", public', "A.b", "a b", '""'],
  ...[
    "FIRST 1 (a)",
    "first 2 (a, b)",
    "ANY 1 (*)",
    "1 (a)",
    "0 (a)",
    "ANY 0 (a)",
    "FIRST (a)",
    "a, b",
    "*",
    '"x y", z',
  ],
  ...["FIRST 1 (a", "2 a", "a-b", "1", "1, 2", "any", "first, a", "ANY 1 (a),b", "any x", '"any"', "first1"],
  ...[
    "set",
    "inherit",
    "SET, inherit",
    "set inherit",
    "view",
    "foreign-table",
    "view,foreign-table",
    "data",
    "wal, wal_init",
  ],
  ...[
    "stderr",
    "csvlog,jsonlog",
    "eventlog",
    "all",
    "ALL",
    "none",
    "shadowed_variables",
    "too_many_rows, all",
    "heap",
  ],
  ...[
    "immediate",
    "IMMEDIATE",
    "0/0",
    "16/B374D848",
    "123456789/0",
    "16/",
    "latest",
    "current",
    "99999999999999999999",
  ],
  ...[
    "slot_1",
    "Slot",
    "a".repeat(63),
    "a".repeat(64),
    "2024-01-31",
    "2024-01-31 12:00:00",
    "2024-01-31T12:00:00Z",
  ],
  ...[
    "2024-01-31 12:00:00+00",
    "now",
    "today",
    "2024-13-01",
    "Default",
    "India",
    "Australia",
    "default",
    "Africa.txt",
  ],
  ...[
    "/tmp",
    "/nonexistent",
    "%m [%p] ",
    "a\\b",
    "it's",
    "x".repeat(1000),
    "pg_stat_statements",
    "$libdir",
    "0700",
  ],
];

function around(description: SettingDescription): string[] {
  const { type, unit, min = 0, max = 0 } = description;
  const step = type === "integer" ? 1 : Math.max(1e-6, Math.abs(max - min) / 1e6);
  const values = [min - step, min, min + step, max - step, max, max + step]
    .filter((value) => Number.isFinite(value) && Math.abs(value) < 1e300)
    .map((value) => String(value));
  if (unit === undefined) return values;
  // The bounds in every unit, and one more and one less than those.
  return [
    ...values,
    ...unitsFor(unit).flatMap((other) =>
      [min, max].flatMap((limit) => {
        const amount = (limit * sizeOfUnit(unit)) / sizeOfUnit(other);
        return [Math.floor(amount) - 1, Math.floor(amount), Math.ceil(amount) + 1].map(
          (value) => `${value}${other}`,
        );
      }),
    ),
  ];
}

function sample<T>(random: Random, choices: readonly T[], count: number): T[] {
  const left = [...choices];
  return Array.from({ length: Math.min(count, left.length) }, () =>
    left.splice(random.between(0, left.length - 1), 1),
  ).flat();
}

/** Whether a value can be passed unchanged on a command line and in a line of a file. */
const canBeGiven = (value: string) => !/[\n\r\0]/.test(value);

/** Values for one setting: those that its description points to, and some of each other sort. */
export function casesFor(name: string, description: SettingDescription, random: Random): string[] {
  const { type, unit, values = [], unshown = [], default: usual } = description;
  const common = [...(usual === undefined ? [] : [usual]), ...sample(random, JUNK, 3)];
  const own = (): string[] => {
    switch (type) {
      case "bool":
        return sample(random, WORDS, 9);
      case "integer":
      case "real": {
        const withUnits = sample(random, UNITS, unit === undefined ? 2 : 8).map(
          (other) => `${random.pick(["1", "5", "32", "1.5", "0.3", "1 ", "100"])}${other}`,
        );
        return [...around(description), ...sample(random, NUMBERS, 8), ...withUnits, "0", "-1"];
      }
      case "enum": {
        const words = [...values, ...unshown, ...(OFFICIAL_IMAGE[name]?.values ?? [])];
        return [
          ...words,
          ...sample(random, words, 2).flatMap((word) => [word.toUpperCase(), `${word}x`, ` ${word}`]),
          ...sample(random, WORDS, 6),
        ];
      }
      case "string":
        return [
          ...sample(random, TEXTS, textKindOf(name) === undefined ? 8 : 60),
          ...(OFFICIAL_IMAGE[name]?.values ?? []),
        ];
    }
  };
  return [...new Set([...common, ...own()])].filter(canBeGiven);
}
