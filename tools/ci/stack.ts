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

/** The engine, ready to run on a workflow's stack. */
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

/** Parses a command line that has only {@link stackOptions}. */
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
 * Writes a kubeconfig that is given as text to where kubectl and the provider look by default. Not elsewhere, under
 * KUBECONFIG: the provider keeps that path in the state, and the next run's refresh would look for it there.
 *
 * @returns a function that removes it
 * @throws if another one exists
 */
function installKubeconfig(): () => void {
  const given = process.env.KUBECONFIG_CONTENT;
  if (given === undefined || given.trim() === "") return () => undefined;
  // Other tools want it in base64, which does not look like a kubeconfig.
  const content = textInBase64(given) ?? given;
  const directory = join(homedir(), ".kube");
  const file = join(directory, "config");
  // The one of a killed run is replaced, and then removed.
  if (existsSync(file) && !readFileSync(file, "utf8").startsWith(KUBECONFIG_MARK)) {
    throw new Error(`${file} already exists: unset KUBECONFIG_CONTENT to use it, or move the file`);
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(file, KUBECONFIG_MARK + content, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

/**
 * The flags that attach the policy pack, with its configuration for the stack: the stack's own, or, for an environment
 * without one, production's with that environment's node.
 */
export function policyFlags({ stack, directory, hostname }: CiStack, policyPack: string): string[] {
  const attach = ["--policy-pack", policyPack];
  const own = ownPackConfigFile(stack, resolve(projectFile("."), policyPack));
  if (own !== undefined) return [...attach, "--policy-pack-config", own];
  // Another pack has its own configurations, or none.
  if (ownPackConfigFile("prod", resolve(projectFile("."), policyPack)) === undefined) return attach;
  const config = join(directory, `config.${stack}.json`);
  writeFileSync(config, JSON.stringify(packConfigOf(stack, hostname)));
  return [...attach, "--policy-pack-config", config];
}

/** The secure values of a stack's file, if the environment's passphrase decrypts them. */
function secretsOfStack(file: string): string[] {
  try {
    return readStackFile(file).secrets;
  } catch {
    // A wrong passphrase, a file that is not YAML: the engine reports it.
    return [];
  }
}

/** The node that a file names. If it cannot be read, the engine reports it. */
function hostnameIn(file: string): string | undefined {
  try {
    return hostnameOf(file);
  } catch {
    return undefined;
  }
}

/** The part of a job's environment that is for the engine. */
function workflowEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  // A workflow passes what is not set as an empty text, which not every tool takes for unset. A passphrase may be
  // empty.
  const set = Object.entries(env).filter(
    ([name, value]) => value !== "" || name === "PULUMI_CONFIG_PASSPHRASE",
  );
  // The program and its providers have no use for the token that publishes comments and issues.
  return { ...Object.fromEntries(set), KUBECONFIG_CONTENT: undefined, GITHUB_TOKEN: undefined };
}

/**
 * Prepares the engine for a stack.
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
