/** Values that a person gives: a file of `<name>: <value>`. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { SealingError } from "./plan.ts";

/**
 * Reads such a file. No message has a value in it.
 *
 * @param file YAML or JSON
 * @throws SealingError if it is something else
 */
export function readValues(file: string): Map<string, string> {
  let parsed: unknown;
  try {
    parsed = parse(readFileSync(file, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : "cannot be read as YAML";
    throw new SealingError(`--values ${file}: ${why}. Each of its lines is \`<name>: <value>\``);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new SealingError(`--values ${file}: each of its lines is \`<name>: <value>\``);
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(parsed as Record<string, unknown>)) {
    // A number would lose its leading zeros.
    if (typeof value !== "string" || value === "")
      throw new SealingError(`--values ${file}: ${name} is not a text. Write it in quotes: ${name}: "…"`);
    values.set(name, value);
  }
  return values;
}
