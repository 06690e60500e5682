/**
 * `npm run bench:preview [-- --rounds 5]`: how long a preview of `prod` takes, against an empty program and against the same program
 * under ts-node, Pulumi's default for TypeScript. The three take turns, so that a machine that slows down slows all
 * of them down; medians and ratios of one run.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile, runTool } from "../tools/cli.ts";
import { findEngine } from "../tools/engine/engine.ts";
import { engineEnvironment } from "../tools/engine/environment.ts";
import { runEngine, succeeded } from "../tools/engine/runner.ts";
import { run } from "../tools/processes.ts";
import { copyProject } from "../tools/project-copy.ts";
import { commonJs } from "./common-js.ts";
import { median, ratioLine } from "./figures.ts";
import { roundsWanted } from "./rounds.ts";

const usage = `usage: npm run bench:preview -- [--rounds <count>]
How long a preview takes, with TypeScript stripped by Node and compiled by ts-node. Takes the Pulumi CLI.
  --rounds <count>  how many rounds count, 1 to 100. Default: 5`;

await runTool(usage, async () => {
  const rounds = roundsWanted(5);
  const engine = await findEngine();
  if ("reason" in engine) throw new Error(`this measurement needs the Pulumi CLI: ${engine.reason}`);
  const directory = mkdtempSync(join(tmpdir(), "bench-preview-"));
  // No cluster: what is measured is the program and the engine, not the way to a server.
  const variables = { KUBECONFIG: join(directory, "none") };

  /** A project of its own with its state; the program is a copy, and node_modules the checkout's. */
  const project = async (name: string, pulumiYaml: string): Promise<() => Promise<number>> => {
    const cwd = join(directory, name);
    mkdirSync(join(cwd, "state"), { recursive: true });
    copyProject(cwd, ["test", "docs", "rendered"]);
    writeFileSync(join(cwd, "Pulumi.yaml"), pulumiYaml);
    writeFileSync(join(cwd, "empty.ts"), "export {};\n");
    const backend = { directory: join(cwd, "state"), passphrase: "bench" };
    const options = { cwd, env: engineEnvironment({ backend, variables }) };
    succeeded("pulumi stack init", await runEngine(engine, ["stack", "init", "prod"], options));
    return async () => {
      const started = performance.now();
      succeeded("pulumi preview", await runEngine(engine, ["preview", "--stack", "prod"], options));
      return (performance.now() - started) / 1000;
    };
  };

  try {
    const native = readFileSync(projectFile("Pulumi.yaml"), "utf8");
    const tsNode = native.replace("typescript: false", "typescript: true").replace(/^ *nodeargs:.*\n/m, "");
    const peers = {
      prod: await project("prod", native),
      empty: await project("empty", native.replace("main: index.ts", "main: empty.ts")),
      "ts-node": await project("ts-node", tsNode).then((preview) => preview),
    };
    // ts-node reads CommonJS, without `.ts` in imports: the same program, as its compiler would have it.
    await asCommonJs(join(directory, "ts-node"));
    const seconds: Record<keyof typeof peers, number[]> = { prod: [], empty: [], "ts-node": [] };
    for (let round = 0; round <= rounds; round++) {
      for (const name of Object.keys(peers) as (keyof typeof peers)[]) {
        const took = await peers[name]();
        // The first round fills caches.
        if (round > 0) seconds[name].push(took);
      }
    }
    for (const [name, values] of Object.entries(seconds)) {
      console.log(
        `preview of ${name}: median ${median(values).toFixed(2)} s of ${rounds} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`,
      );
    }
    console.log(ratioLine("prod / empty program", median(seconds.prod) / median(seconds.empty), 2));
    console.log(
      ratioLine("prod / prod under ts-node", median(seconds.prod) / median(seconds["ts-node"]), 0.5),
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Turns a copy of the program into what ts-node's default takes: CommonJS, and no top-level await. */
async function asCommonJs(cwd: string): Promise<void> {
  const files = (await run("find", [cwd, "-name", "*.ts", "-not", "-path", "*/node_modules/*"]))
    .trim()
    .split("\n");
  for (const file of files) writeFileSync(file, commonJs(file, readFileSync(file, "utf8")));
  writeFileSync(
    join(cwd, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "esnext",
        module: "commonjs",
        moduleResolution: "node10",
        ignoreDeprecations: "6.0",
        esModuleInterop: true,
        resolveJsonModule: true,
        skipLibCheck: true,
        strict: true,
        exactOptionalPropertyTypes: true,
        types: ["node"],
      },
    }),
  );
  const manifest = JSON.parse(readFileSync(join(cwd, "package.json"), "utf8")) as { type?: string };
  delete manifest.type;
  writeFileSync(join(cwd, "package.json"), JSON.stringify(manifest));
}
