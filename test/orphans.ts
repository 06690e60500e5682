/** What an engine leaves running when a test kills it: its plugins do not notice, and would stay forever. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** A file of a process, with spaces between its words; empty if the process has ended, or is another user's. */
function wordsOf(pid: string, file: "cmdline" | "environ"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/**
 * Ends the plugins of every engine that had a part of a folder in its environment. Does nothing without /proc.
 * /proc.
 *
 * @param folder of the tests that have ended
 */
export function endPluginsOf(folder: string): void {
  if (!existsSync("/proc/self")) return;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (!/^\S*\/pulumi-resource-/.test(wordsOf(pid, "cmdline"))) continue;
    if (!wordsOf(pid, "environ").includes(`${folder}/`)) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has already ended.
    }
  }
}
