/** The component of the backups: the agent that archives, and the Jobs that make base backups. */
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { PASSWORD_LENGTH } from "../credentials/passwords.ts";
import { hooked } from "../kubernetes/hooks.ts";
import { checksum } from "../kubernetes/scripts.ts";
import { LEAVES } from "../secrets/description.ts";
import { knowsValues } from "../secrets/source.ts";
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
  /** The passphrase, without which no backup can be read. A secret. Undefined: only a store knows it. */
  readonly passphrase: pulumi.Output<string> | undefined;
  /** For a backup outside the schedules. */
  readonly run: BackupRun;

  constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Backup", name, {}, opts);
    const { repositories } = args;
    const child = { parent: this, deleteBeforeReplace: true };
    const isUsed = knowsValues(args.source);
    // Created with a store too: it is protected, and without the store the passphrase is that of before again.
    const generated = new random.RandomPassword(
      `${name}-passphrase`,
      { length: PASSWORD_LENGTH, special: false },
      {
        parent: this,
        protect: args.protect,
        ...hooked({
          beforeCreate: isUsed && args.passphrase === undefined ? args.announcePassphrase : undefined,
        }),
      },
    ).result;
    this.passphrase = isUsed ? pulumi.secret(args.passphrase ?? generated) : undefined;

    const passphrase = { leaf: LEAVES.backupPassphrase, value: this.passphrase };
    const files = backupFiles(args, passphrase, child);
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
