/**
 * The environments: one per Pulumi.<name>.yaml, `dev` first. As a command it prints them as a JSON list, and passes it
 * to the workflow's next jobs: `stacks=["dev","prod"]`.
 */
import { appendFileSync, readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { projectFile, runTool } from "../cli.ts";

/** What may be a stack's file; some file systems, GitHub's included, ignore case. */
const STACK_FILE = /^pulumi\.(.+)\.(ya?ml|json)$/is;

/** Longer names do not fit into a runner's paths. */
const LONGEST = 40;

/** How people mark files that are not for use. */
const COPY = /[.-](?:bak|backup|copy|disabled|draft|example|new|off|old|orig|sample|save|template|tmp)\d*$/;

/** Names with another meaning in every JavaScript object or in a workflow's expressions. */
const TAKEN = ["constructor", "true", "false", "null", "undefined"];

/**
 * Why a name cannot be an environment's, or undefined. It becomes an argument of commands, a file name, a key, and,
 * prefixed with `preview-`, a second GitHub environment, which has no protection.
 */
export function objectionToName(name: string): string | undefined {
  if (name.toLowerCase().startsWith("preview-"))
    return "begins with 'preview-', as the unprotected GitHub environment of another stack does";
  if (TAKEN.includes(name)) return "is a word with another meaning in JavaScript or GitHub's expressions";
  if (!/^[a-z](?:[.-]?[a-z0-9])*$/.test(name) || name.length > LONGEST) return "is not of the form below";
  if (COPY.test(name)) return "ends like a copy or an example, and would be deployed";
  return undefined;
}

const ALLOWED =
  "Allowed: a regular file Pulumi.<name>.yaml whose name consists of lower-case letters, digits and single hyphens and dots, " +
  `begins with a letter, does not end in a hyphen or a dot, has at most ${LONGEST} characters and does not begin with 'preview-'. ` +
  "Rename it: git mv";

/**
 * Names of the environments.
 *
 * @throws if a file looks like a stack's and cannot be one: it would be deployed under a strange name, or silently left
 *   out
 */
export function environments(directory: string = projectFile(".")): string[] {
  const names: string[] = [];
  const problems: string[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const [, name, ending] = STACK_FILE.exec(entry.name) ?? [];
    if (name === undefined) continue;
    const objection =
      objectionToName(name) ??
      (entry.name !== `Pulumi.${name}.yaml`
        ? `is not read by Pulumi here: its file ends in .${ending}`
        : undefined) ??
      (entry.isFile() ? undefined : "is not a regular file");
    // Its name is untrusted text, which may contain anything but a slash.
    if (objection === undefined) names.push(name);
    else
      problems.push(
        `${JSON.stringify(entry.name)}: the name ${JSON.stringify(name)} ${objection}. ${ALLOWED}`,
      );
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return names.sort((a, b) => Number(b === "dev") - Number(a === "dev") || (a < b ? -1 : 1));
}

const usage = `usage: node tools/ci/environments.ts [--except <name>]...
  --except <name>  leave an environment out; may be given several times`;

if (import.meta.main) {
  await runTool(usage, () => {
    const { values } = parseArgs({ options: { except: { type: "string", multiple: true, default: [] } } });
    const stacks = JSON.stringify(environments().filter((name) => !values.except.includes(name)));
    console.log(stacks);
    if (process.env.GITHUB_OUTPUT) appendFileSync(process.env.GITHUB_OUTPUT, `stacks=${stacks}\n`);
    return Promise.resolve();
  });
}
