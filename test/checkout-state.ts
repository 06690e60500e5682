/** The content of the checkout, to find tests that write there: that would spoil what the next test, or git, sees. */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync, watch } from "node:fs";
import { join } from "node:path";

/** Not written by tests, or not the checkout's own. */
const LEFT_OUT = ["node_modules", ".git"];

/** Every file by its path, with its content and permissions. */
export type CheckoutState = ReadonlyMap<string, string>;

/** Reads every file, including those unknown to git. */
export function checkoutState(directory: string): CheckoutState {
  const state = new Map<string, string>();
  const look = (path: string) => {
    for (const name of readdirSync(join(directory, path))) {
      if (path === "" && LEFT_OUT.includes(name)) continue;
      const inside = path === "" ? name : `${path}/${name}`;
      const full = join(directory, inside);
      const file = lstatSync(full);
      if (file.isDirectory()) {
        state.set(`${inside}/`, String(file.mode));
        look(inside);
      } else {
        const content = file.isSymbolicLink() ? readlinkSync(full) : file.isFile() ? readFileSync(full) : "";
        state.set(inside, `${file.mode} ${createHash("sha256").update(content).digest("hex")}`);
      }
    }
  };
  look("");
  return state;
}

/** The differences, one line each: `changed README.md`. */
export function changesBetween(before: CheckoutState, after: CheckoutState): string[] {
  return [
    ...[...after.keys()].filter((path) => !before.has(path)).map((path) => `added ${path}`),
    ...[...before.keys()].filter((path) => !after.has(path)).map((path) => `removed ${path}`),
    ...[...after]
      .filter(([path, state]) => before.has(path) && before.get(path) !== state)
      .map(([path]) => `changed ${path}`),
  ].sort();
}

/** Sees what is written in the checkout for a while and is gone when a test ends. */
export class CheckoutWatch {
  private readonly written = new Set<string>();
  private readonly watchers;

  constructor(directory: string) {
    const folders = [...checkoutState(directory).keys()].filter((path) => path.endsWith("/"));
    this.watchers = ["", ...folders].map((folder) =>
      watch(join(directory, folder), (_event, name) => {
        const path = `${folder}${name ?? ""}`;
        if (!LEFT_OUT.includes(path)) this.written.add(path);
      }),
    );
  }

  /** Ends the watch. Every path that was written, with those that have been removed since. */
  close(): string[] {
    for (const watcher of this.watchers) watcher.close();
    return [...this.written].sort();
  }
}
