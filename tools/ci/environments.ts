/**
 * The environments: one for each Pulumi.<name>.yaml, `dev` first. As a command it prints them as a JSON list, and
 * hands it to the workflow's next jobs: `stacks=["dev","prod"]`.
 */
import { appendFileSync, readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { projectFile, runTool } from "../cli.ts";

/** Names of the environments. */
export function environments(directory: string = projectFile(".")): string[] {
  return readdirSync(directory)
    .flatMap((file) => /^Pulumi\.([A-Za-z0-9_-]+)\.yaml$/.exec(file)?.[1] ?? [])
    .sort((a, b) => Number(b === "dev") - Number(a === "dev") || (a < b ? -1 : 1));
}

if (import.meta.main) {
  await runTool(() => {
    const { values } = parseArgs({ options: { except: { type: "string", multiple: true, default: [] } } });
    const stacks = JSON.stringify(environments().filter((name) => !values.except.includes(name)));
    console.log(stacks);
    if (process.env.GITHUB_OUTPUT) appendFileSync(process.env.GITHUB_OUTPUT, `stacks=${stacks}\n`);
    return Promise.resolve();
  });
}
