/** The component of the backups: the agent that archives, and the Jobs that make base backups. */
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { PASSWORD_LENGTH } from "../credentials/passwords.ts";
import { hooked } from "../kubernetes/hooks.ts";
import { checksum } from "../kubernetes/scripts.ts";
import { backupAgent, backupVolumes, onNode } from "./agent.ts";
import { type BackupArgs, listed } from "./backup-args.ts";
import { backupFiles } from "./files.ts";
import { pgbackrestConf } from "./pgbackrest-conf.ts";
import { backupSchedules, type FirstRun } from "./schedules.ts";

/** What runs one backup. */
export interface BackupRun extends FirstRun {
  /** Checksum of the repositories. */
  reasons: string;
}

/**
 * The backups of one database: an agent next to the server that archives its WAL and fetches what is restored, and base
 * backups on schedules. It waits for no server: a server that is being restored waits for it.
 */
export class Backup extends pulumi.ComponentResource {
  /** The passphrase, without which no backup can be read. A secret. */
  readonly passphrase: pulumi.Output<string>;
  /** For a backup outside the schedules. */
  readonly run: BackupRun;

  constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Backup", name, {}, opts);
    const { repositories } = args;
    const child = { parent: this, deleteBeforeReplace: true };
    const generated = new random.RandomPassword(
      `${name}-passphrase`,
      { length: PASSWORD_LENGTH, special: false },
      {
        parent: this,
        protect: args.protect,
        ...hooked({ beforeCreate: args.passphrase === undefined ? args.announcePassphrase : undefined }),
      },
    ).result;
    this.passphrase = pulumi.secret(args.passphrase ?? generated);

    const files = backupFiles(args, this.passphrase, child);
    const volumes = backupVolumes(name, args, files, this);
    backupAgent(args, files, volumes, child);
    this.run = {
      ...backupSchedules(args, files, volumes, child),
      // A new repository gets its first backup; another script is not a reason for one.
      reasons: checksum(
        [listed(repositories) + pgbackrestConf(args), ...onNode(repositories).map(({ path }) => path)].join(
          "\n",
        ),
      ),
    };
    this.registerOutputs();
  }
}
