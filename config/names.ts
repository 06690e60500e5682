/** Names of the database and of roles: which there may be, and the one next to a name that there may not be. */

/** Names in the database, kept to what needs no quoting anywhere. */
export const DATABASE_NAME = /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/;

/** Names of roles that PostgreSQL, the bootstrap or SQL itself has taken. */
export const TAKEN = /^(postgres|public|none|transcripts_.*)$/;

/** Databases that every server has. */
export const SYSTEM_DATABASES = ["postgres", "template0", "template1"];

/** What is named. */
export type NameKind = "database" | "owner";

/** Longest name in bytes: NAMEDATALEN less one. */
const LONGEST = 63;

const SUFFIX: Readonly<Record<NameKind, string>> = { database: "_db", owner: "_user" };

/**
 * The nearest name that is allowed: `Template0` becomes `template0_db`, `pg_read_all_data` `read_all_data`.
 *
 * @param taken names of the other roles
 */
export function nearestName(written: string, kind: NameKind, taken: readonly string[] = []): string {
  const suffix = SUFFIX[kind];
  const plain = written
    // Letters with marks lose them.
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
