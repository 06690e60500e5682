/** JSON as Go's encoding/json writes it: names in order of their bytes, whole numbers exact, `<` escaped. */

/** What can be written: a whole number of any size is a bigint. */
export type JsonValue =
  null | boolean | bigint | number | string | readonly JsonValue[] | ReadonlyMap<string, JsonValue>;

const escaped = (text: string) =>
  JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/**
 * The text of a value.
 *
 * @throws Error for NaN and infinity, which JSON does not have
 */
export function jsonText(value: JsonValue): string {
  if (value === null || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "string") return escaped(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new Error(`json: unsupported value: ${value}`);
    return Object.is(value, -0) ? "-0" : JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(jsonText).join(",")}]`;
  const entries = [...(value as ReadonlyMap<string, JsonValue>)].sort(([a], [b]) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  return `{${entries.map(([name, entry]) => `${escaped(name)}:${jsonText(entry)}`).join(",")}}`;
}
