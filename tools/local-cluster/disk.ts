import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const mebibyte = 1024 * 1024;

/**
 * Refuses to begin something that would fill the disk half-way.
 *
 * @throws naming the folder, what is needed and what is free
 */
export function requireSpace(folder: string, neededMiB: number, what: string): void {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  const freeMiB = Math.floor((bavail * bsize) / mebibyte);
  if (freeMiB < neededMiB) {
    throw new Error(
      `${what} needs ${neededMiB} MiB in ${folder}, ${freeMiB} MiB are free: free some there, or point XDG_CACHE_HOME ` +
        `(finished builds), GOCACHE and GOMODCACHE (Go's own) to a larger disk. Finished parts stay valid.`,
    );
  }
}

/**
 * Creates `target` (a file or a folder) through a temporary neighbour that is renamed once complete, so that a kill or
 * a full disk leaves nothing that could be taken for finished. Callers hold a lock: other neighbours are the remains of
 * killed runs, whose last children may still write.
 */
export async function makeWhole(target: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${target}.${process.pid}.unfinished`;
  mkdirSync(dirname(target), { recursive: true });
  for (const name of readdirSync(dirname(target))) {
    if (name.startsWith(`${basename(target)}.`) && name.includes(".unfinished")) {
      rmSync(join(dirname(target), name), { recursive: true, force: true });
    }
  }
  try {
    await make(temporary);
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    const full = error instanceof Error && /ENOSPC|no space left on device/i.test(error.message);
    if (!full) throw error;
    throw new Error(
      `the disk of ${dirname(target)} (or of Go's own caches, see \`go env GOCACHE GOMODCACHE GOTMPDIR\`) filled up ` +
        `while making ${target}: free some space and start again. Finished parts are still valid.`,
    );
  }
}
