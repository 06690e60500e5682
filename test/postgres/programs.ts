/** The stand-in's programs for this folder's tests: unpacked once, and the reason if they are not available. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { projectFile } from "../../tools/cli.ts";
import { postgresPrograms, type Programs } from "../../tools/postgres-programs.ts";
import { skip } from "../skip.ts";

let programs: Programs | undefined;

/** Gets the programs before a suite's tests; without them the suite is skipped, with the reason. */
export function withPrograms(use: (ready: Programs) => Promise<void> | void): void {
  before(async function () {
    this.timeout(10 * 60_000);
    try {
      programs ??= await postgresPrograms(undefined, () => undefined);
    } catch (error) {
      const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
      skip(this, `PostgreSQL's programs: ${reason}`);
    }
    await use(programs);
  });
}

/** Puts the scripts that write the figures where the programs find them. */
export function copyFigureScripts({ scratch }: Programs): void {
  for (const name of ["heartbeat.sql", "figures.sql", "figures-now.sql"])
    copyFileSync(projectFile(`components/server/scripts/${name}`), join(scratch, name));
}

process.on("exit", () => programs?.remove());
