/** The declarations of the program's own Commands: made from the scripts as they are, written into the pack's configuration. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { scriptsOf } from "../policy/programs.ts";
import { projectFile } from "./cli.ts";
import { withNode } from "./policy-config.ts";
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

/** Replaces the hash behind each name that a configuration declares. */
function renewed(text: string, lines: readonly string[]): { text: string; missing: string[] } {
  const missing: string[] = [];
  let result = text;
  for (const line of lines) {
    const [name = "", hash = ""] = line.split(/ (?=sha256:)/);
    const written = new RegExp(
      `(?<="${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")} )sha256:[0-9a-f]{64}(?=")`,
      "g",
    );
    if (!written.test(result)) missing.push(line);
    result = result.replace(written, hash);
  }
  return { text: result, missing };
}

/** What became of the configurations of the pack. */
export interface Renewal {
  written: string[];
  /** Lines that no configuration has a place for, each with its file. */
  missing: string[];
}

/** Renews the declared hashes in every configuration of the pack whose stack has a file. */
export async function renewCommands(folder = projectFile("policy")): Promise<Renewal> {
  const renewal: Renewal = { written: [], missing: [] };
  for (const name of readdirSync(folder)) {
    const stack = /^config\.(.+)\.json$/.exec(name)?.[1];
    if (stack === undefined || !existsSync(projectFile(`Pulumi.${stack}.yaml`))) continue;
    const file = `${folder}/${name}`;
    const before = readFileSync(file, "utf8");
    const { text, missing } = renewed(before, await commandLinesOf(stack));
    renewal.missing.push(
      ...missing.map((line) => `${name}: "declared-commands": { "declared": ["${line}"] }`),
    );
    if (text === before) continue;
    writeFileSync(file, text);
    renewal.written.push(name);
  }
  return renewal;
}
