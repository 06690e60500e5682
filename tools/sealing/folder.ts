/** Writes what is sealed into a stack's folder. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sealedFile, sealedFolder } from "../../components/secrets/sealed-folder.ts";
import type { SealedSecret } from "../../components/secrets/sealed-secret.ts";

/**
 * Writes the objects, each whole, and removes those of Secrets that there are no longer.
 *
 * @param before what is in the folder, by name
 * @returns names of the files that were removed
 */
export function writeSealed(
  directory: string,
  objects: readonly SealedSecret[],
  before: ReadonlyMap<string, SealedSecret>,
): string[] {
  const folder = sealedFolder(directory);
  mkdirSync(folder, { recursive: true });
  for (const object of objects) {
    const file = join(folder, sealedFile(object.metadata.name));
    writeFileSync(`${file}.new`, `${JSON.stringify(object, undefined, 2)}\n`);
    renameSync(`${file}.new`, file);
  }
  const wanted = new Set(objects.map(({ metadata }) => metadata.name));
  const gone = [...before.keys()].filter((name) => !wanted.has(name)).map(sealedFile);
  for (const file of gone) if (existsSync(join(folder, file))) rmSync(join(folder, file));
  for (const file of readdirSync(folder)) if (file.endsWith(".json.new")) rmSync(join(folder, file));
  return gone;
}
