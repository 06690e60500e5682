/** The component that prepares a directory on its node. */
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { DirectoryUse } from "./directory.ts";
import { preparationScript } from "./preparation.ts";

/** How a node is reached. A key that is known already is text. */
export type NodeConnection<Key = pulumi.Output<string>> =
  | { kind: "local" }
  | {
      kind: "ssh";
      host: string;
      port: number;
      user: string;
      /** The host's public key. Without one, any host would be trusted. */
      hostKey: string;
      /** Private key of the user. @default the agent */
      privateKey?: Key | undefined;
      /** Socket of the SSH agent, if there is no private key. */
      agentSocket?: string | undefined;
    };

/** Arguments of {@link NodeStorage}. */
export interface NodeStorageArgs {
  connection: NodeConnection;
  path: pulumi.Input<string>;
  mount?: pulumi.Input<string> | undefined;
  /** Kubernetes quantity. */
  capacity: pulumi.Input<string>;
  identity: pulumi.Input<string>;
  /** What the directory is for. */
  use: DirectoryUse;
  /** uid of the volume's object. A new object is a reason to check the directory again. */
  volumeUid: pulumi.Input<string>;
}

/**
 * Prepares and checks a directory on its node: mounted, large enough, owned by the server's user, marked as ours.
 * Runs when the volume is created and when a fact changes, never in a preview.
 */
export class NodeStorage extends pulumi.ComponentResource {
  constructor(name: string, args: NodeStorageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:NodeStorage", name, {}, opts);
    const { connection, use } = args;
    const script = pulumi
      .all([args.path, args.mount, args.capacity, args.identity])
      .apply(([path, mount, capacity, identity]) =>
        preparationScript({ path, mount, capacity, identity, use }),
      );
    const triggers = [args.volumeUid];
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
