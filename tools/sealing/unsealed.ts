/** What is to be sealed: Secrets, as the program registers them for `render --seal`, and where their values come from. */
import { type NamedPart, type NamedTexts, PUBLIC_HALF } from "../../components/secrets/sealed-secret.ts";

/** A Secret whose values are known, each by its name. */
export interface Unsealed {
  name: string;
  namespace: string;
  labels: Readonly<Record<string, string>>;
  texts: NamedTexts;
  /** What is configured, or made up, by name. */
  values: Readonly<Record<string, string>>;
}

/** Whether anybody may read a value. */
export const isPublic = (leaf: string) => leaf.endsWith(PUBLIC_HALF);
/** The value that a public half belongs to; any other value itself. */
export const ownerOf = (leaf: string) => (isPublic(leaf) ? leaf.slice(0, -PUBLIC_HALF.length) : leaf);

const isLeaf = (part: NamedPart): part is { leaf: string } => typeof part !== "string";

/** The names of the values in a text, each once. */
export const leavesIn = (parts: readonly NamedPart[]): string[] => [
  ...new Set(parts.filter(isLeaf).map(({ leaf }) => leaf)),
];

/** Whether anybody may read a text. */
export const isReadable = (parts: readonly NamedPart[]) => leavesIn(parts).every(isPublic);

/** A text with its values. */
export function composed(parts: readonly NamedPart[], valueOf: (leaf: string) => string): string {
  return parts.map((part) => (typeof part === "string" ? part : valueOf(part.leaf))).join("");
}

const escaped = (text: string) => text.replaceAll(/[^A-Za-z0-9]/g, "\\$&");

/**
 * The values in a text that is made of such parts, or undefined if it is not. An empty value is none: it would be a
 * login without a password.
 */
export function valuesIn(text: string, parts: readonly NamedPart[]): Record<string, string> | undefined {
  const pattern = parts.map((part) => (typeof part === "string" ? escaped(part) : "([^]+?)")).join("");
  const found = new RegExp(`^${pattern}$`).exec(text);
  if (!found) return undefined;
  const values: Record<string, string> = {};
  for (const [index, { leaf }] of parts.filter(isLeaf).entries()) {
    const value = found[index + 1] ?? "";
    if ((values[leaf] ?? value) !== value) return undefined;
    values[leaf] = value;
  }
  return values;
}

/**
 * The values in force, by name, from the Secrets that the cluster has. A value and its public half only together, from
 * one Secret.
 *
 * @param live values of each Secret by key, by its name
 */
export function valuesInForce(
  secrets: readonly Unsealed[],
  live: ReadonlyMap<string, Readonly<Record<string, string>>>,
): Map<string, string> {
  const values = new Map<string, string>();
  for (const { name, texts } of secrets) {
    const there = live.get(name) ?? {};
    const ofSecret = new Map<string, string>();
    for (const [key, parts] of Object.entries(texts)) {
      for (const [leaf, value] of Object.entries(valuesIn(there[key] ?? "", parts) ?? {}))
        if (!ofSecret.has(leaf)) ofSecret.set(leaf, value);
    }
    const names = new Set(Object.values(texts).flatMap(leavesIn));
    for (const [leaf, value] of ofSecret) {
      const halves = [...names].filter((one) => ownerOf(one) === ownerOf(leaf));
      if (!values.has(leaf) && halves.every((half) => ofSecret.has(half))) values.set(leaf, value);
    }
  }
  return values;
}
