/** A rendering's values for a cluster: what the cluster has replaces what the evaluation made up. */
import { encoded, type Generated, secretValues } from "../../evaluation/generated.ts";
import { type Manifest, objectId } from "../../evaluation/manifests.ts";

/** A rendering's objects with their final values. */
export interface InForce {
  objects: Manifest[];
  /** The keys of each Secret whose values are new. */
  made: { name: string; keys: string[] }[];
}

/**
 * Replaces made-up values with the cluster's, also inside values that contain them. A made-up value that the cluster
 * does not have stays.
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
    if (there === undefined || object.kind !== "Secret") continue;
    const texts = secretValues(there);
    for (const [key, parts] of Object.entries(generated.parts.get(objectId(object)) ?? {})) {
      const [value, ...others] = parts;
      // Only from the value alone, and from the first Secret that has it.
      if (typeof value !== "number" || others.length > 0 || kept.has(value)) continue;
      // An empty value would be a login without a password.
      if (!texts[key]) continue;
      values[value] = texts[key];
      kept.add(value);
    }
  }

  const made: InForce["made"] = [];
  const resolved = objects.map((object) => {
    const parts = generated.parts.get(objectId(object)) ?? {};
    const written = Object.entries(parts).map(([key, ofIt]) => [
      key,
      ofIt.map((part) => (typeof part === "number" ? (values[part] ?? "") : part)).join(""),
    ]);
    // What is public of a Secret, as text.
    if (object.kind === "ConfigMap") {
      const texts = { ...(object.data as object | undefined), ...(Object.fromEntries(written) as object) };
      return written.length > 0 ? { ...object, data: texts } : object;
    }
    if (object.kind !== "Secret") return object;
    const keys = Object.entries(parts)
      .filter(
        ([, [value, ...others]]) => typeof value === "number" && others.length === 0 && !kept.has(value),
      )
      .map(([key]) => key);
    if (keys.length > 0) made.push({ name: object.metadata.name, keys });
    const texts = { ...secretValues(object), ...(Object.fromEntries(written) as Record<string, string>) };
    // As `data`, which drops keys that are no longer applied; the API server only adds keys from `stringData`.
    const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encoded(text)]));
    const secret: Manifest = { ...object, data };
    delete secret.stringData;
    return secret;
  });
  return { objects: resolved, made };
}
