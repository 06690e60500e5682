/** What all commands in ./tools share: one-line errors, and files found from any folder. */
import { fileURLToPath } from "node:url";

/** A command line that cannot be understood; its message is the usage. */
export class UsageError extends Error {}

/** A file of the project, by its path from the project's root. */
export function projectFile(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** Prints a command's usage if --help is given. Returns whether it was. */
export function answersHelp(usage: string): boolean {
  const asked = process.argv.slice(2).includes("--help");
  if (asked) console.log(usage);
  return asked;
}

/**
 * Runs a command; with --help, prints its usage instead. An error is printed as one message, without a stack trace
 * unless DEBUG is set, and the process exits with 1, or with 2 if the command line was wrong.
 *
 * @param usage its first line is the command; the others say what its options are
 */
export async function runTool(usage: string, run: () => Promise<void>): Promise<void> {
  if (answersHelp(usage)) return;
  try {
    await run();
  } catch (error) {
    const isUsage =
      error instanceof UsageError ||
      (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"));
    console.error(process.env.DEBUG ? error : error instanceof Error ? error.message : String(error));
    process.exitCode = isUsage ? 2 : 1;
  }
}
