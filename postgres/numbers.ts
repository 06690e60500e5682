/** Numbers and booleans, following parse_int, parse_real and parse_bool in guc.c, with their units. */

type Factors = readonly (readonly [unit: string, factor: number])[];

const kB = 1024;

/** Bytes of each memory unit, largest first. */
const MEMORY: Factors = [
  ["TB", kB ** 4],
  ["GB", kB ** 3],
  ["MB", kB ** 2],
  ["kB", kB],
  ["B", 1],
];
/** Microseconds of each time unit, largest first. */
const TIME: Factors = [
  ["d", 86_400_000_000],
  ["h", 3_600_000_000],
  ["min", 60_000_000],
  ["s", 1_000_000],
  ["ms", 1000],
  ["us", 1],
];
const BASES: Readonly<Record<string, { table: Factors; size: number }>> = {
  B: { table: MEMORY, size: 1 },
  kB: { table: MEMORY, size: kB },
  "8kB": { table: MEMORY, size: 8 * kB },
  MB: { table: MEMORY, size: kB ** 2 },
  ms: { table: TIME, size: 1000 },
  s: { table: TIME, size: 1_000_000 },
  min: { table: TIME, size: 60_000_000 },
};

/** Units that a setting with this unit accepts, smallest first. */
export function unitsFor(unit: string): string[] {
  return (BASES[unit]?.table ?? []).map(([name]) => name).reverse();
}

/** Whether a unit is a memory unit. */
export function isMemoryUnit(unit: string | undefined): boolean {
  return BASES[unit ?? ""]?.table === MEMORY;
}

/** Bytes or microseconds of a unit. NaN if it is not a unit. */
export function sizeOfUnit(unit: string): number {
  return BASES[unit]?.size ?? [...MEMORY, ...TIME].find(([name]) => name === unit)?.[1] ?? NaN;
}

/** Rounds like rint: halves to even. */
export function rint(value: number): number {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 52) return value;
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const SPACE = /^[ \t\n\v\f\r]*/;

interface Prefix {
  value: number;
  rest: string;
}

/** strtol with base 0: decimal, 0x… and 0…. Undefined if the text does not begin with a number. */
function integerPrefix(text: string): Prefix | undefined {
  const match = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/.exec(text);
  if (!match) return undefined;
  const [whole, sign, digits = ""] = match;
  const isOctal = /^0[0-7]+$/.test(digits);
  const value = isOctal ? parseInt(digits, 8) : Number(digits);
  return { value: sign === "-" ? -value : value, rest: text.slice(whole.length) };
}

/** strtod: decimal and hexadecimal, infinity and NaN. Undefined if the text does not begin with a number in range. */
function realPrefix(text: string): Prefix | undefined {
  const match =
    /^[ \t\n\v\f\r]*([+-]?)(0[xX](?:[0-9a-fA-F]+(?:\.[0-9a-fA-F]*)?|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?|nan)/i.exec(
      text,
    );
  if (!match) return undefined;
  const [whole, sign, written = ""] = match;
  const word = written.toLowerCase();
  let value: number;
  if (word.startsWith("inf")) value = Infinity;
  else if (word === "nan") value = NaN;
  else {
    value = word.startsWith("0x") ? hexadecimal(word) : Number(word);
    const isZero = /^(0x)?[0.]*([ep].*)?$/.test(word);
    // ERANGE: too large, or too small for full precision.
    if (!Number.isFinite(value) || (!isZero && value < 2.2250738585072014e-308)) return undefined;
  }
  return { value: sign === "-" ? -value : value, rest: text.slice(whole.length) };
}

function hexadecimal(word: string): number {
  const [, whole = "", fraction = "", exponent = "0"] =
    /^0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?$/.exec(word) ?? [];
  return Number(`0x${whole}${fraction}`) * 2 ** (Number(exponent) - 4 * fraction.length);
}

/** Converts a number to the setting's unit (convert_to_base_unit). Undefined for a unit that it does not accept. */
function inBaseUnit(value: number, unitText: string, unit: string): number | undefined {
  const name = unitText.replace(/[ \t\n\v\f\r]+$/, "");
  const base = BASES[unit];
  const index = base?.table.findIndex(([candidate]) => candidate === name) ?? -1;
  if (!base || index < 0) return undefined;
  const factor = (position: number) => (base.table[position]?.[1] ?? NaN) / base.size;
  const converted = value * factor(index);
  // A fraction is rounded to a multiple of the next smaller unit.
  if (index === base.table.length - 1) return converted;
  return rint(converted / factor(index + 1)) * factor(index + 1);
}

function withUnit({ value, rest }: Prefix, unit: string | undefined): number | undefined {
  if (Number.isNaN(value)) return undefined;
  const unitText = rest.replace(SPACE, "");
  if (unitText === "") return value;
  return unit === undefined ? undefined : inBaseUnit(value, unitText, unit);
}

const INT_MAX = 2 ** 31 - 1;

/** A whole number in the setting's unit, or undefined if PostgreSQL does not accept the text. */
export function parseInteger(text: string, unit?: string): number | undefined {
  let prefix = integerPrefix(text);
  const isLarge = prefix !== undefined && Math.abs(prefix.value) >= 2 ** 63;
  // "5." and "1e3" are parsed again as real numbers, and ".5" only so.
  if (isLarge || /^[.eE]/.test(prefix?.rest ?? text.replace(SPACE, "").replace(/^[+-]/, ""))) {
    prefix = prefix === undefined && !/^[ \t\n\v\f\r]*\./.test(text) ? undefined : realPrefix(text);
  }
  if (!prefix) return undefined;
  const value = withUnit(prefix, unit);
  if (value === undefined) return undefined;
  const rounded = rint(value);
  // Turns -0 into 0.
  return rounded > INT_MAX || rounded < -INT_MAX - 1 ? undefined : rounded + 0;
}

/** A number in the setting's unit, or undefined if PostgreSQL does not accept the text. */
export function parseReal(text: string, unit?: string): number | undefined {
  const prefix = realPrefix(text);
  return prefix && withUnit(prefix, unit);
}

/** A boolean: on, off, true, false, yes, no, or an unambiguous prefix of one; 1 and 0. */
export function parseBoolean(text: string): boolean | undefined {
  const word = text.toLowerCase();
  if (word === "") return undefined;
  if (word === "1" || word === "on" || "true".startsWith(word) || "yes".startsWith(word)) return true;
  if (word === "0" || "false".startsWith(word) || "no".startsWith(word)) return false;
  return word === "of" || word === "off" ? false : undefined;
}

/** An amount in a setting's unit for postgresql.conf, in the largest unit without a fraction: `512MB`, `90s`. */
export function amountText(value: number, unit: string | undefined): string {
  const base = BASES[unit ?? ""];
  if (!base || value === 0 || value === -1 || !Number.isInteger(value)) return String(value);
  const smallest = value * base.size;
  const found = base.table.find(([, factor]) => Math.abs(smallest) >= factor && smallest % factor === 0);
  return found ? `${smallest / found[1]}${found[0]}` : String(value);
}
