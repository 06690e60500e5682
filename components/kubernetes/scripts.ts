/** The containers' scripts: texts, paths, and commands. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Where the containers find their scripts. */
export const SCRIPTS_PATH = "/usr/local/lib/transcript-pipeline";

/**
 * Files in the folder `scripts` next to a module, by name, as data for a ConfigMap.
 *
 * @param module the module's URL
 */
export function scriptFiles(module: string, ...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, scriptFile(module, name)]));
}

/** The text of one of these files. */
export function scriptFile(module: string, name: string): string {
  return readFileSync(new URL(`./scripts/${name}`, module), "utf8");
}

const STOPPABLE = "stoppable.sh";
const KEEP_RUNNING = "keep-running.sh";
const CLOCK = "clock.sh";

/** The script for {@link stoppable}. */
export const stoppableFiles = () => scriptFiles(import.meta.url, STOPPABLE);

/** The script for {@link keptRunning}. */
export const keptRunningFiles = () => scriptFiles(import.meta.url, KEEP_RUNNING);

/** A part of scripts that wait. */
export const clockFiles = () => scriptFiles(import.meta.url, CLOCK);

/** A command that runs a bash script and stops when asked to: see scripts/stoppable.sh. */
export function stoppable(script: string): string[] {
  return ["bash", `${SCRIPTS_PATH}/${STOPPABLE}`, `${SCRIPTS_PATH}/${script}`];
}

/** A command that restarts a script when it ends or hangs: see scripts/keep-running.sh. */
export function keptRunning(script: string, heartbeat: string): string[] {
  return ["bash", `${SCRIPTS_PATH}/${KEEP_RUNNING}`, `${SCRIPTS_PATH}/${script}`, heartbeat];
}

/** Enough of a SHA-256 to tell texts apart, for an annotation that changes with its text. */
export function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
