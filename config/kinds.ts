/** Checks of sections under names of the user's choice, each of a kind that has fields and secrets of its own. */
import type { Problem } from "../problem.ts";
import { commandToRemove, commandToSet } from "./reader.ts";

/** Which fields and secrets a kind needs and which fields it can have, next to those that all have. */
export interface KindFields {
  needs: readonly string[];
  has: readonly string[];
  secrets: readonly string[];
}

/** What is checked. */
export interface Kinds<Kind extends string> {
  /** Path of the sections, as `backup.repositories`, and of their secrets. */
  path: string;
  secretPath: string;
  /** What one of them is, as `repository`. */
  what: string;
  fieldsOf: Readonly<Record<Kind, KindFields>>;
}

/** Values of one section, or its secrets. */
export type Values = Readonly<Record<string, unknown>>;

/**
 * Checks the fields and secrets of one section.
 *
 * @param secrets what is configured of them
 * @param stored whether a store has them instead
 */
export function kindProblems<Kind extends string>(
  { path, secretPath, what, fieldsOf }: Kinds<Kind>,
  name: string,
  written: { kind: Kind },
  secrets: Values | undefined,
  stored: boolean,
): Problem[] {
  const { kind } = written;
  const { needs, has, secrets: needed } = fieldsOf[kind];
  const limited = [
    ...new Set(Object.values<KindFields>(fieldsOf).flatMap((one) => [...one.needs, ...one.has])),
  ];
  const values = written as Values;
  const problems: Problem[] = [];
  const key = (field: string) => `${path}.${name}.${field}`;
  for (const field of needs) {
    if (values[field] === undefined)
      problems.push({
        key: key(field),
        message: `is missing: a ${what} of kind ${kind} needs it. Set it: ${commandToSet(key(field), false)}`,
      });
  }
  for (const field of limited) {
    if (values[field] !== undefined && ![...needs, ...has].includes(field))
      problems.push({
        key: key(field),
        message: `is not a field of a ${what} of kind ${kind}. To remove it: ${commandToRemove(key(field))}`,
      });
  }
  const secretKey = (part: string) => `${secretPath}.${name}.${part}`;
  for (const part of needed) {
    if (secrets?.[part] === undefined && !stored)
      problems.push({
        key: secretKey(part),
        message: `is missing. Set it: ${commandToSet(secretKey(part), true)}`,
      });
  }
  for (const part of Object.keys(secrets ?? {})) {
    if (secrets?.[part] !== undefined && !needed.includes(part))
      problems.push({
        key: secretKey(part),
        message: `is not used: the ${what} is of kind ${kind}. To remove it: ${commandToRemove(secretKey(part))}`,
      });
  }
  return problems;
}

/** Secrets of names that no section has. */
export function strayProblems(
  { secretPath, what }: Pick<Kinds<string>, "secretPath" | "what">,
  names: readonly string[],
  secrets: Readonly<Record<string, unknown>>,
): Problem[] {
  return Object.keys(secrets)
    .filter((name) => !names.includes(name))
    .map((name) => {
      const key = `${secretPath}.${name}`;
      return {
        key,
        message: `is not used: there is no ${what} of this name. To remove it: ${commandToRemove(key)}`,
      };
    });
}
