/** Finding a Pulumi CLI. */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { projectFile } from "../cli.ts";
import { run } from "../processes.ts";
import { engineEnvironment } from "./environment.ts";

/** A CLI that runs. */
export interface Engine {
  command: string;
  version: string;
}

/** Where no CLI could be had, and why. */
export interface NoEngine {
  reason: string;
}

/** The npm package's, which downloads the CLI at its first use. */
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
 * The CLI on PATH; else the npm launcher's, which it downloads at its first use. The launcher is itself first on
 * PATH under `npm run`, so it is passed over while looking.
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
  console.log("looking for the Pulumi CLI through npm; its first use downloads it …");
  return engineAt(LAUNCHER);
}

/**
 * The CLI that package-lock.json pins; where its download is out of reach, the one on PATH.
 *
 * @throws when there is neither
 */
export async function pinnedEngine(): Promise<Engine> {
  const pinned = await engineAt(LAUNCHER);
  const engine = "reason" in pinned ? await findEngine() : pinned;
  if ("reason" in engine) throw new Error(`the Pulumi CLI cannot be had: ${engine.reason}`);
  const from = engine === pinned ? "" : ", from PATH: the pinned one could not be had";
  console.log(`Pulumi ${engine.version}${from}`);
  return engine;
}
