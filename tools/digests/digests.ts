/** Writing the digests of a stack's images behind their tags. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { type Document, parseDocument } from "yaml";
import { table } from "../../config.ts";
import { parseImage, resolveDigest } from "./images.ts";

/** The configuration's images, with what stands in for those that are not written. */
const IMAGES = [
  { section: "database", usual: table.database.image.default },
  { section: "migration", usual: table.migration.image.default },
] as const;

/** The images of a stack's file. */
function imagesOf(file: Document): { path: string[]; image: string }[] {
  return IMAGES.map(({ section, usual }) => {
    const path = ["config", `transcript-pipeline:${section}`, "image"];
    const written: unknown = file.getIn(path);
    return { path, image: typeof written === "string" ? written : (usual ?? "") };
  });
}

/**
 * Asks the registries for the digest of each image, and writes them into the stack's file: all of them or none.
 *
 * @param refresh whether images that have a digest are asked for too
 * @returns one line for each image
 * @throws Error with one line
 */
export async function writeDigests(path: string, { refresh }: { refresh: boolean }): Promise<string[]> {
  const file = parseDocument(readFileSync(path, "utf8"));
  const resolved = await Promise.all(
    imagesOf(file).map(async ({ path: field, image }) => {
      const name = parseImage(image);
      // What is pinned stays: a tag that has moved since is for a person to look at.
      if (name.digest !== undefined && !refresh) return { field, image, pinned: image };
      return { field, image, pinned: `${name.tagged}@${await resolveDigest(name)}` };
    }),
  ).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}. Nothing was written`, { cause: error });
  });
  for (const { field, pinned } of resolved) file.setIn(field, pinned);
  writeFileSync(`${path}.new`, file.toString({ lineWidth: 0 }));
  renameSync(`${path}.new`, path);
  return resolved.map(({ image, pinned }) =>
    image === pinned ? `unchanged: ${image}` : `written: ${pinned}`,
  );
}
