/** Numbers of PostgreSQL's settings, read as its guc.c reads them. Shares no code with the program. */

/** What a bare number of a setting counts. */
export type Unit = "" | "B" | "kB" | "8kB" | "MB" | "us" | "ms" | "s" | "min";

/** Bytes, and milliseconds. */
const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 2 ** 10,
  "8kB": 2 ** 13,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
};
const TIMES: Readonly<Record<string, number>> = {
  us: 1e-3,
  ms: 1,
  s: 1e3,
  min: 60e3,
  h: 3600e3,
  d: 86_400e3,
};

/**
 * A written number in a setting's own unit: `1h` is 3600 for a setting in seconds.
 *
 * @returns undefined when it is not a number, or has a unit that does not fit the setting
 */
export function amountOf(written: string, unit: Unit): number | undefined {
  // Hexadecimal and octal as in C. A letter after the number begins the unit, an e with digits an exponent.
  const match =
    /^\s*([+-]?)(?:(0x[0-9a-f]+)|(0[0-7]+(?![\d.e]))|(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?))\s*([A-Za-z]*)\s*$/i.exec(
      written,
    );
  if (!match) return undefined;
  const [, sign, hexadecimal, octal, decimal, suffix = ""] = match;
  const size = Number(hexadecimal ?? (octal === undefined ? decimal : `0o${octal}`));
  const amount = sign === "-" ? -size : size;
  if (suffix === "") return amount;
  const units = [SIZES, TIMES].find((table) => unit in table);
  const [from, to] = [units?.[suffix], units?.[unit]];
  return suffix === "8kB" || from === undefined || to === undefined ? undefined : (amount * from) / to;
}

/** Numbers that a setting may have. */
export interface Range {
  unit: Unit;
  least: number;
  most: number;
  /** Numbers outside it with another meaning: 0, -1. */
  also: readonly number[];
}

/** A range, as it is written: `range("s", "30s", "1h")`. */
export function range(unit: Unit, least: string, most: string, ...also: number[]): Range {
  const [from = NaN, to = NaN] = [amountOf(least, unit), amountOf(most, unit)];
  return { unit, least: from, most: to, also };
}

/** Whether a written number is in a range. */
export function isInRange(written: string, { unit, least, most, also }: Range): boolean {
  const amount = amountOf(written, unit);
  return amount !== undefined && ((amount >= least && amount <= most) || also.includes(amount));
}

/** A range, for messages. */
export function rangeText({ unit, least, most, also }: Range): string {
  const behind = unit === "" ? "" : ` x ${unit}`;
  return `${least} to ${most}${behind}${also.map((amount) => `, or ${amount}`).join("")}`;
}
