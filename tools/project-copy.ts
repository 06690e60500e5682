/** A copy of the project, for code that changes it and must not touch the checkout. */
import { cpSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { projectFile } from "./cli.ts";

/** Neither belongs to the program; the packages are linked. */
const ALWAYS = ["node_modules", ".git"];

/**
 * Copies the project's files as they are now, with the checkout's packages.
 *
 * @param leftOut files and folders in the project's root to leave out. @default none
 */
export function copyProject(directory: string, leftOut: readonly string[] = []): void {
  const root = dirname(projectFile("package.json"));
  cpSync(root, directory, {
    recursive: true,
    filter: (path) =>
      !ALWAYS.includes(basename(path)) && !(dirname(path) === root && leftOut.includes(basename(path))),
  });
  symlinkSync(projectFile("node_modules"), join(directory, "node_modules"));
}
