/** Decides what is sealed and what is kept, and seals it. */
import type { KeyObject } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  fromTemplate,
  type NamedPart,
  type SealedSecret,
  sealedSecretOf,
  sealedTexts,
} from "../../components/secrets/sealed-secret.ts";
import { sealed } from "./sealing.ts";
import { composed, isReadable, leavesIn, ownerOf, type Unsealed } from "./unsealed.ts";

/** What cannot be sealed as it was asked for. */
export class SealingError extends Error {}

/** A text to be sealed. */
interface Place {
  secret: Unsealed;
  key: string;
  parts: readonly NamedPart[];
}

/** What is to be sealed, and what stays as it is. */
export interface SealingPlan {
  secrets: readonly Unsealed[];
  /** Texts to be sealed. */
  wanted: readonly Place[];
  /** Texts that stay as they are. */
  kept: readonly Place[];
  /** By name: objects whose sealed texts are kept. */
  before: ReadonlyMap<string, SealedSecret>;
  /** Names of the values that are replaced. */
  reseal: ReadonlySet<string>;
}

const placesOf = (secrets: readonly Unsealed[]): Place[] =>
  secrets.flatMap((secret) => Object.entries(secret.texts).map(([key, parts]) => ({ secret, key, parts })));

/** What a person asks for. */
export interface Wishes {
  /** Names of values that are replaced. @default none */
  reseal?: readonly string[];
  /** Names of values that are given. @default none */
  given?: readonly string[];
}

/**
 * What is to be sealed: texts that are not sealed yet, that were sealed as another text, and those with a value that is
 * replaced.
 *
 * @param before what is sealed, by name
 * @throws SealingError if there is no such value, or if one is given that is sealed already
 */
export function planned(
  secrets: readonly Unsealed[],
  before: ReadonlyMap<string, SealedSecret>,
  { reseal = [], given = [] }: Wishes = {},
): SealingPlan {
  const places = placesOf(secrets);
  const names = [...new Set(places.flatMap(({ parts }) => leavesIn(parts)).map(ownerOf))].sort();
  for (const [flag, asked] of [
    ["--reseal", reseal],
    ["--values", given],
  ] as const) {
    for (const leaf of asked) {
      if (names.includes(ownerOf(leaf))) continue;
      throw new SealingError(`${flag} ${leaf}: there is no such value. There are: ${names.join(", ")}`);
    }
  }
  const replaced = new Set(reseal);
  const isKept = ({ secret, key, parts }: Place): boolean => {
    const there = before.get(secret.name);
    if (there === undefined || there.metadata.namespace !== secret.namespace) return false;
    if (leavesIn(parts).some((leaf) => replaced.has(ownerOf(leaf)))) return false;
    const where = isReadable(parts) ? there.spec.template.data : there.spec.encryptedData;
    return where?.[key] !== undefined && isDeepStrictEqual(sealedTexts(there)?.[key], parts);
  };
  const wanted = places.filter((place) => !isKept(place));
  for (const leaf of given) {
    if (wanted.some(({ parts }) => leavesIn(parts).includes(leaf))) continue;
    throw new SealingError(`--values ${leaf}: it is sealed already. To replace it, add: --reseal ${leaf}`);
  }
  return {
    secrets,
    wanted,
    kept: places.filter(isKept),
    before,
    reseal: replaced,
  };
}

/** Where values are from. */
export interface Values {
  /** Given by hand, by name. */
  given: ReadonlyMap<string, string>;
  /** In force in the cluster, by name. */
  inForce: ReadonlyMap<string, string>;
}

/** What was sealed. */
export interface Sealing {
  objects: SealedSecret[];
  /** `<Secret>/<key>` of the texts that were sealed now. */
  sealed: string[];
  /** Values that are neither in force nor given: configured, or made up. Without public halves. */
  fresh: string[];
  /** The public halves in the objects, by name. */
  readable: Map<string, string>;
}

/** Whether the plan needs secret values at all. */
export const needsValues = ({ wanted }: SealingPlan) =>
  wanted.some(({ parts }) => leavesIn(parts).length > 0);

/**
 * Seals what is planned.
 *
 * @throws SealingError if a value is not known, or if a text that is kept may hold another one than would be sealed now
 */
export function sealedObjects(
  { secrets, wanted, kept, before, reseal }: SealingPlan,
  { given, inForce }: Values,
  publicKey: KeyObject,
): Sealing {
  const evaluated = new Map(secrets.flatMap(({ values }) => Object.entries(values)));
  // A public half that is kept can be read.
  const readable = new Map<string, string>();
  for (const { secret, key, parts } of kept) {
    const [only, ...others] = parts;
    const text = before.get(secret.name)?.spec.template.data?.[key];
    if (typeof only === "object" && others.length === 0 && isReadable(parts) && text !== undefined)
      readable.set(only.leaf, fromTemplate(text));
  }
  const fresh = new Set<string>();
  const valueOf = (leaf: string): string => {
    const isAnew = reseal.has(ownerOf(leaf));
    const known = given.get(leaf) ?? readable.get(leaf) ?? (isAnew ? undefined : inForce.get(leaf));
    if (known !== undefined) return known;
    const value = evaluated.get(leaf);
    if (value === undefined || value === "") {
      throw new SealingError(
        `${leaf} has no value: it is not in force in the cluster, not configured, and not one that can be made up. ` +
          `Write \`${leaf}: <value>\` into a file outside of the project, and add: --values <file>`,
      );
    }
    const elsewhere = kept.find(({ parts }) => leavesIn(parts).some((one) => ownerOf(one) === ownerOf(leaf)));
    if (elsewhere) {
      const missing = wanted
        .filter(({ parts }) => leavesIn(parts).includes(leaf))
        .map(({ secret, key }) => `${key} of ${secret.name}`);
      throw new SealingError(
        `${ownerOf(leaf)} is sealed in ${elsewhere.secret.name} (key ${elsewhere.key}) and not yet as ` +
          `${missing.join(", ")}; what is sealed cannot be read, and the cluster does not say which value is in ` +
          `force. Replace it in all of them: --reseal ${ownerOf(leaf)}`,
      );
    }
    fresh.add(ownerOf(leaf));
    return value;
  };

  const texts = new Map(wanted.map((place) => [place, composed(place.parts, valueOf)]));
  for (const { parts } of wanted)
    for (const leaf of leavesIn(parts)) if (leaf !== ownerOf(leaf)) readable.set(leaf, valueOf(leaf));
  const textOf = (secret: Unsealed, key: string): string | undefined => {
    for (const [place, text] of texts) if (place.secret === secret && place.key === key) return text;
    return undefined;
  };
  const objects = secrets.map((secret) => {
    const { spec } = before.get(secret.name) ?? {};
    const encrypted: Record<string, string> = {};
    const plain: Record<string, string> = {};
    for (const [key, parts] of Object.entries(secret.texts)) {
      const text = textOf(secret, key);
      if (isReadable(parts)) plain[key] = text ?? fromTemplate(spec?.template.data?.[key] ?? "");
      else
        encrypted[key] =
          text === undefined ? (spec?.encryptedData[key] ?? "") : sealed(text, secret, publicKey);
    }
    return sealedSecretOf(secret, secret.texts, encrypted, plain);
  });
  return {
    objects,
    sealed: wanted
      .filter(({ parts }) => !isReadable(parts))
      .map(({ secret: { name }, key }) => `${name}/${key}`),
    fresh: [...fresh].sort(),
    readable,
  };
}
