/** The stack files of this folder, what an engine made of each, and what the project's own reader makes of it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { namesOf } from "../../config.ts";
import { sectionsOf } from "../../config/stack-keys.ts";
import { readStackFile } from "../../tools/stack-file/stack-file.ts";

/** Passphrase of every secure value here: nothing that it protects is a secret. */
export const PASSPHRASE = "stack-files";

/** What is handed to the program, by full key; or that the file is refused before the program runs. */
export type Reading = { config: Record<string, string> } | { refused: string };

/** The engine's readings. */
export interface Recordings {
  /** Version of the engine that made them. */
  engine: string;
  readings: Record<string, Reading>;
}

export const RECORDINGS = join(import.meta.dirname, "recordings.json");

/** Names of the files. */
export function stackFiles(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith(".yaml"))
    .sort();
}

export function readRecordings(): Recordings {
  return JSON.parse(readFileSync(RECORDINGS, "utf8")) as Recordings;
}

/** Keys in order, for a comparison of texts. */
export function inOrder(config: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A file as `render`, `policy` and CI read it, with what Pulumi.yaml says of the keys that are not in it. */
export function ownReading(name: string): Reading {
  const before = process.env.PULUMI_CONFIG_PASSPHRASE;
  process.env.PULUMI_CONFIG_PASSPHRASE = PASSPHRASE;
  try {
    const { config } = readStackFile(join(import.meta.dirname, name));
    const names = namesOf();
    const { raw } = sectionsOf(config, "transcript-pipeline", () => true, names);
    const declared = names.sections.map((section) => `transcript-pipeline:${section}`);
    const unusable = declared.find((key) => key in config && !((key.split(":")[1] ?? "") in raw));
    if (unusable !== undefined) return { refused: `${unusable} is not a map` };
    return { config: inOrder({ ...Object.fromEntries(declared.map((key) => [key, "{}"])), ...config }) };
  } catch (error) {
    return { refused: error instanceof Error ? error.message : String(error) };
  } finally {
    if (before === undefined) delete process.env.PULUMI_CONFIG_PASSPHRASE;
    else process.env.PULUMI_CONFIG_PASSPHRASE = before;
  }
}
