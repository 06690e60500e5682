import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Where the containers find their scripts. */
export const SCRIPTS_PATH = "/usr/local/lib/transcript-pipeline";

/** Files of ./scripts by their names, as a ConfigMap holds them. */
export function scriptFiles(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, scriptFile(name)]));
}

/** The text of a file of ./scripts. */
export function scriptFile(name: string): string {
  return readFileSync(new URL(`./scripts/${name}`, import.meta.url), "utf8");
}

/** The command of a container that runs a script of bash, and ends when it is told to: see scripts/stoppable.sh. */
export function stoppable(script: string): string[] {
  return ["bash", `${SCRIPTS_PATH}/stoppable.sh`, `${SCRIPTS_PATH}/${script}`];
}

/** The command of a container whose script is started again when it ends or hangs: see scripts/keep-running.sh. */
export function keptRunning(script: string, heartbeat: string): string[] {
  return ["bash", `${SCRIPTS_PATH}/keep-running.sh`, `${SCRIPTS_PATH}/${script}`, heartbeat];
}

/** Enough of a SHA-256 to tell two texts apart: an annotation that changes when its text does. */
export function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
