/** The component that prepares the data directory on its node. */
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { bytesOfQuantity } from "../../quantities.ts";
import { scriptFile } from "../kubernetes/scripts.ts";

/** How a node's file system is reached. */
export type NodeConnection =
  | { kind: "local" }
  | {
      kind: "ssh";
      host: string;
      port: number;
      user: string;
      /** The host's public key. Without one any host would be believed. */
      hostKey: string;
      /** Private key of the user. @default the agent */
      privateKey?: pulumi.Output<string> | undefined;
      /** Socket of the SSH agent, for where there is no private key. */
      agentSocket?: string | undefined;
    };

/** What the preparation is told of the directory. */
export interface DirectoryFacts {
  path: string;
  mount?: string | undefined;
  /** Kubernetes quantity. */
  capacity: string;
  identity: string;
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
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

/** A word of a command, quoted where it has to be. */
const word = (text: string) => (/^[\w./@%+-]+$/.test(text) ? text : shellQuoted(text));

/**
 * What to type where no connection to the node is configured. It is the script that a connection would run, with the
 * same checks: commands of their own would overwrite another deployment's marker, or take a directory of the system.
 *
 * @param file the script as `render` wrote it, on the machine where the commands are typed
 */
export function commandsForNode(hostname: string, file: string): string[] {
  return [
    `scp ${word(file)} ${hostname}:${PREPARATION_FILE}`,
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
  const other = configFile === undefined ? "" : ` --config-file ${word(configFile)}`;
  return [
    `npm run render -- --stack ${stack}${other}`,
    ...commandsForNode(hostname, `rendered/${stack}/${PREPARATION_FILE}`),
  ];
}

/** Arguments of {@link NodeStorage}. */
export interface NodeStorageArgs {
  connection: NodeConnection;
  path: pulumi.Input<string>;
  mount?: pulumi.Input<string> | undefined;
  /** Kubernetes quantity. */
  capacity: pulumi.Input<string>;
  identity: pulumi.Input<string>;
  /** uid of the volume's object. A new object is a reason to look at the directory again. */
  volumeUid: pulumi.Input<string>;
}

/**
 * Prepares the data directory on its node and checks what must be true of it: mounted, large enough, owned by
 * the server's user, marked as ours. Runs when the volume is made and when a fact changes, never in a preview.
 */
export class NodeStorage extends pulumi.ComponentResource {
  constructor(name: string, args: NodeStorageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:NodeStorage", name, {}, opts);
    const script = pulumi
      .all([args.path, args.mount, args.capacity, args.identity])
      .apply(([path, mount, capacity, identity]) => preparationScript({ path, mount, capacity, identity }));
    const triggers = [args.volumeUid];
    const { connection } = args;
    if (connection.kind === "local") {
      new command.local.Command(
        name,
        { create: script, interpreter: ["/bin/sh", "-c"], triggers },
        { parent: this, deleteBeforeReplace: true },
      );
    } else {
      new command.remote.Command(
        name,
        {
          connection: {
            host: connection.host,
            port: connection.port,
            user: connection.user,
            hostKey: connection.hostKey,
            ...(connection.privateKey
              ? { privateKey: connection.privateKey }
              : { agentSocketPath: connection.agentSocket ?? "" }),
            dialErrorLimit: 3,
            perDialTimeout: 15,
          },
          create: script,
          triggers,
        },
        { parent: this, deleteBeforeReplace: true },
      );
    }
    this.registerOutputs();
  }
}
