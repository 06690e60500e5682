/** Finds a Pulumi CLI. */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { projectFile } from "../cli.ts";
import { run } from "../processes.ts";
import { engineEnvironment } from "./environment.ts";

/** A CLI that works. */
export interface Engine {
  command: string;
  version: string;
}

/** Why no CLI is available. */
export interface NoEngine {
  reason: string;
}

/** The npm package's, which downloads the CLI on first use. */
const LAUNCHER = projectFile("node_modules/.bin/pulumi");

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Asks a CLI for its version. */
async function engineAt(command: string): Promise<Engine | NoEngine> {
  try {
    const version = (await run(command, ["version"], { env: engineEnvironment() })).trim();
    return { command, version };
  } catch (error) {
    return {
      reason: error instanceof Error ? (error.message.trim().split("\n").at(-1) ?? "") : String(error),
    };
  }
}

/**
 * The CLI on PATH; else the one that the npm launcher downloads on first use. Under `npm run` the launcher itself is
 * first on PATH, so the search skips it.
 */
export async function findEngine(): Promise<Engine | NoEngine> {
  const onPath = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((directory) => directory !== "" && !directory.endsWith(join("node_modules", ".bin")))
    .map((directory) => join(directory, "pulumi"))
    .find(executable);
  if (onPath !== undefined) return engineAt(onPath);
  if (!existsSync(LAUNCHER))
    return { reason: "pulumi is not on PATH, and `npm ci` has not installed its launcher" };
  console.log("looking for the Pulumi CLI through npm; the first use downloads it …");
  return engineAt(LAUNCHER);
}

/**
 * The CLI that package-lock.json pins; the one on PATH if that cannot be downloaded.
 *
 * @throws if neither is available
 */
export async function pinnedEngine(): Promise<Engine> {
  const pinned = await engineAt(LAUNCHER);
  const engine = "reason" in pinned ? await findEngine() : pinned;
  if ("reason" in engine) throw new Error(`the Pulumi CLI is not available: ${engine.reason}`);
  const from = engine === pinned ? "" : ", from PATH: the pinned one is not available";
  console.log(`Pulumi ${engine.version}${from}`);
  return engine;
}
