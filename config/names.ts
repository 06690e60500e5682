/** Names of the database and of roles: which are allowed, and the nearest allowed name. */

/** Names in the database, restricted to those that never need quoting. */
export const DATABASE_NAME = /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/;

/** Names of roles that PostgreSQL, the bootstrap or SQL itself uses. */
export const TAKEN = /^(postgres|public|none|transcripts_.*)$/;

/** Databases that every server has. */
export const SYSTEM_DATABASES = ["postgres", "template0", "template1"];

/** What is named. */
export type NameKind = "database" | "owner";

/** Longest name in bytes: NAMEDATALEN minus one. */
const LONGEST = 63;

const SUFFIX: Readonly<Record<NameKind, string>> = { database: "_db", owner: "_user" };

/**
 * The nearest allowed name: `Template0` becomes `template0_db`, `pg_read_all_data` becomes `read_all_data`.
 *
 * @param taken names of the other roles
 */
export function nearestName(written: string, kind: NameKind, taken: readonly string[] = []): string {
  const suffix = SUFFIX[kind];
  const plain = written
    // Remove diacritics.
    .normalize("NFKD")
    .replaceAll(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .replace(/^((pg|transcripts)_+)+/, "")
    .replace(/^(?=\d)/, "_")
    .slice(0, LONGEST);
  const unfit = (name: string) =>
    !DATABASE_NAME.test(name) ||
    taken.includes(name) ||
    (kind === "owner" ? TAKEN.test(name) : SYSTEM_DATABASES.includes(name));
  let name = plain === "" ? `transcript${suffix}` : plain;
  for (let number = 1; unfit(name); number++) {
    const end = number === 1 ? suffix : `${suffix}${number}`;
    name = `${plain.replace(/^((pg|transcripts)_+)+/, "").slice(0, LONGEST - end.length)}${end}`;
  }
  return name;
}
