import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Runs `action` while holding the lock on `file`, after waiting for its current holder. A `flock` process holds it for
 * us as long as its standard input is open: the kernel closes that when we die, however we die, so no lock is ever
 * stale.
 */
export async function withLock<T>(
  file: string,
  log: (line: string) => void,
  action: () => Promise<T>,
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const holder = spawn("flock", [file, "sh", "-c", "echo locked; exec cat >/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    // Ctrl-C in a terminal reaches the whole group: the lock must outlast our own cleanup.
    detached: true,
  });
  const notice = setTimeout(() => log(`waiting for another process that holds ${file}`), 1000);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once("data", () => resolve());
      holder.once("error", reject);
      holder.once("close", () => reject(new Error(`flock could not lock ${file}`)));
    });
    clearTimeout(notice);
    return await action();
  } finally {
    clearTimeout(notice);
    holder.stdin.end();
  }
}
