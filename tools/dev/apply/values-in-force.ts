/** The values of a rendering as they go to a cluster: what the evaluation made up gives way to what the cluster has. */
import { encoded, type Generated, secretValues } from "../../evaluation/generated.ts";
import { type Manifest, objectId } from "../../evaluation/manifests.ts";

/** A rendering's objects with the values that they have from now on. */
export interface InForce {
  objects: Manifest[];
  /** Of a Secret, the keys whose values are new. */
  made: { name: string; keys: string[] }[];
}

/**
 * Puts the cluster's values in the place of those that were made up, and into the values that contain them. A made-up value
 * that the cluster does not have stays as it was made up.
 *
 * @param live the Secrets that the cluster has, by {@link objectId}
 */
export function inForce(
  objects: readonly Manifest[],
  generated: Generated,
  live: ReadonlyMap<string, Manifest>,
): InForce {
  const values = [...generated.values];
  const kept = new Set<number>();
  for (const object of objects) {
    const there = live.get(objectId(object));
    if (there === undefined) continue;
    const texts = secretValues(there);
    for (const [key, parts] of Object.entries(generated.parts.get(objectId(object)) ?? {})) {
      const [value, ...others] = parts;
      // The value alone, and in the first of the Secrets that have it.
      if (typeof value !== "number" || others.length > 0 || kept.has(value)) continue;
      // An empty one would be a login without a password.
      if (!texts[key]) continue;
      values[value] = texts[key];
      kept.add(value);
    }
  }

  const made: InForce["made"] = [];
  const resolved = objects.map((object) => {
    if (object.kind !== "Secret") return object;
    const parts = generated.parts.get(objectId(object)) ?? {};
    const written = Object.entries(parts).map(([key, ofIt]) => [
      key,
      ofIt.map((part) => (typeof part === "number" ? (values[part] ?? "") : part)).join(""),
    ]);
    const keys = Object.entries(parts)
      .filter(
        ([, [value, ...others]]) => typeof value === "number" && others.length === 0 && !kept.has(value),
      )
      .map(([key]) => key);
    if (keys.length > 0) made.push({ name: object.metadata.name, keys });
    const texts = { ...secretValues(object), ...(Object.fromEntries(written) as Record<string, string>) };
    // As `data`, in which a key that is no longer applied goes; the API server only adds what is in `stringData`.
    const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encoded(text)]));
    const secret: Manifest = { ...object, data };
    delete secret.stringData;
    return secret;
  });
  return { objects: resolved, made };
}
