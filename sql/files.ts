import { readdirSync, readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { readSqlFiles } from "./sql-files.ts";

/** SQL that cannot be deployed: one line for each file, with the way out. */
export class SqlFilesError extends pulumi.RunError {
  constructor(folder: string, objections: readonly string[]) {
    super([`sql/${folder} cannot be deployed:`, ...objections.map((line) => `  ${line}`)].join("\n"));
  }
}

function filesOf(folder: string, kind: "plain" | "migrations"): Record<string, string> {
  const directory = new URL(`./${folder}/`, import.meta.url);
  const entries = readdirSync(directory, { withFileTypes: true }).map((entry) => ({
    name: entry.name,
    // Encoded, a name may contain what has another meaning in a URL.
    bytes: entry.isFile() ? readFileSync(new URL(encodeURIComponent(entry.name), directory)) : undefined,
  }));
  const { files, objections } = readSqlFiles(entries, kind);
  if (objections.length > 0) throw new SqlFilesError(folder, objections);
  return files;
}

/** The SQL that a superuser runs, by file name. */
export const bootstrapFiles = (): Record<string, string> => filesOf("bootstrap", "plain");

/** The schema's migrations, by file name. */
export const migrationFiles = (): Record<string, string> => filesOf("migrations", "migrations");

/** The SQL that brings a database to the libraries of a new image, by file name. */
export const upgradeFiles = (): Record<string, string> => filesOf("upgrade", "plain");
