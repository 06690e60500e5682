/** What the backups of one database are made from, and what their parts have in common. */
import type * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";
import type { Placement } from "../kubernetes/pods.ts";
import type { SecretSource } from "../secrets/source.ts";
import type { NodeConnection } from "../storage/node-storage.ts";
import type { BackupOptions, RepositoryArgs, RepositoryKeys } from "./pgbackrest-conf.ts";

/** Arguments of {@link Backup}. */
export interface BackupArgs extends BackupOptions {
  namespace: pulumi.Input<string>;
  /** Whose data it is: compared with the marker of each directory. */
  identity: string;
  placement: Placement;
  /** The claim on the data, with the server's socket. */
  claimName: pulumi.Input<string>;
  /** An image with pgBackRest and bash. */
  image: string;
  /** The server's image, which each backup is annotated with. */
  postgresImage: string;
  /** Who keeps passphrase and keys. With a store, the configured and the generated ones are not in force. */
  source: SecretSource;
  /** The passphrase of the repositories. @default 40 characters, generated */
  passphrase?: pulumi.Input<string> | undefined;
  /** Runs before one is generated that is used. @default nothing */
  announcePassphrase?: pulumi.ResourceHook | undefined;
  /** What the repositories on other machines are reached with, by repository. */
  keys: Readonly<Record<string, RepositoryKeys<pulumi.Output<string>>>>;
  /** How to reach the node's file system. @default the directories are prepared by hand */
  connection?: NodeConnection | undefined;
  /** Runs before a claim on one of them is created. @default nothing */
  beforeClaim?: pulumi.ResourceHook | undefined;
  /**
   * When full and incremental backups, restore drills and logical dumps are made, as cron has it, and in which time zone.
   * A schedule of dumps that is undefined: only on request.
   */
  schedules: { full: string; incremental: string; drill: string; dump: string | undefined; timeZone: string };
  /** Percent of the data's disk that a drill leaves free. */
  drillFree: number;
  /** Whether a drill also reads every object of the repositories. */
  verify: boolean;
  /** An image with rclone and a shell, for dumps. */
  dumpImage: string;
  /** Dumps that are kept in each repository. */
  keepDumps: number;
  /** The database whose rows a drill compares and that is dumped, and its owner. */
  database: pulumi.Input<string>;
  owner: pulumi.Input<string>;
  /** Seconds that one backup has, one drill, and one dump. */
  timeout: number;
  /** Whether the directories' volumes, and what the passphrase is generated from, are protected from deletion. */
  protect: boolean;
}

/** Repositories as the scripts take them: `1:cloud:s3:443:s3.example.com 2:nas:directory`. The host is last, as an address has colons. */
export function listed(repositories: readonly RepositoryArgs[]): string {
  return repositories
    .map((repository, index) =>
      [
        ...[index + 1, repository.name, repository.kind],
        ...("endpoint" in repository ? [repository.port, repository.endpoint] : []),
      ].join(":"),
    )
    .join(" ");
}

/** Metadata of one of their objects. */
export const metadataOf = ({ namespace }: Pick<BackupArgs, "namespace">, name: string) => ({
  name,
  namespace,
  labels: labelsOf("backup"),
});
