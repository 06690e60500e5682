/** A stack as the workflows use it: the pinned CLI, any backend, the policy pack always attached. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { projectFile, UsageError } from "../cli.ts";
import { pinnedEngine } from "../engine/engine.ts";
import { engineEnvironment } from "../engine/environment.ts";
import { type StackEngine, stackEngine } from "../engine/stack.ts";
import { ownPackConfigFile, packConfigOf } from "../evaluation/policy-config.ts";
import { environments } from "./environments.ts";
import { hostnameOf, readStackFile } from "../stack-file/stack-file.ts";
import { keepSecret, masked, weakness } from "./masking.ts";
import { textInBase64 } from "./secret-values.ts";
import { withNode } from "./stack-config.ts";

/** The engine on a stack of a workflow, ready to run. */
export interface CiStack extends StackEngine {
  /** Files of this run alone. */
  directory: string;
  /** The node that the stack's configuration names. */
  hostname: string | undefined;
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
export function policyFlags({ stack, directory, hostname }: CiStack, policyPack: string): string[] {
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

/** What of a job's environment is for the engine. */
function workflowEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  // A workflow hands on what is not set as an empty text, which is not the same to everybody. An empty passphrase is one.
  const set = Object.entries(env).filter(
    ([name, value]) => value !== "" || name === "PULUMI_CONFIG_PASSPHRASE",
  );
  // Neither the program nor its providers have a use for what publishes comments and issues.
  return { ...Object.fromEntries(set), KUBECONFIG_CONTENT: undefined, GITHUB_TOKEN: undefined };
}

/**
 * Makes ready to run the engine on a stack.
 *
 * @param options.configFile instead of the committed Pulumi.<stack>.yaml; without one NODE_HOSTNAME names the node
 *   where the committed file does not
 */
export async function openStack(stack: string, options: { configFile?: string } = {}): Promise<CiStack> {
  const weak = weakness();
  if (weak !== undefined) console.log(`${process.env.GITHUB_ACTIONS === "true" ? "::warning::" : ""}${weak}`);
  keepSecret(secretsOfStack(options.configFile ?? projectFile(`Pulumi.${stack}.yaml`)));
  const engine = await pinnedEngine();
  const env = engineEnvironment({ inherited: workflowEnvironment(process.env) });
  const removeKubeconfig = installKubeconfig();
  const directory = mkdtempSync(join(tmpdir(), "transcript-pipeline-ci-"));
  const close = () => {
    removeKubeconfig();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const configFile = options.configFile ?? withNode(stack, process.env.NODE_HOSTNAME, directory);
    return {
      ...stackEngine({ engine, stack, configFile, env, mask: masked }),
      directory,
      hostname: hostnameIn(configFile ?? projectFile(`Pulumi.${stack}.yaml`)),
      close,
    };
  } catch (error) {
    // A stack's file that cannot be read must not leave the kubeconfig behind.
    close();
    throw error;
  }
}
