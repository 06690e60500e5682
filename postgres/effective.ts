/** Numbers, sizes and words in force: what is set, or PostgreSQL's default. Whether a value is allowed is said elsewhere. */
import { canonicalName, SETTINGS } from "./catalogue.ts";
import { parseBoolean, parseInteger, parseReal, sizeOfUnit } from "./numbers.ts";

/** PostgreSQL settings by name. */
export type ServerSettings = Readonly<Record<string, string>>;

/** The text in force. The default of a number is in the setting's unit, without writing it. */
export function textInForce(settings: ServerSettings, name: string): string {
  return settings[name] ?? SETTINGS[name]?.default ?? "";
}

/** The number in force, in the setting's unit. NaN where what is set is none; the configuration's checks refuse that. */
export function numberInForce(settings: ServerSettings, name: string): number {
  const { type, unit } = SETTINGS[canonicalName(name) ?? ""] ?? {};
  const text = textInForce(settings, name);
  return (type === "real" ? parseReal(text, unit) : parseInteger(text, unit)) ?? NaN;
}

/** The size in force in bytes. The special value -1 is as it is. */
export function bytesInForce(settings: ServerSettings, name: string): number {
  const number = numberInForce(settings, name);
  return number === -1 ? -1 : number * sizeOfUnit(SETTINGS[canonicalName(name) ?? ""]?.unit ?? "");
}

/** Whether a setting of truth values is on. */
export function isOn(settings: ServerSettings, name: string): boolean {
  return parseBoolean(textInForce(settings, name)) === true;
}

/** The word in force of an enumeration, in lower case. */
export function wordInForce(settings: ServerSettings, name: string): string {
  return textInForce(settings, name).toLowerCase();
}
