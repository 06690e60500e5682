/** Which configurations belong to a stack: the pack's, and the program's. */
import { existsSync, readFileSync } from "node:fs";
import { checkPackConfig, type PackConfig } from "../policy/configuration.ts";
import { rules } from "../policy/rules/index.ts";
import { projectFile } from "./cli.ts";

/** The configuration of the pack for a stack: its own, else production's. */
export function packConfigFile(stack: string): string {
  const own = projectFile(`policy/config.${stack}.json`);
  return existsSync(own) ? own : projectFile("policy/config.prod.json");
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

/** Fills in the name of the node for `dev`, whose file leaves it to each machine: no rule depends on it there. */
export function withNode(stack: string, config: Record<string, string>): Record<string, string> {
  const key = "transcript-pipeline:node";
  const node = JSON.parse(config[key] ?? "{}") as Record<string, unknown>;
  return stack === "dev" && node.hostname === undefined
    ? { ...config, [key]: JSON.stringify({ ...node, hostname: "any-node" }) }
    : config;
}
