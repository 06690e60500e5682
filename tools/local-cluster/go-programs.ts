/** Builds programs of other projects from their Go modules, on demand: only what a cluster was asked for. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compilerMemory } from "./build.ts";
import { makeWhole, requireSpace } from "./disk.ts";
import { cacheRoot, digest } from "./paths.ts";
import { withLock } from "../lock.ts";
import { run } from "../processes.ts";

/** Programs that are built together. */
export interface GoPrograms {
  /** The name of the folder with go.mod and go.sum, next to this file, and of the result in the cache. */
  name: string;
  packages: readonly string[];
  /** What they are for, for the log. */
  purpose: string;
  /** Minutes on two cores, from scratch. */
  minutes: number;
  /** Peak use of Go's caches plus the result, in MiB. */
  space: number;
}

/** As for the node's other programs: no debugging data, no inlining. */
export const buildArguments = [
  "build",
  "-mod=readonly",
  "-trimpath",
  "-buildvcs=false",
  "-gcflags=all=-dwarf=false -l",
  "-ldflags",
  "-s -w",
];

/**
 * Compiles packages of the module in a folder.
 *
 * @param out the program, or with a '/' at its end the folder for all of them
 * @param cores that compile at once
 */
export const compile = (folder: string, out: string, packages: readonly string[], cores: number) =>
  run("go", [...buildArguments, "-o", out, ...packages], {
    cwd: folder,
    env: { CGO_ENABLED: "0", ...compilerMemory(process.availableMemory() / 2 ** 20, cores) },
  });

/** The folder with go.mod and go.sum. */
export const moduleFolder = ({ name }: Pick<GoPrograms, "name">) => join(import.meta.dirname, name);

/** The folder of a module's sources. Downloads them if they are missing, as after a build from Go's cache alone. */
export async function moduleSources(cwd: string, module: string): Promise<string> {
  await run("go", ["mod", "download", module], { cwd });
  return (await run("go", ["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module], { cwd })).trim();
}

/** Changes with everything that could change the programs. */
function target(programs: GoPrograms): string {
  const files = ["go.mod", "go.sum"].map((file) => readFileSync(join(moduleFolder(programs), file), "utf8"));
  return join(
    cacheRoot(),
    "binaries",
    `${programs.name}-${digest([...buildArguments, ...files].join("\0")).slice(0, 12)}`,
  );
}

/** Whether they are compiled. */
export function areBuilt(programs: GoPrograms): boolean {
  return existsSync(target(programs));
}

/**
 * Builds the programs if the cache does not have them.
 *
 * @returns the folder with them
 */
export async function buildPrograms(programs: GoPrograms, log: (line: string) => void): Promise<string> {
  const { name, packages, purpose, minutes, space } = programs;
  await withLock(join(cacheRoot(), `${name}.lock`), log, async () => {
    if (areBuilt(programs)) return;
    requireSpace(cacheRoot(), space, `building ${name}`);
    log(`building ${name}, which ${purpose}: about ${minutes} min on 2 cores, once…`);
    await makeWhole(target(programs), async (temporary) => {
      mkdirSync(temporary);
      await compile(moduleFolder(programs), `${temporary}/`, packages, 2);
    });
  });
  return target(programs);
}
