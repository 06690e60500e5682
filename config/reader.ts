import type { Field, Presence } from "./fields.ts";
import { nearest } from "./nearest.ts";

/** Fields by name; a section may hold sections. */
export interface Section {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly [name: string]: Field<any, Presence> | Section;
}

/** The values of a section: there is always one where the field is required or has a default. */
export type ValuesOf<S> = {
  [Name in keyof S]: S[Name] extends Field<infer T, infer P>
    ? P extends "optional"
      ? T | undefined
      : T
    : ValuesOf<S[Name]>;
};

/** Something that cannot be deployed: which key, and what to do about it. */
export interface Problem {
  key: string;
  message: string;
}

/** Tells a field from a section of fields. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export function isField(entry: Section[string]): entry is Field<any, Presence> {
  return typeof entry.parse === "function";
}

/** The command that sets a key; secrets are asked for, so that they do not end up in a shell's history. */
export function commandToSet(key: string, secret: boolean): string {
  return secret ? `pulumi config set --secret --path ${key}` : `pulumi config set --path ${key} <value>`;
}

function shown(written: unknown): string {
  return typeof written === "string" ? `"${written}"` : JSON.stringify(written);
}

/**
 * Reads one section, adding to the problems what is missing, unknown or of the wrong form.
 *
 * @returns the values; those with a problem are absent
 */
export function readSection(
  path: string,
  section: Section,
  written: unknown,
  problems: Problem[],
): Record<string, unknown> {
  if (typeof written !== "object" || written === null || Array.isArray(written)) {
    problems.push({
      key: path,
      message: `is ${shown(written)}, but holds the fields ${Object.keys(section).join(", ")}`,
    });
    return {};
  }
  for (const name of Object.keys(written)) {
    if (Object.hasOwn(section, name)) continue;
    const meant = nearest(name, Object.keys(section));
    problems.push({
      key: `${path}.${name}`,
      message:
        `is no field of ${path}. ` +
        (meant ? `Did you mean ${path}.${meant}? ` : `It has ${Object.keys(section).join(", ")}. `) +
        `To remove it: pulumi config rm --path ${path}.${name}`,
    });
  }
  const given = written as Record<string, unknown>;
  const values: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(section)) {
    const key = `${path}.${name}`;
    values[name] = isField(entry)
      ? readField(key, entry, given[name], problems)
      : readSection(key, entry, given[name] ?? {}, problems);
  }
  return values;
}

function readField(
  key: string,
  field: Field<unknown, Presence>,
  written: unknown,
  problems: Problem[],
): unknown {
  const secret = field.type === "secret";
  if (written === undefined || written === null) {
    if (field.presence === "required") {
      problems.push({
        key,
        message: `is missing. ${field.description}. Set it: ${commandToSet(key, secret)}`,
      });
    }
    return field.default;
  }
  const parsed = field.parse(written);
  if ("value" in parsed) return parsed.value;
  problems.push({
    key,
    message:
      `is ${secret ? "of a form that cannot be used" : shown(written)}. Allowed: ${parsed.allowed}. ` +
      `Set it: ${commandToSet(key, secret)}`,
  });
  return undefined;
}
