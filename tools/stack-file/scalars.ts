/**
 * The meaning of a scalar in a stack's file to the engine: the rules of gopkg.in/yaml.v3 (resolve.go), which reads it
 * there. They are neither YAML 1.1's nor 1.2's: 0777 is octal, `yes` is a text, 2026-01-01 is a time.
 */

/** A point in time, as Go prints it: only its text reaches a program. */
export class Time {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A scalar's value. Whole numbers are exact, as in the engine; a number is a 64-bit float. */
export type ScalarValue = null | boolean | bigint | number | string | Time;

/** Tags whose meaning is read from the text. A scalar with another tag is its text. */
const RESOLVED = ["bool", "int", "float", "null", "timestamp"] as const;

const WORDS: ReadonlyMap<string, null | boolean | number> = new Map(
  (
    [
      [true, ["true", "True", "TRUE"]],
      [false, ["false", "False", "FALSE"]],
      [null, ["", "~", "null", "Null", "NULL"]],
      [NaN, [".nan", ".NaN", ".NAN"]],
      [Infinity, [".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"]],
      [-Infinity, ["-.inf", "-.Inf", "-.INF"]],
    ] as [null | boolean | number, string[]][]
  ).flatMap(([value, words]) => words.map((word) => [word, value] as const)),
);

const TWO_DIGITS = (number: number) => String(number).padStart(2, "0");

/** Go's time.Parse with yaml.v3's four layouts, and its String(). */
function timeOf(text: string): Time | undefined {
  const match =
    /^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt](\d\d?):(\d\d?):(\d\d?)([.,]\d+)?(Z|[+-]\d\d:\d\d))|(?: (\d\d?):(\d\d?):(\d\d?)([.,]\d+)?))?$/.exec(
      text,
    );
  if (!match) return undefined;
  const [, year = "", month = "", day = ""] = match;
  const [hour, minute, second] = [match[4] ?? match[9], match[5] ?? match[10], match[6] ?? match[11]].map(
    (part) => Number(part ?? 0),
  ) as [number, number, number];
  const zone = match[8] ?? "Z";
  const last = new Date(Date.UTC(2000, Number(month), 0));
  last.setUTCFullYear(Number(year), Number(month), 0);
  if (Number(month) < 1 || Number(month) > 12 || Number(day) < 1 || Number(day) > last.getUTCDate())
    return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  if (zone !== "Z" && (Number(zone.slice(1, 3)) > 24 || Number(zone.slice(4)) > 60)) return undefined;
  const fraction = (match[7] ?? match[12] ?? "").slice(1, 10).replace(/0+$/, "");
  const offset = zone === "Z" ? "+0000" : zone.replace(":", "");
  // A machine's own zone would have a name; like the engine on a machine in UTC, this knows only that one.
  const name = offset === "+0000" || offset === "-0000" ? "UTC" : offset;
  return new Time(
    `${year}-${TWO_DIGITS(Number(month))}-${TWO_DIGITS(Number(day))} ` +
      `${TWO_DIGITS(hour)}:${TWO_DIGITS(minute)}:${TWO_DIGITS(second)}${fraction === "" ? "" : `.${fraction}`} ` +
      `${name === "UTC" ? "+0000" : offset} ${name}`,
  );
}

/** strconv.ParseInt or ParseUint in base 0, after yaml.v3 has taken out every underscore. */
function integerOf(text: string): bigint | undefined {
  const [, sign = "", prefix = "", digits = ""] =
    /^([+-]?)(0[xX]|0[bB]|0[oO]|0(?=\d)|)([0-9A-Fa-f]+)$/.exec(text) ?? [];
  if (digits === "") return undefined;
  const base = { "0x": 16, "0b": 2, "0o": 8, "0": 8, "": 10 }[prefix.toLowerCase()] ?? 10;
  const allowed = { 16: /^[0-9A-Fa-f]+$/, 10: /^[0-9]+$/, 8: /^[0-7]+$/, 2: /^[01]+$/ }[base] ?? /^$/;
  if (!allowed.test(digits)) return undefined;
  const literal = { 16: "0x", 10: "", 8: "0o", 2: "0b" }[base] ?? "";
  const value = BigInt(literal + digits) * (sign === "-" ? -1n : 1n);
  // What fits neither 64-bit kind is not an integer. ParseUint accepts no sign.
  if (value < -(2n ** 63n) || value >= 2n ** 64n || (value >= 2n ** 63n && sign !== "")) return undefined;
  return value;
}

const DECIMAL = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
/** Go's own rules read what begins with a dot; they allow an underscore between two digits. */
const DOTTED = /^\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?$/;

function floatOf(text: string): number | undefined {
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** The meaning of a plain text without a tag. */
export function meaningOf(text: string, withTimes = true): ScalarValue {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (text.startsWith("."))
    return (DOTTED.test(text) ? floatOf(text.replaceAll("_", "")) : undefined) ?? text;
  if (!/^[-+0-9]/.test(text)) return text;
  const time = withTimes ? timeOf(text) : undefined;
  if (time) return time;
  const plain = text.replaceAll("_", "");
  return integerOf(plain) ?? (DECIMAL.test(plain) ? floatOf(plain) : undefined) ?? text;
}

/** The kind of a value, by yaml.v3's name for it. */
function kindOf(value: ScalarValue): string {
  if (value === null) return "null";
  if (value instanceof Time) return "timestamp";
  return { boolean: "bool", bigint: "int", number: "float", string: "str" }[
    typeof value as "boolean" | "bigint" | "number" | "string"
  ];
}

/**
 * The value of a scalar.
 *
 * @param tag the written tag's last part, `int` of `!!int`; another tag in full; undefined without one
 * @param quoted whether it is quoted, or a block of lines
 * @throws Error if the text does not fit its tag
 */
export function scalarValue(text: string, tag: string | undefined, quoted: boolean): ScalarValue {
  if (tag === "str" || (tag === undefined && quoted)) return text;
  if (tag === "binary") {
    const bytes = text.replace(/[\r\n]/g, "");
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(bytes))
      throw new Error("!!binary value contains invalid base64 data");
    return Buffer.from(bytes, "base64").toString("utf8");
  }
  if (tag === undefined) return meaningOf(text);
  if (!RESOLVED.some((known) => known === tag)) return text;
  const value = meaningOf(text, tag === "timestamp");
  const kind = kindOf(value);
  if (kind === tag) return value;
  if (tag === "float" && typeof value === "bigint") return Number(value);
  throw new Error(`cannot decode !!${kind} \`${text}\` as a !!${tag}`);
}

/** A float as Go writes it with %g in its shortest form: 1000, 1.5, 1e+06. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return ".nan";
  if (!Number.isFinite(value)) return value > 0 ? ".inf" : "-.inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa = "", exponentText = "0"] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 6)
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${TWO_DIGITS(Math.abs(exponent))}`;
  return value.toString();
}
