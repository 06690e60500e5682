/** The script that prepares the data directory on its node, and the commands to run it by hand. */
import { bytesOfQuantity } from "../../quantities.ts";
import { shellQuoted, shellWord } from "../../shell-words.ts";
import { scriptFile } from "../kubernetes/scripts.ts";

/** The script's parameters. */
export interface DirectoryFacts {
  path: string;
  mount?: string | undefined;
  /** Kubernetes quantity. */
  capacity: string;
  identity: string;
}

/** The script that prepares and checks the directory, with its parameters at the top. For /bin/sh on the node. */
export function preparationScript(facts: DirectoryFacts): string {
  const assignments = {
    path: facts.path,
    mount: facts.mount ?? "",
    capacity: String(Math.ceil(bytesOfQuantity(facts.capacity) ?? NaN)),
    identity: facts.identity,
  };
  return [
    ...Object.entries(assignments).map(([name, value]) => `${name}=${shellQuoted(value)}`),
    scriptFile(import.meta.url, PREPARATION_FILE),
  ].join("\n");
}

/** Name of the script's file, which `render` writes next to the objects. */
export const PREPARATION_FILE = "prepare-storage.sh";

/**
 * The commands to run without a configured connection to the node. They run the same script with the same checks: ad hoc
 * commands could overwrite another deployment's marker, or use a system directory.
 *
 * @param file path of the script from `render`, on the machine that runs the commands
 */
export function commandsForNode(hostname: string, file: string): string[] {
  return [
    `scp ${shellWord(file)} ${hostname}:${PREPARATION_FILE}`,
    `ssh -t ${hostname} sudo sh ${PREPARATION_FILE}`,
  ];
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
): string[] {
  const other = configFile === undefined ? "" : ` --config-file ${shellWord(configFile)}`;
  return [
    `npm run render -- --stack ${stack}${other}`,
    ...commandsForNode(hostname, `rendered/${stack}/${PREPARATION_FILE}`),
  ];
}
