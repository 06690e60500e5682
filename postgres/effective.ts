/** Numbers, sizes and words in force: the configured value, or PostgreSQL's default. Does not check them. */
import { canonicalName, SETTINGS } from "./catalogue.ts";
import { parseBoolean, parseInteger, parseReal, sizeOfUnit } from "./numbers.ts";

/** PostgreSQL settings by name. */
export type ServerSettings = Readonly<Record<string, string>>;

/** The text in force. A number's default is in the setting's unit, without the unit's name. */
export function textInForce(settings: ServerSettings, name: string): string {
  return settings[name] ?? SETTINGS[name]?.default ?? "";
}

/** The number in force, in the setting's unit. NaN if the value is not a number, which the configuration's checks refuse. */
export function numberInForce(settings: ServerSettings, name: string): number {
  const { type, unit } = SETTINGS[canonicalName(name) ?? ""] ?? {};
  const text = textInForce(settings, name);
  return (type === "real" ? parseReal(text, unit) : parseInteger(text, unit)) ?? NaN;
}

/** The size in force in bytes. The special value -1 stays -1. */
export function bytesInForce(settings: ServerSettings, name: string): number {
  const number = numberInForce(settings, name);
  return number === -1 ? -1 : number * sizeOfUnit(SETTINGS[canonicalName(name) ?? ""]?.unit ?? "");
}

/** Whether a boolean setting is on. */
export function isOn(settings: ServerSettings, name: string): boolean {
  return parseBoolean(textInForce(settings, name)) === true;
}

/** The word in force for an enumeration, in lower case. */
export function wordInForce(settings: ServerSettings, name: string): string {
  return textInForce(settings, name).toLowerCase();
}
