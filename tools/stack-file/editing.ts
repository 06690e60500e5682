/**
 * Changes a Pulumi.<stack>.yaml: text in, text out. Comments, encrypted values and the style of each value stay. The
 * result is read again as the engine reads it: it must hold the changes and otherwise what it held before.
 */
import { isDeepStrictEqual } from "node:util";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  type Node,
  Pair,
  parseAllDocuments,
  parseDocument,
  Scalar,
  visit,
  YAMLMap,
  YAMLSeq,
} from "yaml";
import { configText, fullKey, PROJECT, readStackDocument, StackFileError } from "./document.ts";
import { meaningOf } from "./scalars.ts";

/** A field and its new value. */
export interface Change {
  /** The section, the field, and the fields below it: `["database", "settings", "work_mem"]`. */
  path: readonly [section: string, field: string, ...fields: string[]];
  /** What JSON can hold. Undefined removes the field. */
  value: unknown;
}

/**
 * Sets whole fields.
 *
 * @param text the file; an empty one is a stack's file too
 * @param sections the fields by section, `{ node: { hostname: "gen9" } }`; undefined removes a field
 * @throws StackFileError as {@link edited}
 */
export function withFields(
  text: string,
  sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): string {
  const changes = Object.entries(sections).flatMap(([section, fields]) =>
    Object.entries(fields).map(([field, value]): Change => ({ path: [section, field], value })),
  );
  return edited(text, changes);
}

/**
 * Makes changes in order.
 *
 * @throws StackFileError if the engine would refuse the file, or the file cannot hold a change
 */
export function edited(text: string, changes: readonly Change[]): string {
  const wanted = changes.reduce(applied, meaningOfFile(text));
  const result = rewritten(text, (file) => {
    for (const { path, value } of changes) {
      const [section, ...fields] = path;
      const way = ["config", keyOf(file, section), ...fields];
      if (value === undefined) removeIn(file, way);
      else setIn(file, way, value);
    }
  });
  const differing = differences(wanted, meaningOfFile(result));
  if (differing.length > 0)
    throw new StackFileError(
      `${differing.join(", ")} cannot be changed without changing what the file means. Edit the file by hand`,
    );
  return result;
}

/**
 * Sets the salt by which the engine checks the passphrase of the file's secure values.
 *
 * @param salt `encryptionSalt` of a stack's document. Undefined leaves the file as it is
 */
export function withEncryptionSalt(text: string, salt: string | undefined): string {
  return salt === undefined ? text : rewritten(text, (file) => setIn(file, ["encryptionsalt"], salt));
}

/** The first document of a file, the one that the engine reads. */
function rewritten(text: string, change: (file: Document) => void): string {
  // With a schema of texts alone, what does not change is written as it was, whatever it means.
  const options = { schema: "failsafe", merge: false, resolveKnownTags: false } as const;
  const [file, next] = parseAllDocuments(text, options) as Document.Parsed[];
  // A file with only comments, or nothing, has no document.
  const first = file ?? parseDocument(text, options);
  try {
    change(first);
    return first.toString({ lineWidth: 0 }) + (next === undefined ? "" : text.slice(next.range[0]));
  } catch (error) {
    if (error instanceof StackFileError) throw error;
    throw new StackFileError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** The key of a section as in the file: `node`, or with its namespace. */
function keyOf(file: Document, section: string): string {
  const full = `${PROJECT}:${section}`;
  const config = isMap(file.contents) ? file.contents.get("config") : undefined;
  const keys = isMap(config) ? config.items.map(({ key }) => (isScalar(key) ? String(key.value) : "")) : [];
  return keys.find((key) => key !== "" && fullKey(key, PROJECT) === full) ?? full;
}

function setIn(file: Document, path: readonly string[], value: unknown): void {
  let map = rootOf(file);
  for (const key of path.slice(0, -1)) map = mapUnder(file, map, key);
  const key = path.at(-1) ?? "";
  const before = map.get(key, true);
  if (before !== undefined) release(file, before);
  if (isScalar(before) && typeof value === "string") {
    // Keeps its quotes and the comment after it.
    before.value = value;
    if (!isQuoted(before)) before.type = styleOf(value);
    delete before.tag;
  } else if (before === undefined) map.items.push(pairOf(key, value));
  else map.set(key, nodeOf(value));
}

function removeIn(file: Document, path: readonly string[]): void {
  let map = rootOf(file);
  for (const key of path.slice(0, -1)) {
    if (!map.has(key)) return;
    map = mapUnder(file, map, key);
  }
  const key = path.at(-1) ?? "";
  const before = map.get(key, true);
  if (before !== undefined) release(file, before);
  map.delete(key);
}

function rootOf(file: Document): YAMLMap {
  if (isMap(file.contents)) return file.contents;
  const root = new YAMLMap();
  file.contents = root;
  return root;
}

/** The map of fields under a key, created if missing, and shared with no other key. */
function mapUnder(file: Document, parent: YAMLMap, key: string): YAMLMap {
  const found = parent.get(key, true);
  if (isMap(found)) {
    releaseOne(file, found);
    return found;
  }
  const target = isAlias(found) ? found.resolve(file) : found;
  const map = isMap(target) ? copyOf(target) : new YAMLMap();
  if (!isMap(target) && target !== undefined && !isNothing(target))
    throw new StackFileError(`${key} is not a map of fields`);
  if (found === undefined) parent.items.push(new Pair(scalarOf(key), map));
  else {
    release(file, found);
    parent.set(key, map);
  }
  return map;
}

/** Whether the engine reads a value as nothing: `node:` without fields. */
const isNothing = (node: Node) => isScalar(node) && !isQuoted(node) && meaningOf(String(node.value)) === null;

const isQuoted = ({ type }: Scalar) => type === Scalar.QUOTE_DOUBLE || type === Scalar.QUOTE_SINGLE;

/** Gives everything that refers to a node, or to a part of it, its own copy, so that it can be changed. */
function release(file: Document, node: Node): void {
  if (isAlias(node)) return;
  visit(node, { Node: (_, part) => releaseOne(file, part) });
}

function releaseOne(file: Document, node: Node): void {
  if (isAlias(node) || node.anchor === undefined) return;
  const aliases = new Map<Node, Node>();
  visit(file, {
    Alias: (_, alias) => {
      if (alias.resolve(file) === node) aliases.set(alias, copyOf(node));
    },
  });
  visit(file, { Alias: (_, alias) => aliases.get(alias) });
  delete node.anchor;
}

/** A copy to which nothing can refer. */
function copyOf<T extends Node>(node: T): T {
  const copy = node.clone() as T;
  visit(copy, {
    Node: (_, part) => {
      if (!isAlias(part)) delete part.anchor;
    },
  });
  return copy;
}

function pairOf(key: string, value: unknown): Pair<Scalar, Node> {
  return new Pair(scalarOf(key), nodeOf(value));
}

/** A value that JSON can hold, as a node. */
function nodeOf(value: unknown): Node {
  if (typeof value === "string") return scalarOf(value);
  if (Array.isArray(value)) {
    const list = new YAMLSeq();
    list.items = value.map(nodeOf);
    return list;
  }
  if (typeof value === "object" && value !== null) {
    const map = new YAMLMap();
    map.items = Object.entries(value).flatMap(([key, entry]) =>
      entry === undefined ? [] : [pairOf(key, entry)],
    );
    return map;
  }
  if (value === null || ["number", "boolean"].includes(typeof value)) {
    const scalar = new Scalar(String(value));
    scalar.type = Scalar.PLAIN;
    return scalar;
  }
  throw new StackFileError(`a ${typeof value} is not a value of a configuration`);
}

function scalarOf(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = styleOf(text);
  return scalar;
}

/** In quotes if the engine would take the text for a number or another value, and if it is not one line. */
function styleOf(text: string): Scalar.Type {
  const isPlain = meaningOf(text) === text && /^[\x20-\x7e]+$/.test(text);
  return isPlain ? Scalar.PLAIN : Scalar.QUOTE_DOUBLE;
}

/** What a file means to a program: JSON by full key. */
type Meaning = ReadonlyMap<string, unknown>;

function meaningOfFile(text: string): Meaning {
  const { config } = readStackDocument(Buffer.from(text), PROJECT);
  return new Map(
    [...config].map(([key, value]) => [
      key,
      typeof value === "string" ? value : (JSON.parse(configText(value)) as unknown),
    ]),
  );
}

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a file means after a change. */
function applied(meaning: Meaning, { path: [section, ...fields], value }: Change): Meaning {
  const put = (before: unknown, [name, ...rest]: readonly string[]): unknown => {
    if (name === undefined)
      return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);
    if (value === undefined && !isFields(before)) return before;
    const map = isFields(before) ? before : {};
    const { [name]: old, ...others } = map;
    const entry = put(old, rest);
    return entry === undefined ? others : { ...others, [name]: entry };
  };
  const key = `${PROJECT}:${section}`;
  const result = put(meaning.get(key), fields);
  return result === undefined ? meaning : new Map(meaning).set(key, result);
}

/** The keys in which two files differ. */
function differences(one: Meaning, other: Meaning): string[] {
  return [...new Set([...one.keys(), ...other.keys()])].filter(
    (key) => !isDeepStrictEqual(one.get(key), other.get(key)),
  );
}
