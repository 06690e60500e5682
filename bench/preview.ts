/**
 * `npm run bench:preview [-- --rounds 5]`: how long a preview of `prod` takes, against an empty program, against the same
 * program under ts-node, Pulumi's default for TypeScript, and with more resources. They take turns, so that a machine that
 * slows down slows all of them down; medians and ratios of one run, kept in results/preview.md.
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
import { machineLine, median, ratioLine } from "./figures.ts";
import { withFields } from "../tools/stack-file/editing.ts";
import { roundsWanted } from "./rounds.ts";

const usage = `usage: npm run bench:preview -- [--rounds <count>]
How long a preview takes, with TypeScript stripped by Node and compiled by ts-node. Takes the Pulumi CLI.
  --rounds <count>  how many rounds count, 1 to 100. Default: 5`;

/** Additional logins of the widest stack: each is one more Secret, and needs nothing else. */
const MORE = 20;
/** What a later capability may add, in all: the ratio to the empty program stays below this. */
const LATER = 2.5;

await runTool(usage, async () => {
  const rounds = roundsWanted(5);
  const engine = await findEngine();
  if ("reason" in engine) throw new Error(`this measurement needs the Pulumi CLI: ${engine.reason}`);
  const directory = mkdtempSync(join(tmpdir(), "bench-preview-"));
  // No cluster: this measures the program and the engine, not the way to a server.
  const variables = { KUBECONFIG: join(directory, "none") };

  /** A separate project with its state; the program is a copy, and node_modules the checkout's. */
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
      "ts-node": await project("ts-node", tsNode),
      wider: await project("wider", native),
    };
    const stackFile = join(directory, "wider/Pulumi.prod.yaml");
    const logins = Object.fromEntries(
      Array.from({ length: MORE }, (_, index) => [`bench_${index}`, "readonly"]),
    );
    writeFileSync(stackFile, withFields(readFileSync(stackFile, "utf8"), { database: { logins } }));
    // ts-node reads CommonJS, without `.ts` in imports: the same program, as its compiler would have it.
    await asCommonJs(join(directory, "ts-node"));
    const seconds: Record<keyof typeof peers, number[]> = { prod: [], empty: [], "ts-node": [], wider: [] };
    for (let round = 0; round <= rounds; round++) {
      for (const name of Object.keys(peers) as (keyof typeof peers)[]) {
        const took = await peers[name]();
        // The first round fills caches.
        if (round > 0) seconds[name].push(took);
      }
    }
    const [prod, empty] = [median(seconds.prod), median(seconds.empty)];
    const one = ((median(seconds.wider) - prod) / MORE) * 1000;
    const lines = [
      ...Object.entries(seconds).map(
        ([name, values]) =>
          `preview of ${name}: median ${median(values).toFixed(2)} s of ${rounds} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`,
      ),
      ratioLine("prod / empty program", prod / empty, 2),
      ratioLine("prod / prod under ts-node", prod / median(seconds["ts-node"]), 0.5),
      `one more resource: ${one.toFixed(0)} ms, from ${MORE} more; below a ratio of ${LATER} there is room for ` +
        `${one > 0 ? Math.floor((LATER * empty - prod) / (one / 1000)) : "any number"}`,
    ];
    for (const line of lines) console.log(line);
    const kept = [
      "# How long a preview takes",
      "`npm run bench:preview`: the real engine and providers, no cluster. `wider` is `prod` with more logins.",
      machineLine(),
      lines.map((line) => `- ${line}`).join("\n"),
    ];
    // A run with other rounds is not kept.
    if (process.argv.length === 2)
      writeFileSync(projectFile("bench/results/preview.md"), `${kept.join("\n\n")}\n`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Converts a copy of the program to what ts-node's default accepts: CommonJS, and no top-level await. */
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
