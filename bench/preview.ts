/**
 * `npm run bench:preview`: how long a preview of `prod` takes, against an empty program and against the same program
 * under ts-node, Pulumi's default for TypeScript. The three take turns, so that a machine that slows down slows all
 * of them down; medians and ratios of one run.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { projectFile, runTool } from "../tools/cli.ts";
import { findEngine } from "../tools/engine.ts";
import { run } from "../tools/processes.ts";
import { median, ratioLine } from "./figures.ts";

const ROUNDS = 5;

await runTool(async () => {
  const engine = await findEngine();
  if ("reason" in engine) throw new Error(`this measurement needs the Pulumi CLI: ${engine.reason}`);
  const directory = mkdtempSync(join(tmpdir(), "bench-preview-"));
  const env = {
    ...process.env,
    PATH: `${projectFile("node_modules/.bin")}${delimiter}${process.env.PATH}`,
    PULUMI_CONFIG_PASSPHRASE: "bench",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // No cluster: what is measured is the program and the engine, not the way to a server.
    KUBECONFIG: join(directory, "none"),
  };

  /** A project of its own with its state; the program is a copy, and node_modules the checkout's. */
  const project = async (name: string, pulumiYaml: string): Promise<() => Promise<number>> => {
    const cwd = join(directory, name);
    mkdirSync(join(cwd, "state"), { recursive: true });
    for (const entry of [
      "index.ts",
      "config.ts",
      "deployment.ts",
      "config",
      "components",
      "sql",
      "tools/node-version.cjs",
      "tools/compile-cache.cjs",
      "package.json",
      "tsconfig.json",
    ]) {
      cpSync(projectFile(entry), join(cwd, entry), { recursive: true });
    }
    symlinkSync(projectFile("node_modules"), join(cwd, "node_modules"));
    cpSync(projectFile("Pulumi.prod.yaml"), join(cwd, "Pulumi.prod.yaml"));
    writeFileSync(join(cwd, "Pulumi.yaml"), pulumiYaml);
    writeFileSync(join(cwd, "empty.ts"), "export {};\n");
    const options = { cwd, env: { ...env, PULUMI_BACKEND_URL: `file://${join(cwd, "state")}` } };
    await run(engine.command, ["stack", "init", "prod", "--non-interactive"], options);
    return async () => {
      const started = performance.now();
      await run(engine.command, ["preview", "--stack", "prod", "--non-interactive"], options);
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
    for (let round = 0; round <= ROUNDS; round++) {
      for (const name of Object.keys(peers) as (keyof typeof peers)[]) {
        const took = await peers[name]();
        // The first round fills caches.
        if (round > 0) seconds[name].push(took);
      }
    }
    for (const [name, values] of Object.entries(seconds)) {
      console.log(
        `preview of ${name}: median ${median(values).toFixed(2)} s of ${ROUNDS} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`,
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
  for (const file of files) {
    const text = readFileSync(file, "utf8")
      .replaceAll(/from "(\.[^"]*)\.ts"/g, 'from "$1"')
      .replaceAll(/ with \{ type: "json" \}/g, "")
      .replaceAll(
        /new URL\(`\.\/\$\{folder\}\/`, import\.meta\.url\)/g,
        "new URL(`./${folder}/`, `file://${__filename}`)",
      )
      .replaceAll("import.meta.url", "`file://${__filename}`")
      .replace(/^await checkCluster\((.*)\);$/m, "void checkCluster($1);");
    writeFileSync(file, text);
  }
  writeFileSync(
    join(cwd, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "es2022",
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
