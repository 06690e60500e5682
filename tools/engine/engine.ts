/** Finding a Pulumi CLI, and running it for the stack `dev` on a backend in the user's state folder. */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { projectFile } from "../cli.ts";
import { run } from "../processes.ts";

/** A CLI that runs. */
export interface Engine {
  command: string;
  version: string;
}

/** Where no CLI could be had, and why. */
export interface NoEngine {
  reason: string;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The CLI on PATH; else the npm launcher's, which it downloads at its first use. The launcher is itself first on
 * PATH under `npm run`, so it is passed over while looking.
 */
export async function findEngine(): Promise<Engine | NoEngine> {
  const launcher = projectFile("node_modules/.bin/pulumi");
  const onPath = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((directory) => directory !== "" && !directory.endsWith(join("node_modules", ".bin")))
    .map((directory) => join(directory, "pulumi"))
    .find(executable);
  const command = onPath ?? (existsSync(launcher) ? launcher : undefined);
  if (command === undefined)
    return { reason: "pulumi is not on PATH, and `npm ci` has not installed its launcher" };
  if (onPath === undefined)
    console.log("looking for the Pulumi CLI through npm; its first use downloads it …");
  try {
    const version = (await run(command, ["version"], { env: { PULUMI_SKIP_UPDATE_CHECK: "true" } })).trim();
    return { command, version };
  } catch (error) {
    return {
      reason: error instanceof Error ? (error.message.trim().split("\n").at(-1) ?? "") : String(error),
    };
  }
}
