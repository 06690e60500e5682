/** Writes the digests of a stack's images after their tags. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { table } from "../../config.ts";
import { withFields } from "../stack-file/editing.ts";
import { plainSection, readDocument } from "../stack-file/stack-file.ts";
import { parseImage, resolveDigest } from "./images.ts";

/** The configuration's images, with defaults for those that are not set, and whether a stack has them. */
const IMAGES: readonly {
  section: "database" | "migration" | "backup";
  usual: string | undefined;
  isUsed?: (section: Record<string, unknown>) => boolean;
}[] = [
  { section: "database", usual: table.database.image.default },
  { section: "migration", usual: table.migration.image.default },
  {
    section: "backup",
    usual: table.backup.image.default,
    isUsed: ({ repositories }) => Object.keys(repositories ?? {}).length > 0,
  },
];

/** The images of a stack's file. */
function imagesOf(path: string): { section: string; image: string }[] {
  const file = readDocument(path);
  return IMAGES.flatMap(({ section, usual, isUsed }) => {
    const plain = plainSection(file, section);
    if (isUsed && !isUsed(plain)) return [];
    return [{ section, image: typeof plain.image === "string" ? plain.image : (usual ?? "") }];
  });
}

/**
 * Asks the registries for the digest of each image, and writes all of them into the stack's file, or none.
 *
 * @param refresh whether to ask also for images that have a digest
 * @returns one line for each image
 * @throws Error with one line
 */
export async function writeDigests(path: string, { refresh }: { refresh: boolean }): Promise<string[]> {
  const resolved = await Promise.all(
    imagesOf(path).map(async ({ section, image }) => {
      const name = parseImage(image);
      // A pinned image stays: a tag that has moved since needs a person's review.
      if (name.digest !== undefined && !refresh) return { section, image, pinned: image };
      return { section, image, pinned: `${name.tagged}@${await resolveDigest(name)}` };
    }),
  ).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}. Nothing was written`, { cause: error });
  });
  const images = Object.fromEntries(resolved.map(({ section, pinned }) => [section, { image: pinned }]));
  writeFileSync(`${path}.new`, withFields(readFileSync(path, "utf8"), images));
  renameSync(`${path}.new`, path);
  return resolved.map(({ image, pinned }) =>
    image === pinned ? `unchanged: ${image}` : `written: ${pinned}`,
  );
}
