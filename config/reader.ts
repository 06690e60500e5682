/** Reads sections of the configuration by the kinds of their fields. */
import type { Field, Presence } from "./fields.ts";
import { nearest } from "../nearest.ts";
import type { Problem } from "../problem.ts";
import { shellWord } from "../shell-words.ts";

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

/** Behind a field's key, what one entry of it has: a list or a map is not set as a whole. */
const ENTRY: Readonly<Record<string, string>> = { list: "[0].<field>", map: ".<name>" };

/** Tells a field from a section of fields. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export function isField(entry: Section[string]): entry is Field<any, Presence> {
  return typeof entry.parse === "function";
}

/**
 * A field's path as `--path` takes it: a name with a dot in it, as settings have, stands in brackets.
 *
 * @param key `database.settings.pg_stat_statements.max`
 */
export function pathOf(key: string): string {
  const [, map, name] = /^(database\.(?:settings|logins))\.(.+)$/.exec(key) ?? [];
  if (map === undefined || name === undefined || /^[A-Za-z0-9_<>-]+$/.test(name)) return key;
  return `${map}[${JSON.stringify(name)}]`;
}

/**
 * The command that sets a key; secrets are asked for, so that they do not end up in a shell's history.
 *
 * @param value the value, as a word of a shell. @default a place for it
 * @param asText whether the value is kept as a text, where it may look like a number or a word such as true
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

/** What was written, cut where it is long. */
function shown(written: unknown): string {
  const text = JSON.stringify(written) ?? "";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
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
      message:
        `is ${isSecretSection(section) ? "one value" : shown(written)}, but holds the fields ` +
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
        `is no field of ${path}. ` +
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

/** Whether a section holds secrets alone: nothing in it is shown. */
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
  // Set by the plain command, it became a number or a word of YAML's; the same command would do it again.
  const asText = field.isText === true && typeof written !== "string";
  problems.push({
    key,
    message:
      `is ${secret ? "of a form that cannot be used" : (parsed.instead ?? shown(written))}. Allowed: ${parsed.allowed}. ` +
      `Set it: ${commandToSet(`${key}${ENTRY[field.type] ?? ""}`, secret, { asText })}` +
      (asText && !secret ? ", or write it in quotes in the stack's file" : ""),
  });
  return undefined;
}
