/**
 * What a superuser's session of the product calls by name, read from the product's own files: a trap is set for every name,
 * so for those of SQL that is added later.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";

/** Where the product has SQL that a superuser runs: its files, scripts and tools, and the commands in its docs. */
const PLACES: readonly { folder: string; files: RegExp }[] = [
  { folder: "sql/bootstrap", files: /\.sql$/ },
  { folder: "sql/upgrade", files: /\.sql$/ },
  { folder: "components", files: /\.(sh|sql)$/ },
  { folder: "tools", files: /\.(ts|sql)$/ },
  { folder: "docs", files: /\.md$/ },
];

/** A file of the product's. */
export interface Source {
  path: string;
  text: string;
}

/** Every file that may hold such SQL. */
export function sources(): Source[] {
  return PLACES.flatMap(({ folder, files }) =>
    readdirSync(projectFile(folder), { recursive: true, encoding: "utf8" })
      .filter((name) => files.test(name))
      .sort()
      .map((name) => {
        const path = join(folder, name);
        return { path, text: readFileSync(projectFile(path), "utf8") };
      }),
  );
}

/** Something that looks like SQL, in a text of another language. */
const SQL = /\b(select|insert into|update|delete from|alter|create|grant|revoke|comment on|reindex|do)\b/i;

/** The texts of SQL in a file, each as it is given to psql. */
export function sqlIn({ path, text }: Source): string[] {
  const matches = (pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match.at(-1) ?? "");
  switch (path.split(".").at(-1)) {
    case "sql":
      return [text];
    case "sh":
      return [
        ...matches(/<<'SQL'[^\n]*\n([^]*?)\n *SQL$/gm),
        ...[...matches(/-c "([^"]*)"/g), ...matches(/-c '([^']*)'/g)].map((command) => `${command};`),
      ];
    case "ts":
      return [...matches(/"((?:[^"\\\n]|\\.)*)"/g), ...matches(/`([^`]*)`/g)].filter((literal) =>
        SQL.test(literal),
      );
    default:
      return matches(/^ *```[^\n]*\n([^]*?)^ *```/gm).filter((block) => SQL.test(block));
  }
}

/** What is compared where no operator is seen. */
const WRITTEN_AS_WORDS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\b(in|any|all|nullif|case|using|distinct)\b/i, ["=", "<>"]],
  [/\blike\b/i, ["~~", "!~~"]],
  [/\bilike\b/i, ["~~*", "!~~*"]],
  [/\bbetween\b/i, [">=", "<="]],
];
/** The grammar's own type names. */
const TYPES: Readonly<Record<string, string>> = {
  int: "int4",
  integer: "int4",
  bigint: "int8",
  boolean: "bool",
};

/** Names in SQL: which of them are functions, relations or types, the server's pg_catalog knows. */
export interface Names {
  functions: string[];
  words: string[];
  operators: string[];
}

/** The names in some texts. An extra name is an extra trap, and harmless. */
export function namesIn(texts: readonly string[]): Names {
  const functions = new Set<string>();
  const words = new Set<string>();
  const operators = new Set<string>();
  for (const text of texts) {
    for (const [, word = "", called] of text.toLowerCase().matchAll(/\b([a-z_][a-z0-9_]*)(\s*\()?/g)) {
      words.add(TYPES[word] ?? word);
      if (called !== undefined || word.startsWith("pg_")) functions.add(word);
    }
    const code = text.replaceAll(/--[^\n]*|\/\*[^]*?\*\//g, "");
    for (const [run] of code.matchAll(/[-+*/<>=~!@#%^&|`?]+/g)) operators.add(run);
    for (const [pattern, meant] of WRITTEN_AS_WORDS)
      if (pattern.test(text)) for (const operator of meant) operators.add(operator);
  }
  return { functions: [...functions].sort(), words: [...words].sort(), operators: [...operators].sort() };
}

/** The names that the product's files use. Names of functions come from the whole of a script: a variable may hold one. */
export function productNames(): Names {
  return namesIn(
    sources().flatMap((source) => [
      ...sqlIn(source),
      ...(source.path.endsWith(".sh") ? [(source.text.match(/\bpg_\w+/g) ?? []).join(" ")] : []),
    ]),
  );
}

/**
 * The queries of the product's superuser sessions, one by one, each after the views that its file makes for it. A query whose
 * answer is run (\gexec) is one as well; what is not a query, as `alter role`, looks nothing up that somebody else could have
 * planted.
 */
export function queriesIn(source: Source): { views: string[]; query: string }[] {
  const all = sqlIn(source).flatMap(statements);
  const views = all.filter((statement) => /^create temporary view\b/i.test(statement));
  return all
    .filter((statement) => /^(select|with)\b/i.test(statement) && /\(|\bfrom\b/i.test(statement))
    .map((query) => ({ views, query }));
}

/** Statements of a psql script, without comments and psql's own commands; with both sides of a condition within one. */
function statements(script: string): string[] {
  const found: string[] = [];
  let statement = "";
  const token = /--[^\n]*|\/\*[^]*?\*\/|'(?:[^']|'')*'|"[^"]*"|\$(\w*)\$[^]*?\$\1\$|\\[a-z!][^\n]*|;|[^]/gy;
  for (const [part] of script.matchAll(token)) {
    if (part.startsWith("--") || /^\\(if|endif)\b/.test(part)) continue;
    if (part === ";" || part.startsWith("\\")) {
      if (statement.trim() !== "") found.push(statement.trim());
      statement = "";
    } else statement += part;
  }
  return found;
}

/** The psql variables of a statement. */
export function variablesOf(statement: string): string[] {
  return [...statement.matchAll(/(?<!:):(?:'(\w+)'|"(\w+)"|([a-z_]\w*))/g)].map(
    ([, literal, identifier, raw]) => literal ?? identifier ?? raw ?? "",
  );
}
