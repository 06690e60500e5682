/** The script that prepares a directory on its node, and the commands to run it by hand. */
import { join } from "node:path";
import { bytesOfQuantity } from "../../quantities.ts";
import { shellQuoted, shellWord } from "../../shell-words.ts";
import { scriptFile } from "../kubernetes/scripts.ts";
import { DATA_DIRECTORY, type DirectoryFacts } from "./directory.ts";

/** The script that prepares and checks the directory, with its parameters at the top. For /bin/sh on the node. */
export function preparationScript(facts: DirectoryFacts): string {
  const { identity, use = DATA_DIRECTORY } = facts;
  const assignments = {
    path: facts.path,
    mount: facts.mount ?? "",
    capacity: String(Math.ceil(bytesOfQuantity(facts.capacity) ?? NaN)),
    identity: `${identity}${use.suffix}`,
    stack: identity.slice(identity.indexOf("/") + 1),
    section: use.section,
    script: use.file,
    holds: use.holds,
  };
  return [
    ...Object.entries(assignments).map(([name, value]) => `${name}=${shellQuoted(value)}`),
    scriptFile(import.meta.url, "prepare-storage.sh"),
  ].join("\n");
}

/**
 * The commands to run without a configured connection to the node. They run the same script with the same checks: ad hoc
 * commands could overwrite another deployment's marker, or use a system directory.
 *
 * @param folder where the scripts from `render` are, on the machine that runs the commands
 * @param files names of the scripts, one for each directory
 */
export function commandsForNode(hostname: string, folder: string, files: readonly string[]): string[] {
  return files.flatMap((file) => [
    `scp ${shellWord(join(folder, file))} ${hostname}:${file}`,
    `ssh -t ${hostname} sudo sh ${file}`,
  ]);
}

/**
 * The same commands, if nothing was rendered yet.
 *
 * @param configFile the stack's file, if it is not the checkout's
 */
export function commandsFromCheckout(
  stack: string,
  hostname: string,
  configFile: string | undefined,
  files: readonly string[],
): string[] {
  const other = configFile === undefined ? "" : ` --config-file ${shellWord(configFile)}`;
  return [
    `npm run render -- --stack ${stack}${other}`,
    ...commandsForNode(hostname, `rendered/${stack}`, files),
  ];
}
