/** The script that prepares the data directory on its node, and the commands that bring it there by hand. */
import { bytesOfQuantity } from "../../quantities.ts";
import { shellQuoted, shellWord } from "../../shell-words.ts";
import { scriptFile } from "../kubernetes/scripts.ts";

/** What the preparation is told of the directory. */
export interface DirectoryFacts {
  path: string;
  mount?: string | undefined;
  /** Kubernetes quantity. */
  capacity: string;
  identity: string;
}

/** The script that prepares and checks the directory, with the facts at its top. For /bin/sh on the node. */
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

/** The name under which `render` writes the script next to the objects. */
export const PREPARATION_FILE = "prepare-storage.sh";

/**
 * What to type where no connection to the node is configured. It is the script that a connection would run, with the
 * same checks: commands of their own would overwrite another deployment's marker, or take a directory of the system.
 *
 * @param file the script as `render` wrote it, on the machine where the commands are typed
 */
export function commandsForNode(hostname: string, file: string): string[] {
  return [
    `scp ${shellWord(file)} ${hostname}:${PREPARATION_FILE}`,
    `ssh -t ${hostname} sudo sh ${PREPARATION_FILE}`,
  ];
}

/**
 * The same where nothing was rendered yet.
 *
 * @param configFile the stack's file, where it is not the one of the checkout
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
