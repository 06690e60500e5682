/** The objects with the files of the backups: passphrase and keys, configuration, and scripts. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { BACKUP_NAME } from "../kubernetes/names.ts";
import { clockFiles, keptRunningFiles, scriptFiles, stoppableFiles } from "../kubernetes/scripts.ts";
import { superuserFiles } from "../server/superuser-files.ts";
import { ARCHIVING_SCRIPTS_NAME } from "./archiving.ts";
import { type BackupArgs, metadataOf } from "./backup-args.ts";
import { keysFile, passphraseFile, pgbackrestConf, secretFiles, trustFiles } from "./pgbackrest-conf.ts";
import { rcloneFiles } from "./rclone-conf.ts";

/** Names of the objects, for volumes. */
export interface BackupFiles {
  secret: pulumi.Output<string>;
  config: pulumi.Output<string>;
  scriptsName: pulumi.Output<string>;
  /** The scripts, by file name: a pod that runs one of them starts again with another. */
  scripts: Readonly<Record<string, string>>;
}

/** Creates them. */
export function backupFiles(
  args: BackupArgs,
  passphrase: pulumi.Output<string>,
  child: pulumi.CustomResourceOptions,
): BackupFiles {
  const { repositories } = args;
  const configMap = (name: string, data: Readonly<Record<string, string>>) =>
    new k8s.core.v1.ConfigMap(name, { metadata: metadataOf(args, name), data }, child).metadata.name;

  const secret = new k8s.core.v1.Secret(
    BACKUP_NAME,
    {
      metadata: metadataOf(args, BACKUP_NAME),
      type: "Opaque",
      stringData: Object.assign(
        {},
        ...repositories.map(({ name: repository, kind }, index) => {
          const number = index + 1;
          const isRemote = kind === "s3" || kind === "sftp";
          const written = pulumi
            .all([passphrase, pulumi.output(args.keys[repository] ?? {})])
            .apply(([text, known]) => secretFiles(number, text, known));
          // Their names are known, when what they hold is not yet.
          return Object.fromEntries(
            [passphraseFile(number), ...(isRemote ? [keysFile(number, kind)] : [])].map((file) => [
              file,
              pulumi.secret(written.apply((of) => of[file] ?? "")),
            ]),
          );
        }),
      ) as Record<string, pulumi.Output<string>>,
    },
    child,
  );
  const config = configMap(`${BACKUP_NAME}-config`, {
    "pgbackrest.conf": pgbackrestConf(args),
    ...trustFiles(repositories),
    ...rcloneFiles(repositories),
  });
  const handover = { ...scriptFiles(import.meta.url, "handover.sh", "pgbackrest-wal.sh"), ...clockFiles() };
  configMap(ARCHIVING_SCRIPTS_NAME, {
    ...handover,
    ...scriptFiles(import.meta.url, "restore-database.sh", "image-lacks.sh"),
  });
  const scripts = {
    ...handover,
    ...scriptFiles(import.meta.url, "repositories.sh", "agent.sh", "verify.sh", "backup.sh", "drill.sh"),
    ...scriptFiles(
      import.meta.url,
      ...["drill-archived.sql", "drill-lock.sql", "drill-count.sql", "drill-compare.sql"],
      ...["owner.sh", "dump.sh", "dump-transfer.sh", "dump-snapshot.sql"],
    ),
    ...keptRunningFiles(),
    ...stoppableFiles(),
    ...superuserFiles(),
  };
  const scriptsName = configMap(`${BACKUP_NAME}-scripts`, scripts);
  return { secret: secret.metadata.name, config, scriptsName, scripts };
}
