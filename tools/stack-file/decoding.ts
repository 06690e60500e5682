/** A YAML document's nodes as yaml.v3 decodes them into values without a type (decode.go). */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  Scalar,
  type YAMLMap,
} from "yaml";
import { type ScalarValue, scalarValue, Time } from "./scalars.ts";

/** A map: all keys are texts, or they are of any kind and the engine keeps them that way. */
export class Mapping {
  /** Whether Go holds it as map[string]any. */
  readonly ofTexts: boolean;
  private readonly pairs = new Map<string, [key: ScalarValue, value: Decoded]>();
  constructor(ofTexts: boolean) {
    this.ofTexts = ofTexts;
  }
  set(key: ScalarValue, value: Decoded): void {
    this.pairs.set(identityOf(key), [key, value]);
  }
  get entries(): readonly (readonly [key: ScalarValue, value: Decoded])[] {
    return [...this.pairs.values()];
  }
  /** What is under a key that is a text. */
  get(key: string): Decoded | undefined {
    return this.pairs.get(identityOf(key))?.[1];
  }
}

/** A decoded value. */
export type Decoded = ScalarValue | Decoded[] | Mapping;

/** Distinguishes keys as a Go map of interfaces does: 1 and "1" are two. */
function identityOf(key: ScalarValue): string {
  return key instanceof Time ? `time ${key.text}` : `${key === null ? "null" : typeof key} ${String(key)}`;
}

const PREFIX = "tag:yaml.org,2002:";

/** The written tag, by its last part if it is one of YAML's own. `!` alone is not one. */
function tagOf(node: Node): string | undefined {
  const tag = (node as { tag?: string }).tag;
  if (tag === undefined || tag === "!" || tag === "") return undefined;
  return tag.startsWith(PREFIX) ? tag.slice(PREFIX.length) : tag;
}

const isQuoted = (node: Scalar) => node.type !== undefined && node.type !== Scalar.PLAIN;

/** A scalar's text; with the schema that knows no other kind, its value is one. */
const textOf = (node: Scalar): string => (typeof node.value === "string" ? node.value : (node.source ?? ""));

/** Share of a document's values that may come from aliases (decode.go, allowedAliasRatio). */
function allowedAliases(decoded: number): number {
  if (decoded <= 400_000) return 0.99;
  if (decoded >= 4_000_000) return 0.1;
  return 0.99 - 0.89 * ((decoded - 400_000) / 3_600_000);
}

/** Decodes one document. */
export class Decoder {
  private readonly document: Document;
  private readonly open = new Set<Node>();
  private depth = 0;
  private decoded = 0;
  private aliased = 0;

  constructor(document: Document) {
    this.document = document;
  }

  /**
   * The document's value.
   *
   * @throws Error with the engine's reason
   */
  decode(): Decoded {
    const { contents } = this.document;
    return contents === null ? null : this.value(contents);
  }

  private value(node: unknown): Decoded {
    this.decoded++;
    if (this.depth > 0) this.aliased++;
    if (
      this.aliased > 100 &&
      this.decoded > 1000 &&
      this.aliased / this.decoded > allowedAliases(this.decoded)
    )
      throw new Error("document contains excessive aliasing");
    if (node === null || node === undefined) return null;
    if (isAlias(node)) {
      const target = this.targetOf(node);
      if (this.open.has(target)) throw new Error(`anchor '${node.source}' value contains itself`);
      this.depth++;
      const value = this.value(target);
      this.depth--;
      return value;
    }
    if (isScalar(node)) return scalarValue(textOf(node), tagOf(node), isQuoted(node));
    if (isSeq(node)) return this.inside(node, () => node.items.map((item) => this.value(item)));
    if (isMap(node)) {
      const mapping = new Mapping(this.isOfTexts(node));
      this.inside(node, () => this.fill(mapping, node));
      return mapping;
    }
    throw new Error("cannot decode node with unknown kind");
  }

  private inside<T>(node: Node, decode: () => T): T {
    this.open.add(node);
    const value = decode();
    this.open.delete(node);
    return value;
  }

  private targetOf(alias: Alias): Node {
    const target = alias.resolve(this.document);
    if (target === undefined) throw new Error(`unknown anchor '${alias.source}' referenced`);
    return target;
  }

  private resolved(node: unknown): unknown {
    return isAlias(node) ? this.resolved(this.targetOf(node)) : node;
  }

  /** An unquoted key that merges another map's fields into this one. */
  private isMerge(key: unknown): boolean {
    return (
      isScalar(key) &&
      textOf(key) === "<<" &&
      (tagOf(key) === "merge" || (tagOf(key) === undefined && !isQuoted(key)))
    );
  }

  private isOfTexts(node: YAMLMap): boolean {
    return node.items.every(({ key }) => {
      if (this.isMerge(key)) return true;
      const resolved = this.resolved(key);
      if (!isScalar(resolved)) return false;
      const tag = tagOf(resolved);
      if (tag !== undefined) return tag === "str";
      return typeof scalarValue(textOf(resolved), undefined, isQuoted(resolved)) === "string";
    });
  }

  /** Two keys with the same text are an error, whatever their kinds. */
  private checkKeys(node: YAMLMap): void {
    const seen = new Set<string>();
    for (const { key } of node.items) {
      const identity = isAlias(key)
        ? `alias ${key.source}`
        : isScalar(key)
          ? `scalar ${textOf(key)}`
          : `${isSeq(key)}`;
      if (seen.has(identity))
        throw new Error(`mapping key ${JSON.stringify(isScalar(key) ? textOf(key) : "")} already defined`);
      seen.add(identity);
    }
  }

  /** A key for a map of texts, or of any kind. Undefined where the engine leaves it out. */
  private key(node: unknown, ofTexts: boolean): ScalarValue | undefined {
    const value = this.value(node);
    if (Array.isArray(value) || value instanceof Mapping) throw new Error("invalid map key: a map or a list");
    if (!ofTexts || typeof value === "string") return value;
    const scalar = this.resolved(node);
    return value === null || !isScalar(scalar) ? undefined : textOf(scalar);
  }

  private fill(mapping: Mapping, node: YAMLMap, taken?: Set<string>): void {
    this.checkKeys(node);
    let merged: unknown;
    for (const { key: keyNode, value } of node.items) {
      if (this.isMerge(keyNode)) {
        merged = value;
        continue;
      }
      const key = this.key(keyNode, mapping.ofTexts);
      if (key === undefined) continue;
      if (taken !== undefined) {
        if (taken.has(identityOf(key))) continue;
        taken.add(identityOf(key));
      }
      mapping.set(key, this.value(value));
    }
    if (merged !== undefined) {
      const names = taken ?? new Set(node.items.map(({ key }) => identityOf(this.key(key, false) ?? null)));
      this.merge(mapping, merged, names);
    }
  }

  /** Adds the fields of another map, or of several, that do not exist yet: the first one wins. */
  private merge(mapping: Mapping, node: unknown, taken: Set<string>): void {
    const from = (source: unknown) => {
      const map = this.resolved(source);
      if (!isMap(map)) throw new Error("map merge requires map or sequence of maps as the value");
      if (this.open.has(map)) throw new Error("a map is merged into itself");
      this.inside(map, () => this.fill(mapping, map, taken));
    };
    if (isSeq(node)) for (const source of node.items) from(source);
    else from(node);
  }
}
