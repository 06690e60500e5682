/** Scripts of containers: their texts, their place, and the commands that run them. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Where the containers find their scripts. */
export const SCRIPTS_PATH = "/usr/local/lib/transcript-pipeline";

/**
 * Files of the folder `scripts` next to a module, by their names, as a ConfigMap holds them.
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

/** What {@link stoppable} needs among the container's scripts. */
export const stoppableFiles = () => scriptFiles(import.meta.url, STOPPABLE);

/** What {@link keptRunning} needs among the container's scripts. */
export const keptRunningFiles = () => scriptFiles(import.meta.url, KEEP_RUNNING);

/** The command of a container that runs a script of bash, and ends when it is told to: see scripts/stoppable.sh. */
export function stoppable(script: string): string[] {
  return ["bash", `${SCRIPTS_PATH}/${STOPPABLE}`, `${SCRIPTS_PATH}/${script}`];
}

/** The command of a container whose script is started again when it ends or hangs: see scripts/keep-running.sh. */
export function keptRunning(script: string, heartbeat: string): string[] {
  return ["bash", `${SCRIPTS_PATH}/${KEEP_RUNNING}`, `${SCRIPTS_PATH}/${script}`, heartbeat];
}

/** Enough of a SHA-256 to tell two texts apart: an annotation that changes when its text does. */
export function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
