/** Hands a kubeconfig to the operator: into a file that only they can read, or to another program. */
import { closeSync, constants, fchmodSync, fstatSync, openSync, writeFileSync } from "node:fs";

/** Who may read a file with a token. */
const MODE = 0o600;
const STANDARD_OUTPUT = 1;

/**
 * Refuses an output that would show the token, or spoil the file, before there is a token.
 *
 * @param file @default standard output
 */
export function refuseOutput(file: string | undefined, env: NodeJS.ProcessEnv = process.env): void {
  if (file !== undefined) return;
  const instead = "Write it to a file that only you can read: --out <file>";
  if (process.stdout.isTTY) throw new Error(`the terminal would show and keep the token. ${instead}`);
  // It begins with the command's name then.
  if (env.npm_lifecycle_event !== undefined && env.npm_config_loglevel !== "silent")
    throw new Error(`npm has written to the output too: npm run --silent. Or: ${instead}`);
}

/** Writes the text. A file, also one that a shell has opened for standard output, is then readable by its owner alone. */
export function handOut(text: string, file: string | undefined): void {
  if (file === undefined) {
    if (fstatSync(STANDARD_OUTPUT).isFile()) fchmodSync(STANDARD_OUTPUT, MODE);
    writeFileSync(STANDARD_OUTPUT, text);
    return;
  }
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const descriptor = openSync(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, MODE);
  try {
    // One that existed keeps its mode.
    fchmodSync(descriptor, MODE);
    writeFileSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}
