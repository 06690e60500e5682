/** Which configurations belong to a stack: the pack's, and the program's. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkPackConfig, type PackConfig } from "../../policy/configuration.ts";
import { rules } from "../../policy/rules/index.ts";
import { projectFile } from "../cli.ts";

/** A stack's own configuration of the pack, or undefined where it has none. */
export function ownPackConfigFile(stack: string, pack = projectFile("policy")): string | undefined {
  const own = join(pack, `config.${stack}.json`);
  return existsSync(own) ? own : undefined;
}

/** Rules that compare a configured name with the stack's node. */
const OF_THE_NODE = ["volume-pinned", "placement"] as const;

/**
 * The pack's configuration for a stack: its own, else production's with the node that the stack itself names, so that a
 * new environment takes only one file. To compare the node with another source, write a file for the stack.
 */
export function packConfigOf(stack: string, hostname: string | undefined): PackConfig {
  const own = ownPackConfigFile(stack);
  if (own !== undefined) return readPackConfig(own);
  const config = readPackConfig(projectFile("policy/config.prod.json"));
  if (hostname === undefined) return config;
  return {
    ...config,
    ...Object.fromEntries(OF_THE_NODE.map((rule) => [rule, { ...config[rule], node: hostname }])),
  };
}

/** Reads a configuration of the pack as the engine would, and more strictly. */
export function readPackConfig(file: string): PackConfig {
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(
      `the policy pack's configuration ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  checkPackConfig(rules, config);
  return config;
}

/** Fills in the node's name for `dev`, whose file leaves it to each machine: no rule depends on it there. */
export function withNode(stack: string, config: Record<string, string>): Record<string, string> {
  const key = "transcript-pipeline:node";
  const node = JSON.parse(config[key] ?? "{}") as Record<string, unknown>;
  return stack === "dev" && node.hostname === undefined
    ? { ...config, [key]: JSON.stringify({ ...node, hostname: "any-node" }) }
    : config;
}
