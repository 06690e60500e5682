/** Deploying a stack of a test with the real engine and the pack, into files instead of a cluster. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { projectFile } from "../../tools/cli.ts";
import type { Engine } from "../../tools/engine/engine.ts";
import { engineEnvironment } from "../../tools/engine/environment.ts";
import { type EngineResult, runEngine, succeeded } from "../../tools/engine/runner.ts";
import { UNKNOWN } from "../../policy/values.ts";
import { UNKNOWN_TEXT } from "./fixtures/unknown.ts";
import type { Judged, Name } from "./stacks.ts";

/** What a run of the CLI did. */
export interface Outcome {
  succeeded: boolean;
  output: string;
  /** Number of objects that were deployed. */
  deployed: number;
}

/** Runs of the CLI in directories of their own, with state that no other run sees. */
export class Deployments {
  readonly #engine: Engine;
  readonly #directory: string;
  #runs = 0;

  constructor(engine: Engine, directory: string) {
    this.#engine = engine;
    this.#directory = directory;
  }

  #cli(
    args: readonly string[],
    directory: string,
    cwd = directory,
    env: NodeJS.ProcessEnv = {},
  ): Promise<EngineResult> {
    return runEngine(this.#engine, args, {
      cwd,
      env: engineEnvironment({
        backend: { directory: join(directory, "state"), passphrase: "test" },
        variables: {
          NODE_COMPILE_CACHE: join(this.#directory, "compiled"),
          KUBECONFIG: join(directory, "no-kubeconfig"),
          ...env,
        },
      }),
    });
  }

  /** A project with an empty stack of each name, to be copied. */
  async prepare(): Promise<void> {
    const template = join(this.#directory, "template");
    mkdirSync(join(template, "state"), { recursive: true });
    mkdirSync(join(template, "rendered"));
    writeFileSync(
      join(template, "Pulumi.yaml"),
      "name: transcript-pipeline\nmain: index.ts\nruntime: {name: nodejs, options: {packagemanager: npm, typescript: false}}\n",
    );
    writeFileSync(join(template, "package.json"), '{"type":"module","main":"index.ts"}\n');
    writeFileSync(
      join(template, "index.ts"),
      `await import(${JSON.stringify(pathToFileURL(projectFile("test/policy/fixtures/registered.ts")).href)});\n`,
    );
    symlinkSync(projectFile("node_modules"), join(template, "node_modules"));
    for (const name of ["dev", "prod"])
      succeeded("pulumi stack init", await this.#cli(["stack", "init", name], template));
  }

  #copyOfTemplate(): string {
    const directory = mkdtempSync(join(this.#directory, `run-${++this.#runs}-`));
    cpSync(join(this.#directory, "template"), directory, { recursive: true, verbatimSymlinks: true });
    return directory;
  }

  /**
   * Runs a command of the CLI over a stack.
   *
   * @param pack directory of the pack
   * @param config the pack's configuration; undefined for none
   */
  async run(
    command: readonly string[],
    { name, resources, config }: Pick<Judged, "resources" | "name"> & { config: unknown },
    pack = projectFile("policy"),
  ): Promise<Outcome> {
    const directory = this.#copyOfTemplate();
    const registered = join(directory, "registered.json");
    const packConfig = join(directory, "policy.json");
    const plain = (_: string, value: unknown) => (value === UNKNOWN ? UNKNOWN_TEXT : value);
    const renderTo = join(directory, "rendered");
    writeFileSync(registered, JSON.stringify({ resources, renderTo }, plain));
    if (config !== undefined) writeFileSync(packConfig, JSON.stringify(config));
    const args = [...command, "--stack", name, "--policy-pack", pack];
    if (config !== undefined) args.push("--policy-pack-config", packConfig);
    const { status, output } = await this.#cli(args, directory, directory, { REGISTERED: registered });
    const deployed = readdirSync(renderTo, { recursive: true }).filter((file) =>
      String(file).endsWith(".yaml"),
    ).length;
    return { succeeded: status === 0, output, deployed };
  }

  /** Previews the project's own program, as it is committed. */
  async previewProgram(name: Name, stackFile: string, packConfig: string): Promise<Outcome> {
    const directory = this.#copyOfTemplate();
    const { status, output } = await this.#cli(
      [
        ...["preview", "--stack", name, "--config-file", stackFile],
        ...["--policy-pack", projectFile("policy"), "--policy-pack-config", packConfig],
      ],
      directory,
      projectFile("."),
    );
    return { succeeded: status === 0, output, deployed: 0 };
  }
}
