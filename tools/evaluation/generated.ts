/**
 * Which values in a stack's Secrets, and what of them is public and in its ConfigMaps, the evaluation made up. The engine keeps what a password is generated from in its
 * state; an evaluation has no state and generates another one each time. So the program is evaluated twice: what
 * differs is made up. No capability needs to declare it, and none is known by name.
 */
import { isDeepStrictEqual } from "node:util";
import type { Live } from "../../live.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import { isKubernetes, type Manifest, objectId } from "./manifests.ts";
import { type Registration, unwrapped } from "./recorder.ts";

/** Text as it is, or the index of a made-up value. */
export type Part = string | number;

/** The made-up values of a stack. */
export interface Generated {
  /** Those that contain no other made-up value, from the first evaluation. */
  values: string[];
  /** By {@link objectId} and by key of the Secret: the parts of the value, in order. */
  parts: ReadonlyMap<string, Readonly<Record<string, readonly Part[]>>>;
}

/** Shorter values, in characters, are not searched for inside others: they would be found by chance. */
const FINDABLE = 8;

/**
 * The values of a Secret by key, as the pods see them: one character per byte, since a value need not be text. The
 * inverse is {@link encoded}.
 */
export function secretValues(secret: Manifest): Record<string, string> {
  const { data = {}, stringData = {} } = secret as {
    data?: Record<string, string>;
    stringData?: Record<string, string>;
  };
  const bytes = [
    ...Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64")] as const),
    ...Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value)] as const),
  ];
  return Object.fromEntries(bytes.map(([key, value]) => [key, value.toString("latin1")]));
}

/** A value as written under a Secret's `data`. */
export function encoded(value: string): string {
  return Buffer.from(value, "latin1").toString("base64");
}

/** A pattern that matches only this text. */
const escaped = (text: string) => text.replaceAll(/[^A-Za-z0-9]/g, "\\$&");

/** A text with the known values in it replaced by their indices. */
function partsOf(text: string, values: readonly string[]): Part[] {
  const whole = values.indexOf(text);
  if (whole >= 0) return [whole];
  const findable = values.filter(({ length }) => length >= FINDABLE).sort((a, b) => b.length - a.length);
  if (findable.length === 0) return [text];
  const pattern = new RegExp(`(${findable.map(escaped).join("|")})`);
  return text
    .split(pattern)
    .map((part, index) => (index % 2 === 1 ? values.indexOf(part) : part))
    .filter((part) => part !== "");
}

/** Kinds whose values can be made up: a ConfigMap's only as parts of a Secret's, such as a certificate. */
const hasValues = ({ kind }: Manifest) => kind === "Secret" || kind === "ConfigMap";

/** The values of a Secret or a ConfigMap by key, in the form of {@link secretValues}. */
export function valuesOf(manifest: Manifest): Record<string, string> {
  if (manifest.kind === "Secret") return secretValues(manifest);
  if (manifest.kind !== "ConfigMap") return {};
  return secretValues({ ...manifest, stringData: manifest.data, data: manifest.binaryData });
}

/** An object without such values. */
function othersOf(manifest: Manifest): Manifest {
  return hasValues(manifest)
    ? { ...manifest, data: undefined, stringData: undefined, binaryData: undefined }
    : manifest;
}

/**
 * Compares two evaluations of one program.
 *
 * @throws when they differ in anything but the values of Secrets: a made-up value there could not be kept
 */
export function generatedIn(first: readonly Manifest[], second: readonly Manifest[]): Generated {
  const again = new Map(second.map((manifest) => [objectId(manifest), manifest]));
  const differing: { id: string; key: string; texts: [string, string]; isPublic: boolean }[] = [];
  const refuse = ({ kind, metadata }: Manifest) =>
    new Error(
      `${kind} ${metadata.name} differs each time the program is evaluated, so kubectl would change it at each ` +
        "deployment: only the values of Secrets may be generated, and be repeated elsewhere",
    );
  for (const manifest of first) {
    const id = objectId(manifest);
    const other = again.get(id);
    const [texts, otherTexts] = [manifest, other].map((one) => (one ? valuesOf(one) : {}));
    if (
      other === undefined ||
      !isDeepStrictEqual(othersOf(manifest), othersOf(other)) ||
      !isDeepStrictEqual(Object.keys(texts ?? {}), Object.keys(otherTexts ?? {}))
    ) {
      throw refuse(manifest);
    }
    for (const [key, text] of Object.entries(texts ?? {})) {
      const otherText = otherTexts?.[key] ?? "";
      if (text === otherText) continue;
      differing.push({ id, key, texts: [text, otherText], isPublic: manifest.kind === "ConfigMap" });
    }
  }

  // Shortest first: a value is known before those that contain it. A ConfigMap's last: none is made up there.
  differing.sort((a, b) => Number(a.isPublic) - Number(b.isPublic) || a.texts[0].length - b.texts[0].length);
  const known: [string[], string[]] = [[], []];
  const parts = new Map<string, Record<string, Part[]>>();
  for (const { id, key, texts, isPublic } of differing) {
    const [made, otherMade] = [partsOf(texts[0], known[0]), partsOf(texts[1], known[1])];
    // What still differs without the known values is made up itself.
    const isComposed = isDeepStrictEqual(made, otherMade);
    const composer = first.find((manifest) => objectId(manifest) === id);
    if (!isComposed && isPublic && composer) throw refuse(composer);
    const value = isComposed ? made : [known[0].push(texts[0]) - 1];
    if (!isComposed) known[1].push(texts[1]);
    parts.set(id, { ...parts.get(id), [key]: value });
  }
  return { values: known[0], parts };
}

const manifestsIn = (registrations: readonly Registration[]) =>
  registrations.filter(isKubernetes).map(({ inputs }) => unwrapped(inputs) as Manifest);

/** An evaluation, and which of its values it made up. */
export interface MarkedEvaluation {
  evaluation: Evaluation;
  generated: Generated;
}

/** {@link evaluate}, and which of the values it made up. */
export async function evaluateMarked(
  stack: string,
  config: Readonly<Record<string, string>>,
  secretKeys: readonly string[],
  live: Live = {},
): Promise<MarkedEvaluation> {
  const evaluation = await evaluate(stack, config, secretKeys, live);
  const again = await evaluate(stack, config, secretKeys, live);
  return {
    evaluation,
    generated: generatedIn(manifestsIn(evaluation.registrations), manifestsIn(again.registrations)),
  };
}
