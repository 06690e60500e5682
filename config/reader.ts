/** Reads sections of the configuration according to their fields. */
import type { Field, Presence } from "./fields.ts";
import { nearest } from "../nearest.ts";
import type { Problem } from "../problem.ts";
import { shellWord } from "../shell-words.ts";

/** Fields by name; sections can be nested, and repeated under names of the user's choice. */
export interface Section {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly [name: string]: Field<any, Presence> | Section | Entries<any>;
}

/** Sections of the same fields, each under a name of its own. */
export interface Entries<S extends Section> {
  readonly fields: S;
  /** The form of a name, and that form in words. */
  readonly name: RegExp;
  readonly allowed: string;
  /** How many there may be. */
  readonly most: number;
  /** Where their secrets are, which people write next to the other fields; `secrets.sinks` for `notify.sinks`. */
  readonly secrets?: { readonly path: string; readonly fields: readonly string[] };
}

/** The values of a section: a field that is required or has a default always has one. */
export type ValuesOf<S> = {
  [Name in keyof S]: S[Name] extends Field<infer T, infer P>
    ? P extends "optional"
      ? T | undefined
      : T
    : S[Name] extends Entries<infer Fields>
      ? Readonly<Record<string, ValuesOf<Fields>>>
      : ValuesOf<S[Name]>;
};

/** Suffix for one entry of a list or a map, which is not set as a whole. */
const ENTRY: Readonly<Record<string, string>> = {
  list: "[0].<field>",
  map: ".<name>",
  labels: ".<label>",
  ranges: "[0]",
  ports: "[0]",
  addresses: "[0]",
};

/** Tells a field from a section of fields. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export function isField(entry: Section[string]): entry is Field<any, Presence> {
  return "parse" in entry && typeof entry.parse === "function";
}

/** Tells sections under names of their own from one section. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export function isEntries(entry: Section[string]): entry is Entries<any> {
  return "name" in entry && entry.name instanceof RegExp;
}

/**
 * Every field by its path, as people read it: `backup.repositories.<name>.kind`.
 *
 * @param path of the section
 */
export function fieldsOf(
  path: string,
  section: Section,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
): { path: string; field: Field<any, Presence> }[] {
  return Object.entries(section).flatMap(([name, entry]) => {
    const key = `${path}.${name}`;
    if (isField(entry)) return [{ path: key, field: entry }];
    return isEntries(entry) ? fieldsOf(`${key}.<name>`, entry.fields as Section) : fieldsOf(key, entry);
  });
}

/**
 * A field's path for `--path`: a name that contains a dot, such as a setting's, goes in brackets.
 *
 * @param key `database.settings.pg_stat_statements.max`
 */
export function pathOf(key: string): string {
  const [, map, name] =
    /^(database\.(?:settings|logins)|network\.(?:clients|repositories|sinks)\.[^.]+\.podLabels)\.(.+)$/.exec(
      key,
    ) ?? [];
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
 * @param secrets the secrets that belong to it, with where they are
 * @returns the values, without those that have a problem
 */
export function readSection(
  path: string,
  section: Section,
  written: unknown,
  problems: Problem[],
  secrets: Entries<Section>["secrets"] = undefined,
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
    if (secrets?.fields.includes(name)) {
      problems.push({
        key: `${path}.${name}`,
        message:
          `is a secret, which belongs in ${secrets.path}.${name}. Replace it at its service if others have seen this ` +
          `file. Set it: ${commandToSet(`${secrets.path}.${name}`, true)}; ` +
          `then remove it here: ${commandToRemove(`${path}.${name}`)}`,
      });
      continue;
    }
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
    if (isField(entry)) values[name] = readField(key, entry, given[name], problems);
    else if (isEntries(entry))
      values[name] = readEntries(key, entry as Entries<Section>, given[name] ?? {}, problems);
    else values[name] = readSection(key, entry, given[name] ?? {}, problems);
  }
  return values;
}

function readEntries(
  path: string,
  entries: Entries<Section>,
  written: unknown,
  problems: Problem[],
): Record<string, unknown> {
  const secret = isSecretSection(entries.fields);
  const example = commandToSet(`${path}.<name>.<field>`, secret);
  if (typeof written !== "object" || written === null || Array.isArray(written)) {
    problems.push({
      key: path,
      message: `is ${secret ? "one value" : shown(written)}, but holds names, each with its fields. Set one of them: ${example}`,
    });
    return {};
  }
  const names = Object.keys(written);
  // A name that is not allowed may contain what a path is made of.
  const removal = (name: string) =>
    commandToRemove(entries.name.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`);
  if (names.length > entries.most) {
    problems.push({
      key: path,
      message: `holds ${names.length}: ${names.join(", ")}. Allowed: ${entries.most} at most. To remove one: ${removal(names.at(-1) ?? "")}`,
    });
  }
  return Object.fromEntries(
    Object.entries(written).flatMap(([name, values]) => {
      if (entries.name.test(name)) {
        const secrets = entries.secrets && { ...entries.secrets, path: `${entries.secrets.path}.${name}` };
        return [[name, readSection(`${path}.${name}`, entries.fields, values ?? {}, problems, secrets)]];
      }
      problems.push({
        key: `${path}.${name}`,
        message: `is not a name. Allowed: ${entries.allowed}. To remove it: ${removal(name)}`,
      });
      return [];
    }),
  );
}

/** Whether a section holds only secrets, so nothing in it is shown. */
function isSecretSection(section: Section): boolean {
  return Object.values(section).every((entry) =>
    isField(entry)
      ? entry.secret === true
      : isSecretSection(isEntries(entry) ? (entry.fields as Section) : entry),
  );
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
