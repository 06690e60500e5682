/** Reads the folder with a stack's SealedSecrets. */
import { readdirSync, readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SEALED_SECRET, SEALED_SECRETS_API, type SealedSecret, sealedTexts } from "./sealed-secret.ts";

/** The folder of a stack, whatever the current directory is: below the project, unless it is absolute. */
export function sealedFolder(directory: string): string {
  return isAbsolute(directory) ? directory : fileURLToPath(new URL(`../../${directory}`, import.meta.url));
}

/** The file of a SealedSecret. */
export const sealedFile = (name: string) => `${name}.json`;

/** What is wrong with a file, or the object in it. */
function objectIn(text: string): SealedSecret | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return "is not JSON";
  }
  const object = parsed as Partial<SealedSecret> | null;
  if (object?.apiVersion !== SEALED_SECRETS_API || object.kind !== SEALED_SECRET)
    return `does not hold one ${SEALED_SECRET} of ${SEALED_SECRETS_API}`;
  const { metadata, spec } = object;
  if (typeof metadata?.name !== "string" || typeof metadata.namespace !== "string")
    return "has no metadata.name or metadata.namespace";
  if (
    typeof spec?.encryptedData !== "object" ||
    typeof spec.template !== "object" ||
    !sealedTexts({ metadata })
  )
    return "was not written by render --seal: it does not say what is sealed in it";
  return object as SealedSecret;
}

/**
 * The SealedSecrets in a stack's folder, by name. Empty without a folder.
 *
 * @param directory as in `secretStore.directory`
 * @throws RunError with one line for each file that cannot be used
 */
export function readSealed(directory: string): Map<string, SealedSecret> {
  const folder = sealedFolder(directory);
  let files: string[];
  try {
    files = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw new pulumi.RunError(`${directory}: the sealed Secrets cannot be read: ${(error as Error).message}`);
  }
  const objects = new Map<string, SealedSecret>();
  const problems: string[] = [];
  for (const file of files.filter((name) => name.endsWith(".json")).sort()) {
    const object = objectIn(readFileSync(join(folder, file), "utf8"));
    if (typeof object === "string") problems.push(`${directory}/${file} ${object}`);
    else if (file !== sealedFile(object.metadata.name))
      problems.push(
        `${directory}/${file} holds ${object.metadata.name}: name it ${sealedFile(object.metadata.name)}`,
      );
    else objects.set(object.metadata.name, object);
  }
  if (problems.length === 0) return objects;
  throw new pulumi.RunError(
    [
      "sealed Secrets that cannot be used:",
      ...problems.map((line) => `  ${line}`),
      `Take them back from the repository's history (git checkout -- ${directory}), or delete them and seal again: ` +
        "npm run render -- --stack <stack> --seal <certificate>",
    ].join("\n"),
  );
}
