/**
 * What a folder of SQL files must be like to be deployed: reports beforehand what would be ignored, or fail half-way.
 */

/** A file, or another entry of the folder. */
export interface FolderEntry {
  name: string;
  /** Undefined if it is not a regular file. */
  bytes?: Uint8Array | undefined;
}

/**
 * Bytes that a ConfigMap's values may have together: MaxSecretSize of Kubernetes' pkg/apis/core, 1 MiB, less a little for
 * names.
 */
const LIMIT = 1_000_000;

/** What can be a key of a ConfigMap (validation.IsConfigMapKey). */
const CONFIG_MAP_KEY = /^[-._A-Za-z0-9]{1,253}$/;

/** Files next to SQL that are not SQL: notes, and names that begin with a dot. */
const BESIDE = /^(?:\.|README)/;

const RENAME = "Rename it: git mv";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a file, or why it has none. */
function textOf(bytes: Uint8Array): { text: string } | { objection: string } {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return {
      objection: "is not UTF-8, which a ConfigMap holds alone. Convert it: iconv -f <its encoding> -t UTF-8",
    };
  }
  if (text.includes("\0")) return { objection: "holds a NUL character, which SQL cannot have. Remove it" };
  if (text.startsWith("\ufeff"))
    return { objection: "begins with a byte order mark, in front of its first line. Save it without one" };
  return { text };
}

function objectionToName(name: string): string | undefined {
  if (!name.endsWith(".sql")) {
    return `is not read: the names of SQL files end in .sql. ${RENAME}, or move it elsewhere`;
  }
  if (!CONFIG_MAP_KEY.test(name)) {
    return `has a name that no ConfigMap takes. Allowed: letters, digits and . _ -, 253 at most. ${RENAME}`;
  }
  return undefined;
}

/** dbmate's expressions for the lines that begin a block (pkg/dbmate/migration.go). */
const UP = /^--\s*migrate:up(?:\s*$|\s+\S+)/gm;
const DOWN = /^--\s*migrate:down(?:\s*$|\s+\S+)$/gm;

/** A text without SQL comments: whether anything is left of it. */
function hasStatement(sql: string): boolean {
  return sql.replace(/--[^\n]*|\/\*[^]*?\*\//g, "").trim() !== "";
}

/** Why dbmate could not run a migration, or would run nothing in it. */
function objectionToMigration(text: string): string | undefined {
  const ups = [...text.matchAll(UP)].map(({ index }) => index);
  const downs = [...text.matchAll(DOWN)].map(({ index }) => index);
  const [up] = ups;
  const [down] = downs;
  if (up === undefined)
    return "has no line '-- migrate:up', behind which its SQL stands. Add it as the first line";
  if (down === undefined) {
    return "has no line '-- migrate:down', behind which stands what undoes it. Add it at the end";
  }
  if (ups.length > 1 || downs.length > 1)
    return "has '-- migrate:up' or '-- migrate:down' twice. Make a file of its own of the second one";
  if (up > down) return "has '-- migrate:down' before '-- migrate:up'. Exchange them";
  if (
    text
      .slice(0, up)
      .split("\n")
      .some((line) => !/^\s*(?:--|$)/.test(line))
  )
    return "has statements before '-- migrate:up'. Move them behind it";
  const [line = ""] = text.slice(up).split("\n", 1);
  const options = line.replace(/^--\s*migrate:up/, "").trim();
  if (options !== "" && !/^transaction:(?:true|false)$/.test(options)) {
    return `has ${JSON.stringify(options)} behind '-- migrate:up', which dbmate passes over. Allowed: transaction:false`;
  }
  if (!hasStatement(text.slice(up + line.length, down)))
    return "has no statement between '-- migrate:up' and '-- migrate:down', and would count as done. Write it, or remove the file";
  return undefined;
}

/** Two migrations that dbmate takes for one, or runs in another order than their numbers. */
function objectionsToVersions(names: readonly string[]): string[] {
  const objections: string[] = [];
  const versions = new Map<string, string>();
  for (const name of names) {
    const [version] = /^\d+/.exec(name) ?? [];
    if (version === undefined) {
      objections.push(
        `${name}: does not begin with a version, and is passed over without a word. Allowed: digits first, as ` +
          `20260101000001_topic.sql. ${RENAME}`,
      );
      continue;
    }
    const other = versions.get(version);
    if (other !== undefined)
      objections.push(
        `${name}: has the version of ${other}, and one of them would not run. Give the newer one a later version: git mv`,
      );
    versions.set(version, name);
  }
  const [first] = versions.keys();
  for (const [version, name] of versions) {
    if (first === undefined || version.length === first.length) continue;
    objections.push(
      `${name}: has a version of ${version.length} digits, ${versions.get(first)} one of ${first.length}: they run in the ` +
        `order of their names, not of their numbers. ${RENAME}`,
    );
  }
  return objections;
}

/**
 * Reads the entries of a folder of SQL.
 *
 * @param kind whether psql runs the files as they are, or dbmate runs them as migrations
 * @returns the files by name, in order, and all problems, one line each
 */
export function readSqlFiles(
  entries: readonly FolderEntry[],
  kind: "plain" | "migrations",
): { files: Record<string, string>; objections: string[] } {
  const files: Record<string, string> = {};
  const objections: string[] = [];
  const sorted = entries
    .filter(({ name }) => !BESIDE.test(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, bytes } of sorted) {
    if (bytes === undefined) {
      objections.push(`${name}: is not a regular file, and what is in it is not read. Move it elsewhere`);
      continue;
    }
    const objection = objectionToName(name);
    const read = textOf(bytes);
    if (objection !== undefined) objections.push(`${name}: ${objection}`);
    else if ("objection" in read) objections.push(`${name}: ${read.objection}`);
    else {
      files[name] = read.text;
      const wrong = kind === "migrations" ? objectionToMigration(read.text) : undefined;
      if (wrong !== undefined) objections.push(`${name}: ${wrong}`);
    }
  }
  if (kind === "migrations") objections.push(...objectionsToVersions(Object.keys(files)));
  const size = Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (size > LIMIT) {
    objections.push(
      `${Object.keys(files).length} files: hold ${size} bytes together, and a ConfigMap takes ${LIMIT}. Squash the oldest ones`,
    );
  }
  return { files, objections };
}
