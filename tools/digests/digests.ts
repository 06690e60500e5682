/** Writes the digests of a stack's images after their tags. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { table } from "../../config.ts";
import { withFields } from "../stack-file/editing.ts";
import { plainSection, readDocument } from "../stack-file/stack-file.ts";
import { parseImage, resolveDigest } from "./images.ts";

const hasSinks = ({ sinks }: Record<string, unknown>) => Object.keys(sinks ?? {}).length > 0;
const hasRepositories = ({ repositories }: Record<string, unknown>) =>
  Object.keys(repositories ?? {}).length > 0;

/** The configuration's images, with defaults for those that are not set, and whether a stack has them. */
const IMAGES: readonly {
  section: "database" | "migration" | "backup" | "notify" | "monitoring";
  field: "image" | "dumpImage" | "exporterImage" | "prometheusImage";
  usual: string | undefined;
  isUsed?: (section: Record<string, unknown>) => boolean;
}[] = [
  { section: "database", field: "image", usual: table.database.image.default },
  { section: "migration", field: "image", usual: table.migration.image.default },
  { section: "backup", field: "image", usual: table.backup.image.default, isUsed: hasRepositories },
  { section: "backup", field: "dumpImage", usual: table.backup.dumpImage.default, isUsed: hasRepositories },
  { section: "notify", field: "image", usual: table.notify.image.default, isUsed: hasSinks },
  {
    section: "monitoring",
    field: "exporterImage",
    usual: table.monitoring.exporterImage.default,
    isUsed: ({ prometheus }) => prometheus !== undefined && prometheus !== "none",
  },
  {
    section: "monitoring",
    field: "prometheusImage",
    usual: table.monitoring.prometheusImage.default,
    isUsed: ({ prometheus }) => prometheus === "bundled",
  },
];

/** The images of a stack's file. */
function imagesOf(path: string): { section: string; field: string; image: string }[] {
  const file = readDocument(path);
  return IMAGES.flatMap(({ section, field, usual, isUsed }) => {
    const plain = plainSection(file, section);
    if (isUsed && !isUsed(plain)) return [];
    const image = plain[field];
    return [{ section, field, image: typeof image === "string" ? image : (usual ?? "") }];
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
    imagesOf(path).map(async ({ section, field, image }) => {
      const name = parseImage(image);
      // A pinned image stays: a tag that has moved since needs a person's review.
      if (name.digest !== undefined && !refresh) return { section, field, image, pinned: image };
      return { section, field, image, pinned: `${name.tagged}@${await resolveDigest(name)}` };
    }),
  ).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}. Nothing was written`, { cause: error });
  });
  const images: Record<string, Record<string, string>> = {};
  for (const { section, field, pinned } of resolved)
    images[section] = { ...images[section], [field]: pinned };
  writeFileSync(`${path}.new`, withFields(readFileSync(path, "utf8"), images));
  renameSync(`${path}.new`, path);
  return resolved.map(({ image, pinned }) =>
    image === pinned ? `unchanged: ${image}` : `written: ${pinned}`,
  );
}
