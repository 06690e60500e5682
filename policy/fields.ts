/** Fields of an object by path: which there are, and which a pattern allows. */
import { fits } from "./declared.ts";
import { UNKNOWN } from "./values.ts";

/** A field with nothing below it. Entries of lists are all called `[]`. */
export interface Leaf {
  path: readonly string[];
  value: unknown;
}

/** Every field of a value with nothing below it: a text, a number, an empty map. */
export function* leavesOf(value: unknown, path: readonly string[] = []): Generator<Leaf> {
  if (value === undefined || value === null) return;
  const entries: [string, unknown][] =
    typeof value !== "object"
      ? []
      : Array.isArray(value)
        ? Array.from(value, (entry: unknown) => ["[]", entry])
        : Object.entries(value);
  if (entries.length === 0) yield { path, value };
  for (const [name, entry] of entries) yield* leavesOf(entry, [...path, name]);
}

/** A path as messages and declarations write it: `spec.ports[].name`, `metadata.labels["app.kubernetes.io/name"]`. */
export function pathText(path: readonly string[]): string {
  return path
    .map((part, index) => {
      if (part === "[]") return part;
      if (/^[\w-]+$/.test(part)) return index === 0 ? part : `.${part}`;
      return `["${part}"]`;
    })
    .join("");
}

/** A field that may be there, with everything below it. */
interface Pattern {
  path: readonly string[];
  /** The values it may have, as text; any when there are none. */
  values?: readonly string[];
}

const parsed = new Map<string, Pattern>();

/** Reads `spec.ports[].protocol: TCP | UDP`. */
function patternOf(text: string): Pattern {
  const known = parsed.get(text);
  if (known) return known;
  const [, written = text, values] = /^(.*?)(?:: (.*))?$/.exec(text) ?? [];
  const path = [...written.matchAll(/\[\]|\["([^"]*)"\]|[^.[\]]+/g)].map(([part, quoted]) => quoted ?? part);
  const pattern = { path, ...(values !== undefined && { values: values.split(" | ") }) };
  parsed.set(text, pattern);
  return pattern;
}

/**
 * Whether a pattern allows a field.
 *
 * @param literal whether the pattern is from the configuration, where `*` is a star
 */
export function allows(text: string, { path, value }: Leaf, { literal = false } = {}): boolean {
  const pattern = patternOf(text);
  const shared = Math.min(pattern.path.length, path.length);
  for (let index = 0; index < shared; index++) {
    const [wanted = "", part = ""] = [pattern.path[index], path[index]];
    if (literal ? wanted !== part : !fits(wanted, part)) return false;
  }
  // An empty or unknown map on the path to an allowed field.
  if (path.length < pattern.path.length) return typeof value !== "string" && typeof value !== "number";
  return pattern.values === undefined || value === UNKNOWN || pattern.values.includes(String(value));
}
