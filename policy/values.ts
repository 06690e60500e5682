/** Reads resource inputs, where a field may be missing, of any type, or not known yet. */

/** Stands for a value not known before the deployment, such as an output of a new resource. */
export const UNKNOWN = Symbol("not known before the deployment");

/** The value at a path, undefined when there is none, {@link UNKNOWN} when a part of the path is not known. */
export function field(value: unknown, ...path: (string | number)[]): unknown {
  let current = value;
  for (const name of path) {
    if (current === UNKNOWN) return UNKNOWN;
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<string | number, unknown>)[name];
  }
  return current ?? undefined;
}

/** Whether a value is a map. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The map at a path, empty when there is none. */
export function mapAt(value: unknown, ...path: (string | number)[]): Record<string, unknown> {
  const found = field(value, ...path);
  return isMap(found) ? found : {};
}

/** The list at a path, empty when there is none. */
export function listAt(value: unknown, ...path: (string | number)[]): unknown[] {
  const found = field(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The text at a path; numbers as text, because YAML writes `cpu: 4`. */
export function textAt(value: unknown, ...path: (string | number)[]): string | undefined {
  const found = field(value, ...path);
  return typeof found === "string" ? found : typeof found === "number" ? String(found) : undefined;
}

const NOT_KNOWN = "not known before the deployment";

/** Characters of a value that a message shows: a whole file says no more than its beginning. */
const LONGEST = 160;

/** A value for a message. */
export function shown(value: unknown): string {
  if (value === UNKNOWN) return NOT_KNOWN;
  if (value === undefined) return "missing";
  const text = JSON.stringify(value, (_, part: unknown) => (part === UNKNOWN ? NOT_KNOWN : part));
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}…`;
}

/** Every text in a value, with the path to it. */
export function* textsIn(value: unknown, path = ""): Generator<{ path: string; text: string }> {
  if (typeof value === "string") yield { path, text: value };
  if (typeof value !== "object" || value === null) return;
  for (const [name, entry] of Object.entries(value)) {
    yield* textsIn(entry, Array.isArray(value) ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`);
  }
}

/** Whether a part of a value is not known yet. */
export function hasUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(hasUnknown);
}
