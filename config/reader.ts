/** Reads sections of the configuration according to their fields. */
import type { Field, Presence } from "./fields.ts";
import { nearest } from "../nearest.ts";
import type { Problem } from "../problem.ts";
import { shellWord } from "../shell-words.ts";

/** Fields by name; sections can be nested. */
export interface Section {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly [name: string]: Field<any, Presence> | Section;
}

/** The values of a section: a field that is required or has a default always has one. */
export type ValuesOf<S> = {
  [Name in keyof S]: S[Name] extends Field<infer T, infer P>
    ? P extends "optional"
      ? T | undefined
      : T
    : ValuesOf<S[Name]>;
};

/** Suffix for one entry of a list or a map, which is not set as a whole. */
const ENTRY: Readonly<Record<string, string>> = { list: "[0].<field>", map: ".<name>" };

/** Tells a field from a section of fields. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export function isField(entry: Section[string]): entry is Field<any, Presence> {
  return typeof entry.parse === "function";
}

/**
 * A field's path for `--path`: a name that contains a dot, such as a setting's, goes in brackets.
 *
 * @param key `database.settings.pg_stat_statements.max`
 */
export function pathOf(key: string): string {
  const [, map, name] = /^(database\.(?:settings|logins))\.(.+)$/.exec(key) ?? [];
  if (map === undefined || name === undefined || /^[A-Za-z0-9_<>-]+$/.test(name)) return key;
  return `${map}[${JSON.stringify(name)}]`;
}

/**
 * The command that sets a key. It prompts for secrets, which keeps them out of the shell's history.
 *
 * @param value the value, quoted for a shell. @default a placeholder
 * @param asText whether to keep the value as text, even if it looks like a number or a boolean
 */
export function commandToSet(
  key: string,
  secret: boolean,
  { value = "<value>", asText = false }: { value?: string; asText?: boolean } = {},
): string {
  const path = /<\w+>/.test(key) ? `'${key}'` : shellWord(pathOf(key));
  if (secret) return `pulumi config set --secret --path ${path}`;
  return `pulumi config set --path ${asText ? "--type string " : ""}${path} ${value}`;
}

/** The command that removes a key. */
export function commandToRemove(key: string, { path = true }: { path?: boolean } = {}): string {
  return path ? `pulumi config rm --path ${shellWord(pathOf(key))}` : `pulumi config rm ${shellWord(key)}`;
}

/** The written value, truncated if it is long. */
function shown(written: unknown): string {
  const text = JSON.stringify(written) ?? "";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/**
 * Reads one section. Adds missing, unknown and invalid fields to the problems.
 *
 * @returns the values, without those that have a problem
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
      message:
        `is ${isSecretSection(section) ? "a single value" : shown(written)}, but must be a map of the fields ` +
        `${Object.keys(section).join(", ")}. Set one of them: ${commandToSet(`${path}.<field>`, isSecretSection(section))}`,
    });
    return {};
  }
  for (const name of Object.keys(written)) {
    if (Object.hasOwn(section, name)) continue;
    const meant = nearest(name, Object.keys(section));
    problems.push({
      key: `${path}.${name}`,
      message:
        `is not a field of ${path}. ` +
        (meant ? `Did you mean ${path}.${meant}? ` : `It has ${Object.keys(section).join(", ")}. `) +
        `To remove it: ${commandToRemove(`${path}.${name}`)}`,
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

/** Whether a section holds only secrets, so nothing in it is shown. */
function isSecretSection(section: Section): boolean {
  return Object.values(section).every((entry) => isField(entry) && entry.secret === true);
}

function readField(
  key: string,
  field: Field<unknown, Presence>,
  written: unknown,
  problems: Problem[],
): unknown {
  const secret = field.secret === true;
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
  // The plain command turned it into a number or a boolean, and would do so again.
  const asText = field.isText === true && typeof written !== "string";
  problems.push({
    key,
    message:
      `is ${secret ? "invalid" : (parsed.instead ?? shown(written))}. Allowed: ${parsed.allowed}. ` +
      `Set it: ${commandToSet(`${key}${ENTRY[field.type] ?? ""}`, secret, { asText })}` +
      (asText && !secret ? ", or put it in quotes in the stack's file" : ""),
  });
  return undefined;
}
