/** What every command of ./tools does alike: its errors in one line, its files found from anywhere. */
import { fileURLToPath } from "node:url";

/** A command line that cannot be understood; its message is the usage. */
export class UsageError extends Error {}

/** A file of the project, by its path from the project's root. */
export function projectFile(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/**
 * Runs a command. What it throws is printed as one message, without a stack trace unless DEBUG is set, and the
 * process ends with 1, or with 2 when the command line was wrong.
 */
export async function runTool(run: () => Promise<void>): Promise<void> {
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
