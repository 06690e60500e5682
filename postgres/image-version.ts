/**
 * What an image holds, as far as its tag says: pgvector's tags are `<pgvector>-pg<major>-<distribution>`
 * (https://hub.docker.com/r/pgvector/pgvector/tags).
 */

/** Parts of a tag. What it does not name is missing. */
export interface ImageVersion {
  /** PostgreSQL's major version. */
  major?: number;
  /** pgvector's version. */
  pgvector?: string;
  /** Debian's code name: its libraries decide how text is sorted. */
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

/** What changes from one image to another beside PostgreSQL's minor version. */
export interface ImageChange {
  /** Sentences: what changes, from what to what, and what that does to a database that exists. */
  consequences: string[];
  /** Whether a tag leaves open what the image holds. */
  unclear: boolean;
}

/** Compares the image that runs with the one that is wanted. */
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
      `pgvector changes from ${before.pgvector} to ${after.pgvector}: the new library would work with the old ` +
        "version's SQL objects",
    );
  const named = [before.distribution, after.distribution, before.pgvector, after.pgvector];
  return { consequences, unclear: running !== wanted && named.includes(undefined) };
}
