import { readdirSync, readFileSync } from "node:fs";

/** A ConfigMap holds 1 MiB (https://kubernetes.io/docs/concepts/configuration/configmap/); leave room for names. */
const LIMIT = 1_000_000;

function filesOf(folder: string): Record<string, string> {
  const directory = new URL(`./${folder}/`, import.meta.url);
  const names = readdirSync(directory)
    .filter((name) => name.endsWith(".sql"))
    .sort();
  const files = Object.fromEntries(
    names.map((name) => [name, readFileSync(new URL(name, directory), "utf8")]),
  );
  const size = Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (size > LIMIT) {
    throw new Error(
      `sql/${folder} holds ${size} bytes, and a ConfigMap takes ${LIMIT}: squash its oldest files`,
    );
  }
  return files;
}

/** The SQL that a superuser runs, by file name. */
export const bootstrapFiles = (): Record<string, string> => filesOf("bootstrap");

/** The schema's migrations, by file name. */
export const migrationFiles = (): Record<string, string> => filesOf("migrations");

/** The SQL that brings a database to the libraries of a new image, by file name. */
export const upgradeFiles = (): Record<string, string> => filesOf("upgrade");
