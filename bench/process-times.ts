/** CPU time of the programs that this process has started. */
import { readFileSync } from "node:fs";

/** Linux reports process times in hundredths of a second, whatever the kernel's own clock. */
const TICKS_PER_SECOND = 100;

/** CPU seconds, user and system, of the programs that this process started and that have ended, with all of theirs. */
export function childSeconds(): number {
  return secondsIn(readFileSync("/proc/self/stat", "utf8"));
}

/**
 * The same from the text of /proc/<pid>/stat: cutime and cstime, fields 16 and 17 in proc_pid_stat(5).
 *
 * @throws Error if the text is something else
 */
export function secondsIn(stat: string): number {
  // The second field is the program's name in parentheses, which may hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[13]) + Number(fields[14]);
  if (!Number.isFinite(ticks)) throw new Error(`not a process's times: ${stat.slice(0, 80)}`);
  return ticks / TICKS_PER_SECOND;
}
