/**
 * The versions in an image, from its tag: pgvector's tags are `<pgvector>-pg<major>-<distribution>`
 * (https://hub.docker.com/r/pgvector/pgvector/tags).
 */

/** Parts of a tag. Parts that it does not name are missing. */
export interface ImageVersion {
  /** PostgreSQL's major version. */
  major?: number;
  /** pgvector's version. */
  pgvector?: string;
  /** Debian's code name: its libraries determine how text is sorted. */
  distribution?: string;
}

/** Reads an image's tag. */
export function imageVersionOf(image: string): ImageVersion {
  const tag = /:([^/@]+)(?:@.*)?$/.exec(image)?.[1] ?? "";
  const match = /^(?:v?(\d+\.\d+\.\d+)-)?pg(\d+)(?:-([a-z]+))?$/.exec(tag);
  if (!match) return {};
  const [, pgvector, major, distribution] = match;
  return {
    major: Number(major),
    ...(pgvector !== undefined && { pgvector }),
    ...(distribution !== undefined && { distribution }),
  };
}

/** What changes from one image to another, apart from PostgreSQL's minor version. */
export interface ImageChange {
  /** Sentences: what changes, from what to what, and the effect on an existing database. */
  consequences: string[];
  /** Whether a tag does not name everything. */
  unclear: boolean;
}

/** Compares the running image with the wanted one. */
export function compareImages(running: string, wanted: string): ImageChange {
  const [before, after] = [imageVersionOf(running), imageVersionOf(wanted)];
  const consequences: string[] = [];
  if (before.distribution !== undefined && after.distribution !== undefined) {
    if (before.distribution !== after.distribution)
      consequences.push(
        `the distribution changes from ${before.distribution} to ${after.distribution}: its libraries may sort text ` +
          "in another order, and an index built in the old order would miss rows",
      );
  }
  if (before.pgvector !== undefined && after.pgvector !== undefined && before.pgvector !== after.pgvector)
    consequences.push(
      `pgvector changes from ${before.pgvector} to ${after.pgvector}: the new library would run with the old ` +
        "version's SQL objects",
    );
  const named = [before.distribution, after.distribution, before.pgvector, after.pgvector];
  return { consequences, unclear: running !== wanted && named.includes(undefined) };
}
