/**
 * Reads a Pulumi.<stack>.yaml as the engine does (pulumi/sdk/go/common/workspace/loaders.go and resource/config), so
 * that what is rendered, judged and previewed without the engine is what the engine would deploy. The engine reads the
 * file, gives the project's namespace to keys without one, writes the result as YAML and reads that; both readings
 * happen here. test/stack-files holds what a real engine made of each kind of file.
 */
import { CST, parseAllDocuments, Parser } from "yaml";
import { type Decoded, Decoder, Mapping } from "./decoding.ts";
import { type JsonValue, jsonText } from "./json-text.ts";
import { floatText, meaningOf, type ScalarValue, Time } from "./scalars.ts";

/** The project's name in Pulumi.yaml, the namespace of its configuration. */
export const PROJECT = "transcript-pipeline";

/** A file that the engine refuses, or does not read the same way each time. */
export class StackFileError extends Error {}

/** A value under a key of the configuration. A secure one is encrypted, and can be inside maps and lists too. */
export type ConfigValue =
  | null
  | boolean
  | bigint
  | number
  | string
  | Secure
  | readonly ConfigValue[]
  | ReadonlyMap<string, ConfigValue>;

/** A text that is encrypted. */
export class Secure {
  readonly ciphertext: string;
  constructor(ciphertext: string) {
    this.ciphertext = ciphertext;
  }
}

/** The content of a stack's file. */
export interface StackDocument {
  /** Full key, `transcript-pipeline:node`, to its value. */
  config: ReadonlyMap<string, ConfigValue>;
  /** Salt of the passphrase that encrypts secure values. */
  encryptionSalt?: string;
}

/** Text of a key that is not a text, as the engine's second writing has it. */
function keyText(key: ScalarValue): string {
  if (key === null) return "null";
  if (key instanceof Time) return key.text;
  return typeof key === "number" ? floatText(key) : String(key);
}

/**
 * A scalar that was written as YAML and read again: 1e3 is a whole number now, and of a text of several lines that begins
 * with an empty one yaml.v3 has lost that one.
 */
function rewritten(value: ScalarValue): ScalarValue {
  if (typeof value === "number") return meaningOf(floatText(value));
  return typeof value === "string" && isLiteral(value) ? value.replace(/^\n/, "") : value;
}

/** Whether yaml.v3 writes a text as a block of lines and not in quotes (emitterc.go, yaml_emitter_analyze_scalar). */
function isLiteral(text: string): boolean {
  return text.includes("\n") && !/ \n| $/.test(text) && !UNPRINTABLE.test(text);
}

/** A value after the engine's second reading. */
function again(value: Decoded): Decoded {
  if (Array.isArray(value)) return value.map(again);
  if (!(value instanceof Mapping)) return rewritten(value);
  const result = new Mapping(value.ofTexts);
  const texts = new Set<string>();
  let merged: Decoded | undefined;
  for (const [key, entry] of value.entries) {
    const text = keyText(key);
    if (texts.has(text)) throw new StackFileError(`mapping key ${JSON.stringify(text)} already defined`);
    texts.add(text);
    // It was quoted; the engine writes it without the quotes, and then takes it for a merge.
    if (key === "<<") merged = again(entry);
    else result.set(rewritten(key), again(entry));
  }
  if (merged === undefined) return result;
  for (const source of Array.isArray(merged) ? merged : [merged]) {
    if (!(source instanceof Mapping))
      throw new StackFileError("map merge requires map or sequence of maps as the value");
    for (const [key, entry] of source.entries) {
      const name = keyText(key);
      if (!texts.has(name)) result.set(key, entry);
      texts.add(name);
    }
  }
  return result;
}

/** How Go prints a key in a map of texts. */
function printed(key: ScalarValue): string {
  return key === null ? "<nil>" : keyText(key);
}

function configValue(value: Decoded): ConfigValue {
  if (Array.isArray(value)) return value.map(configValue);
  if (value instanceof Time) return value.text;
  if (!(value instanceof Mapping)) return value;
  const map = new Map(value.entries.map(([key, entry]) => [printed(key), configValue(entry)]));
  const secure = map.size === 1 ? map.get("secure") : undefined;
  return typeof secure === "string" ? new Secure(secure) : map;
}

/**
 * A key's full form, `<namespace>:<name>`.
 *
 * @param project the namespace of a key without one
 * @throws StackFileError
 */
export function fullKey(key: string, project: string): string {
  if (!key.includes(":")) return `${project}:${key}`;
  const parts = key.split(":");
  if (parts.length === 2) return key;
  const [namespace = "", module, name = ""] = parts;
  if (parts.length === 3 && module === "config" && namespace !== "" && name !== "")
    return `${namespace}:${name}`;
  throw new StackFileError(
    `could not parse ${key} as a configuration key (configuration keys should be of the form \`<namespace>:<name>\`)`,
  );
}

function textField(file: Mapping, name: string): string | undefined {
  const value = file.get(name);
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) || value instanceof Mapping) throw new StackFileError(`${name} must be a text`);
  return keyText(value);
}

function configOf(file: Mapping, project: string): Map<string, ConfigValue> {
  const written = file.get("config");
  const config = new Map<string, ConfigValue>();
  if (written === undefined || written === null) return config;
  if (!(written instanceof Mapping)) throw new StackFileError("config must be a map");
  for (const [key, value] of written.entries) {
    if (typeof key !== "string")
      throw new StackFileError(`config has a key that is not a text: ${keyText(key)}. Put it in quotes`);
    const full = fullKey(key, project);
    // The engine takes either of the two at random.
    if (config.has(full))
      throw new StackFileError(`config has ${full} twice: with and without its namespace`);
    config.set(full, value === null ? "" : configValue(again(value)));
  }
  return config;
}

function hasEnvironment(file: Mapping): boolean {
  const value = file.get("environment");
  if (value === undefined || value === null) return false;
  if (Array.isArray(value)) return value.length > 0;
  return !(value instanceof Mapping) || value.entries.length > 0;
}

/** What yaml.v3 writes only in quotes, for its escapes. */
const UNPRINTABLE =
  /[^\t\n\r\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/u;

/** Control characters that YAML cannot write, and line breaks that only some YAML versions know. */
const UNREADABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]/;

const hasTab = (tokens: readonly CST.SourceToken[]) =>
  tokens.some(({ type, source }) => type === "space" && source.includes("\t"));

const hasSlashEscape = (token: CST.Token | null | undefined) =>
  token?.type === "double-quoted-scalar" && /(?<!\\)(?:\\\\)*\\\//.test(token.source);

/** What other readers accept and the engine's does not: a tab before an entry, and an escaped slash. */
function checkTokens(text: string): void {
  const refuseTab = (tokens: readonly CST.SourceToken[]) => {
    if (hasTab(tokens)) throw new StackFileError("invalid YAML file: an entry begins with a tab. Use spaces");
  };
  for (const token of new Parser().parse(text)) {
    if (token.type === "space") refuseTab([token]);
    if (token.type !== "document") continue;
    refuseTab(token.start);
    CST.visit(token, ({ start, key, value }) => {
      refuseTab(start);
      if (hasSlashEscape(key) || hasSlashEscape(value))
        throw new StackFileError("invalid YAML file: \\/ is not an escape here. Write the slash alone");
    });
    return;
  }
}

/**
 * Reads a stack's file.
 *
 * @param bytes the file as it is
 * @param project the project to which keys without a namespace belong
 * @throws StackFileError with the reason, if the engine would refuse the file or this reader cannot follow it
 */
export function readStackDocument(bytes: Uint8Array, project: string): StackDocument {
  let text: string;
  try {
    // A byte order mark at the beginning is removed, as by the engine.
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new StackFileError("is not UTF-8");
  }
  const strange = UNREADABLE.exec(text)?.[0];
  if (strange !== undefined) {
    const code = strange.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    throw new StackFileError(
      `has the character U+${code}, which must be written with an escape, in double quotes`,
    );
  }
  const documents = parseAllDocuments(text, {
    schema: "failsafe",
    uniqueKeys: false,
    merge: false,
    resolveKnownTags: false,
    strict: true,
    logLevel: "silent",
  });
  // The engine reads only the first document.
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (document === undefined) return { config: new Map() };
  const [error] = document.errors;
  if (error !== undefined) throw new StackFileError(`invalid YAML file: ${error.message.trim()}`);
  const { explicit, version } = document.directives?.yaml ?? {};
  if (explicit === true && version !== "1.1") throw new StackFileError(`invalid YAML file: %YAML ${version}`);
  checkTokens(text);
  try {
    const file = new Decoder(document).decode();
    if (file === null) return { config: new Map() };
    if (!(file instanceof Mapping))
      throw new StackFileError("is not a map: a stack's file has a map `config`");
    const strangeKey = file.entries.find(([key]) => typeof key !== "string");
    if (strangeKey) throw new StackFileError(`expected only string keys, got '${keyText(strangeKey[0])}'`);
    if (hasEnvironment(file)) {
      throw new StackFileError(
        "names environments of Pulumi ESC, whose values are not in the file. Write the values themselves under `config`",
      );
    }
    const salt = textField(file, "encryptionsalt");
    for (const name of ["secretsprovider", "encryptedkey"]) textField(file, name);
    const config = configOf(file, project);
    // The engine writes every value as JSON, and fails on those that JSON does not have.
    for (const value of config.values()) if (typeof value !== "string") configText(value);
    return { config, ...(salt !== undefined && { encryptionSalt: salt }) };
  } catch (reason) {
    if (reason instanceof StackFileError) throw reason;
    throw new StackFileError(reason instanceof Error ? reason.message : String(reason), { cause: reason });
  }
}

/** A value as the engine hands it to a program: a text as it is, anything else as JSON. */
export function configText(value: ConfigValue): string {
  if (typeof value === "string") return value;
  const plain = (entry: ConfigValue): JsonValue => {
    if (entry instanceof Secure) return new Map([["secure", entry.ciphertext]]);
    // Inside a map or a list, what is not a signed 64-bit number has become a float.
    if (typeof entry === "bigint" && value !== entry && entry >= 2n ** 63n) return Number(entry);
    if (Array.isArray(entry)) return (entry as readonly ConfigValue[]).map(plain);
    if (entry instanceof Map)
      return new Map(
        [...(entry as ReadonlyMap<string, ConfigValue>)].map(([name, inner]) => [name, plain(inner)]),
      );
    return entry as JsonValue;
  };
  return jsonText(plain(value));
}
