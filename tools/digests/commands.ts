/**
 * Declarations of the program's own scripts, made from their current text: those of Commands go into the pack's
 * configuration, those in ConfigMaps, which are the same for every stack, into the pack.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { format, resolveConfig } from "prettier";
import type { PackConfig } from "../../policy/configuration.ts";
import { scriptFilesOf, scriptsOf } from "../../policy/programs.ts";
import { objectsOf, type Resource } from "../../policy/resources.ts";
import { projectFile } from "../cli.ts";
import { readPackConfig, withNode } from "../evaluation/policy-config.ts";
import { evaluate } from "../evaluation/evaluate.ts";
import { resourcesOf } from "../evaluation/policy-stack.ts";
import { readStackFile } from "../stack-file/stack-file.ts";

/**
 * The stack's own repositories, and one in a directory: `disk`, whose Command is then declared whatever the stack has. As
 * the name is part of the line, another one is declared once the stack has it.
 */
function withDirectory(config: Readonly<Record<string, string>>): Record<string, object> {
  const { repositories = {} } = JSON.parse(config["transcript-pipeline:backup"] ?? "{}") as {
    repositories?: Record<string, object>;
  };
  const disk = { kind: "directory", path: "/mnt/backup/postgres" };
  const own = Object.entries(repositories);
  return Object.fromEntries([...own, ["disk", disk] as const].slice(0, Math.max(2, own.length)));
}

/** Every script that a stack can have, whatever its configuration. */
async function everythingOf(stack: string): Promise<Resource[]> {
  const { config } = readStackFile(projectFile(`Pulumi.${stack}.yaml`));
  const filled = withNode(stack, config);
  const complete = (section: string, fields: object) => {
    const key = `transcript-pipeline:${section}`;
    return { [key]: JSON.stringify({ ...(JSON.parse(filled[key] ?? "{}") as object), ...fields }) };
  };
  // An upgrade exists when both are the same.
  const image = "pgvector/pgvector:0.8.6-pg16-bookworm";
  const evaluation = await evaluate(stack, {
    ...filled,
    ...complete("node", { connection: "local" }),
    ...complete("database", { image, upgradeTo: image }),
    ...complete("backup", { repositories: withDirectory(filled) }),
    // Without a login it needs no secret.
    ...complete("notify", { sinks: { mail: { kind: "mail", host: "a", from: "a@b", to: ["a@b"] } } }),
    ...complete("monitoring", { prometheus: "bundled" }),
  });
  return resourcesOf(evaluation);
}

/** Lines that declare the scripts of a stack's Commands. */
export async function commandLinesOf(stack: string): Promise<string[]> {
  return (await everythingOf(stack)).flatMap(scriptsOf).flatMap(({ line }) => line ?? []);
}

/** Lines that declare the scripts in ConfigMaps. */
export async function scriptLinesOf(stack: string): Promise<string[]> {
  const objects = (await everythingOf(stack)).flatMap(objectsOf);
  return objects.flatMap((object) => scriptFilesOf(object).map(({ line }) => line)).sort();
}

/** A configuration of the pack in which only these lines declare the scripts that they name. */
function renewed(config: PackConfig, lines: readonly string[]): PackConfig {
  const rule = "declared-commands";
  const before = (config[rule]?.declared ?? []) as string[];
  const nameOf = (line: string) => line.replace(/ sha256:.*$/, "");
  const names = lines.map(nameOf);
  const others = before.filter((line) => !names.includes(nameOf(line)));
  return { ...config, [rule]: { ...config[rule], declared: [...others, ...lines] } };
}

async function formatted(value: unknown): Promise<string> {
  const options = await resolveConfig(projectFile("policy/config.dev.json"));
  return format(JSON.stringify(value), { ...options, parser: "json" });
}

/**
 * Renews the declared hashes in the pack, and in every configuration of the pack whose stack has a file.
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
    if (isDeepStrictEqual(JSON.parse(before), config)) continue;
    writeFileSync(file, await formatted(config));
    written.push(name);
  }
  const scripts = join(folder, "scripts.json");
  const lines = await scriptLinesOf("prod");
  if (!existsSync(scripts) || !isDeepStrictEqual(JSON.parse(readFileSync(scripts, "utf8")), lines)) {
    writeFileSync(scripts, await formatted(lines));
    written.push("scripts.json");
  }
  return written;
}
