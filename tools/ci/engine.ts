/** The engine as the workflows use it: the pinned CLI, any backend, the policy pack always attached. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { projectFile, UsageError } from "../cli.ts";
import { findEngine } from "../engine/engine.ts";
import { ownPackConfigFile, packConfigOf } from "../evaluation/policy-config.ts";
import { run } from "../processes.ts";
import { environments } from "./environments.ts";
import { hostnameOf, readStackFile } from "../stack-file/stack-file.ts";
import { keepSecret, masked, weakness } from "./masking.ts";
import { textInBase64 } from "./secret-values.ts";
import { withNode } from "./stack-config.ts";

/** What a command of the engine did. */
export interface EngineResult {
  status: number | null;
  stdout: string;
  /** Standard output and standard error as they came, secrets masked. */
  output: string;
}

/** Runs the engine on one stack. */
export interface StackEngine {
  stack: string;
  /** Files of this run alone. */
  directory: string;
  /** The node that the stack's configuration names. */
  hostname: string | undefined;
  /** Runs the program: preview, up, refresh. With `show`, its output is also printed as it comes. */
  operate: (
    args: readonly string[],
    options?: { show?: boolean; env?: NodeJS.ProcessEnv },
  ) => Promise<EngineResult>;
  /** Runs a command about the stack, with a text for its standard input: export, import, cancel. */
  manage: (args: readonly string[], input?: string) => Promise<EngineResult>;
  close: () => void;
}

/** The options that preview, drift and deploy share. */
export const stackOptions = {
  stack: { type: "string" },
  "config-file": { type: "string" },
  "policy-pack": { type: "string", default: "policy" },
} as const;

/** The command line's stack, which must be one of the environments. */
export function stackOf(values: { stack?: string | undefined }, usage: string): string {
  if (values.stack === undefined) throw new UsageError(usage);
  if (!environments().includes(values.stack)) {
    throw new UsageError(
      `there is no Pulumi.${values.stack}.yaml; the environments are ${environments().join(", ")}`,
    );
  }
  return values.stack;
}

/** Reads a command line of nothing but {@link stackOptions}. */
export function readStackArguments(usage: string): {
  stack: string;
  configFile?: string;
  policyPack: string;
} {
  const { values } = parseArgs({ options: stackOptions });
  return {
    stack: stackOf(values, usage),
    ...(values["config-file"] !== undefined && { configFile: values["config-file"] }),
    policyPack: values["policy-pack"],
  };
}

/**
 * The CLI that package-lock.json pins; where its download is out of reach, the one on PATH.
 *
 * @throws when there is neither
 */
async function engineCommand(): Promise<string> {
  const launcher = projectFile("node_modules/.bin/pulumi");
  const pinned = await run(launcher, ["version"], {
    env: { PULUMI_SKIP_UPDATE_CHECK: "true" },
  }).then(
    (version) => ({ command: launcher, version: version.trim() }),
    () => undefined,
  );
  const engine = pinned ?? (await findEngine());
  if ("reason" in engine) throw new Error(`the Pulumi CLI cannot be had: ${engine.reason}`);
  console.log(`Pulumi ${engine.version}${pinned ? "" : ", from PATH: the pinned one could not be had"}`);
  return engine.command;
}

const KUBECONFIG_MARK = "# KUBECONFIG_CONTENT of one run, which removes it at its end.\n";

/**
 * Puts a kubeconfig that is given as text where kubectl and the provider look by themselves. Not elsewhere under
 * KUBECONFIG: the provider keeps that path in the state, and the next run's refresh would look for it there.
 *
 * @returns what takes it away again
 * @throws when there is another one
 */
function installKubeconfig(): () => void {
  const given = process.env.KUBECONFIG_CONTENT;
  if (given === undefined || given.trim() === "") return () => undefined;
  // Other tools want it in base64, which no kubeconfig looks like.
  const content = textInBase64(given) ?? given;
  const directory = join(homedir(), ".kube");
  const file = join(directory, "config");
  // That of a run that was killed is replaced, and then removed.
  if (existsSync(file) && !readFileSync(file, "utf8").startsWith(KUBECONFIG_MARK)) {
    throw new Error(`${file} is there already: unset KUBECONFIG_CONTENT to use it, or move the file`);
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(file, KUBECONFIG_MARK + content, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

/**
 * The flags that attach the policy pack, with the stack's configuration of it: its own, or for an environment that is a
 * file alone, production's with that environment's node.
 */
export function policyFlags({ stack, directory, hostname }: StackEngine, policyPack: string): string[] {
  const attach = ["--policy-pack", policyPack];
  const own = ownPackConfigFile(stack, resolve(projectFile("."), policyPack));
  if (own !== undefined) return [...attach, "--policy-pack-config", own];
  // Another pack has configurations of its own, or none.
  if (ownPackConfigFile("prod", resolve(projectFile("."), policyPack)) === undefined) return attach;
  const config = join(directory, `config.${stack}.json`);
  writeFileSync(config, JSON.stringify(packConfigOf(stack, hostname)));
  return [...attach, "--policy-pack-config", config];
}

/** The secure values of a stack's file, where the environment's passphrase opens them. */
function secretsOfStack(file: string): string[] {
  try {
    return readStackFile(file).secrets;
  } catch {
    // A wrong passphrase, a file that is no YAML: the engine stops at it, and says so.
    return [];
  }
}

/** The node that a file names. Where it cannot be read the engine stops at it, and says so. */
function hostnameIn(file: string): string | undefined {
  try {
    return hostnameOf(file);
  } catch {
    return undefined;
  }
}

/**
 * Makes ready to run the engine on a stack.
 *
 * @param options.configFile instead of the committed Pulumi.<stack>.yaml; without one NODE_HOSTNAME names the node
 *   where the committed file does not
 */
export async function openStack(stack: string, options: { configFile?: string } = {}): Promise<StackEngine> {
  const weak = weakness();
  if (weak !== undefined) console.log(`${process.env.GITHUB_ACTIONS === "true" ? "::warning::" : ""}${weak}`);
  keepSecret(secretsOfStack(options.configFile ?? projectFile(`Pulumi.${stack}.yaml`)));
  const command = await engineCommand();
  const directory = mkdtempSync(join(tmpdir(), "transcript-pipeline-ci-"));
  // Neither the program nor its providers have a use for what publishes comments and issues.
  const inherited = { ...process.env };
  // A workflow hands on what is not set as an empty text, which is not the same to everybody. An empty passphrase is one.
  for (const [name, value] of Object.entries(inherited)) {
    if (value === "" && name !== "PULUMI_CONFIG_PASSPHRASE") delete inherited[name];
  }
  delete inherited.KUBECONFIG_CONTENT;
  delete inherited.GITHUB_TOKEN;
  const removeKubeconfig = installKubeconfig();
  const configFile = options.configFile ?? withNode(stack, process.env.NODE_HOSTNAME, directory);
  const environment = {
    ...inherited,
    PATH: `${projectFile("node_modules/.bin")}${delimiter}${process.env.PATH}`,
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };

  interface Execution {
    show?: boolean;
    env?: NodeJS.ProcessEnv;
    input?: string | undefined;
  }
  const execute = (
    args: readonly string[],
    { show = false, env = {}, input = "" }: Execution,
  ): Promise<EngineResult> =>
    new Promise((resolve, reject) => {
      const child = spawn(command, [...args, "--stack", stack, "--non-interactive", "--color", "never"], {
        cwd: projectFile("."),
        env: { ...environment, ...env },
        stdio: ["pipe", "pipe", "pipe"],
      });
      // One that ends without reading it says why by its status.
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
      const result: EngineResult = { status: null, stdout: "", output: "" };
      const keep = (text: string, isStdout: boolean) => {
        if (isStdout) result.stdout += text;
        result.output += masked(text);
        if (show) process.stdout.write(masked(text));
      };
      // Whole lines, so that no secret is cut in two and missed.
      for (const [stream, isStdout] of [
        [child.stdout, true],
        [child.stderr, false],
      ] as const) {
        let rest = "";
        stream.setEncoding("utf8");
        stream.on("data", (data: string) => {
          const end = (rest + data).lastIndexOf("\n") + 1;
          const text = rest + data;
          if (end > 0) keep(text.slice(0, end), isStdout);
          rest = text.slice(end);
        });
        stream.on("end", () => {
          if (rest !== "") keep(rest, isStdout);
        });
      }
      // A cancelled run lets the engine finish the operation it is in, and write down where it was.
      const interrupt = () => void child.kill("SIGINT");
      process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
      child.on("error", reject);
      child.on("close", (status) => {
        process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
        resolve({ ...result, status });
      });
    });

  return {
    stack,
    directory,
    hostname: hostnameIn(configFile ?? projectFile(`Pulumi.${stack}.yaml`)),
    operate: (args, execution = {}) =>
      execute([...args, ...(configFile === undefined ? [] : ["--config-file", configFile])], execution),
    manage: (args, input) => execute(args, { input }),
    close: () => {
      removeKubeconfig();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
