/**
 * `npm run stack-files [-- --record]`: what a real engine makes of the files of this folder, compared with what is
 * recorded, or recorded. Takes the Pulumi CLI with its language host for Node, and a second or two for each file.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { parse, stringify } from "yaml";
import { projectFile, runTool } from "../../tools/cli.ts";
import { type Engine, findEngine } from "../../tools/engine/engine.ts";
import { engineEnvironment } from "../../tools/engine/environment.ts";
import { runEngine, succeeded } from "../../tools/engine/runner.ts";
import { inOrder, PASSPHRASE, type Reading, readRecordings, RECORDINGS, stackFiles } from "./reading.ts";

const usage = `usage: npm run stack-files -- [--record] [--only <text>]
  --record       writes what the engine reads into test/stack-files/recordings.json
  --jobs <n>     engines at once. Default: 2
  --only <text>  only files whose name holds the text; compares, and records nothing`;

/** A project with this one's declarations and a program that does nothing but write its configuration down. */
function makeProject(directory: string): void {
  const { name, config } = parse(readFileSync(projectFile("Pulumi.yaml"), "utf8")) as Record<string, unknown>;
  const runtime = { name: "nodejs", options: { typescript: false } };
  writeFileSync(join(directory, "Pulumi.yaml"), stringify({ name, runtime, main: "index.cjs", config }));
  writeFileSync(join(directory, "package.json"), JSON.stringify({ name, main: "index.cjs" }));
  writeFileSync(
    join(directory, "index.cjs"),
    'const { runtime } = require("@pulumi/pulumi");\n' +
      'require("node:fs").writeFileSync(process.env.READING, JSON.stringify(runtime.allConfig()));\n',
  );
  symlinkSync(projectFile("node_modules"), join(directory, "node_modules"));
}

/** The engine's own words about why a file is refused: the first line that says so. */
function reasonIn(output: string): string {
  const lines = output.split("\n").map((line) => line.trim());
  return lines.find((line) => line.startsWith("error:")) ?? lines.find((line) => line !== "") ?? "";
}

/** A project in a separate directory, which reads one file after another. */
async function openReader(engine: Engine, directory: string): Promise<(name: string) => Promise<Reading>> {
  makeProject(directory);
  const state = join(directory, "state");
  mkdirSync(state);
  const reading = join(directory, "reading.json");
  const file = join(directory, "Pulumi.file.yaml");
  const env = engineEnvironment({
    backend: { directory: state, passphrase: PASSPHRASE },
    variables: {
      PULUMI_HOME: process.env.PULUMI_HOME ?? join(directory, "home"),
      READING: reading,
      TZ: "UTC",
    },
  });
  const pulumi = (...args: string[]) => runEngine(engine, args, { cwd: directory, env });
  succeeded("pulumi stack init", await pulumi("stack", "init", "s"));
  return async (name) => {
    rmSync(reading, { force: true });
    // A copy: the engine writes a salt into a file that has none.
    copyFileSync(join(import.meta.dirname, name), file);
    const { status, output } = await pulumi(
      ...["preview", "--stack", "s", "--config-file", file, "--suppress-progress"],
    );
    if (status === 0)
      return { config: inOrder(JSON.parse(readFileSync(reading, "utf8")) as Record<string, string>) };
    // A failure after the program had its configuration is not a refusal of the file.
    if (existsSync(reading)) throw new Error(`${name}: ${output}`);
    return { refused: reasonIn(output).replaceAll(directory, "") };
  };
}

/** Reads files with several engines at once. */
async function readAll(
  engine: Engine,
  names: readonly string[],
  jobs: number,
): Promise<Record<string, Reading>> {
  const base = mkdtempSync(join(tmpdir(), "stack-files-"));
  const readings: Record<string, Reading> = {};
  const waiting = [...names];
  const work = async (_: unknown, index: number) => {
    const directory = join(base, String(index));
    mkdirSync(directory);
    const read = await openReader(engine, directory);
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      readings[name] = await read(name);
  };
  try {
    await Promise.all(Array.from({ length: jobs }, work));
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
  return Object.fromEntries(names.flatMap((name) => (readings[name] ? [[name, readings[name]]] : [])));
}

await runTool(usage, async () => {
  const { values } = parseArgs({
    options: {
      record: { type: "boolean", default: false },
      only: { type: "string" },
      jobs: { type: "string", default: "2" },
    },
  });
  const engine = await findEngine();
  if ("reason" in engine) throw new Error(`the Pulumi CLI is not available: ${engine.reason}`);
  const names = stackFiles().filter((name) => name.includes(values.only ?? ""));
  const readings = await readAll(engine, names, Number(values.jobs));
  if (values.record && values.only === undefined) {
    writeFileSync(RECORDINGS, `${JSON.stringify({ engine: engine.version, readings }, undefined, 1)}\n`);
    console.log(`${names.length} readings of Pulumi ${engine.version} in ${RECORDINGS}`);
    return;
  }
  const recorded = readRecordings();
  const others = names.filter((name) => {
    const [before, now] = [recorded.readings[name], readings[name]];
    if (before !== undefined && now !== undefined && "refused" in before && "refused" in now) return false;
    return !isDeepStrictEqual(before, now);
  });
  for (const name of others)
    console.log(
      `${name}: recorded ${JSON.stringify(recorded.readings[name])}, read ${JSON.stringify(readings[name])}`,
    );
  console.log(
    `${names.length} files read by Pulumi ${engine.version}, ${others.length} otherwise than recorded by ${recorded.engine}`,
  );
  if (others.length > 0) process.exitCode = 1;
});
