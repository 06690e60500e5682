/** The declarations of the program's own Commands: made from the scripts as they are, written into the pack's configuration. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { format, resolveConfig } from "prettier";
import type { PackConfig } from "../policy/configuration.ts";
import { scriptsOf } from "../policy/programs.ts";
import { projectFile } from "./cli.ts";
import { readPackConfig, withNode } from "./policy-config.ts";
import { resourcesOf } from "./policy-stack.ts";
import { readStackFile } from "./stack-file.ts";

/** Lines that declare the scripts of a stack's Commands, whether or not the stack has them: `node.connection` decides it. */
export async function commandLinesOf(stack: string): Promise<string[]> {
  const { config } = readStackFile(projectFile(`Pulumi.${stack}.yaml`));
  const node = "transcript-pipeline:node";
  const filled = withNode(stack, config);
  const connected = { ...(JSON.parse(filled[node] ?? "{}") as object), connection: "local" };
  const resources = await resourcesOf(stack, { ...filled, [node]: JSON.stringify(connected) });
  return resources.flatMap(scriptsOf).flatMap(({ line }) => line ?? []);
}

/** A configuration of the pack in which exactly these lines declare the scripts that they name. */
function renewed(config: PackConfig, lines: readonly string[]): PackConfig {
  const rule = "declared-commands";
  const before = (config[rule]?.declared ?? []) as string[];
  const nameOf = (line: string) => line.replace(/ sha256:.*$/, "");
  const names = lines.map(nameOf);
  const others = before.filter((line) => !names.includes(nameOf(line)));
  return { ...config, [rule]: { ...config[rule], declared: [...others, ...lines] } };
}

/**
 * Renews the declared hashes in every configuration of the pack whose stack has a file.
 *
 * @returns names of the files that have changed
 */
export async function renewCommands(folder = projectFile("policy")): Promise<string[]> {
  const written: string[] = [];
  for (const name of readdirSync(folder)) {
    const stack = /^config\.(.+)\.json$/.exec(name)?.[1];
    if (stack === undefined || !existsSync(projectFile(`Pulumi.${stack}.yaml`))) continue;
    const file = join(folder, name);
    const before = readFileSync(file, "utf8");
    const config = renewed(readPackConfig(file), await commandLinesOf(stack));
    const options = await resolveConfig(projectFile("policy/config.dev.json"));
    const after = await format(JSON.stringify(config), { ...options, parser: "json" });
    if (isDeepStrictEqual(JSON.parse(before), config)) continue;
    writeFileSync(file, after);
    written.push(name);
  }
  return written;
}
