/** Runs test files with mocha, and reads the result of each test. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { projectFile } from "../tools/cli.ts";
import type { Part } from "./parts.ts";
import { type MochaResult, type Result, resultOf } from "./results.ts";
import type { Skip } from "./skip.ts";

/** Runs a program in the project's folder, with its output in this one's. */
export function runInProject(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: projectFile("."),
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...process.env,
        PATH: `${projectFile("node_modules/.bin")}${delimiter}${process.env.PATH}`,
        ...env,
      },
    });
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? 1));
  });
}

/** The lines of a file of JSON lines; none without the file. */
function linesOf<Line>(file: string): Line[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Line);
}

/** The tests of files of one part. */
export async function runMocha(
  part: Part,
  files: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), "transcript-pipeline-test-"));
  const [results, skips] = [join(directory, "results"), join(directory, "skips")];
  const hooks = `./test/${part.name}/hooks.ts`;
  try {
    const status = await runInProject(
      "mocha",
      [
        ...["--reporter", "test/reporter.cjs"],
        ...(existsSync(projectFile(hooks)) ? ["--require", hooks] : []),
        ...(part.jobs > 1 ? ["--parallel", "--jobs", String(part.jobs)] : []),
        ...files,
      ],
      { TEST_RESULTS: results, TEST_SKIPS: skips, ...env },
    );
    return resultOf(part.name, status, linesOf<MochaResult>(results)[0], linesOf<Skip>(skips));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
