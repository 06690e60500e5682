/** The objects with the files of the backups: passphrase and keys, configuration, and scripts. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { BACKUP_NAME } from "../kubernetes/names.ts";
import { clockFiles, keptRunningFiles, scriptFiles, stoppableFiles } from "../kubernetes/scripts.ts";
import { superuserFiles } from "../server/superuser-files.ts";
import { type Leaf, LEAVES } from "../secrets/description.ts";
import { secretFrom } from "../secrets/source.ts";
import { ARCHIVING_SCRIPTS_NAME } from "./archiving.ts";
import { type BackupArgs, metadataOf } from "./backup-args.ts";
import {
  pgbackrestConf,
  type RepositoryArgs,
  type RepositoryKeys,
  secretFiles,
  trustFiles,
} from "./pgbackrest-conf.ts";
import { rcloneFiles } from "./rclone-conf.ts";

/** Names of the objects, for volumes. */
export interface BackupFiles {
  secret: pulumi.Output<string>;
  config: pulumi.Output<string>;
  scriptsName: pulumi.Output<string>;
  /** The scripts, by file name: a pod that runs one of them starts again with another. */
  scripts: Readonly<Record<string, string>>;
}

/** What a repository is reached with: which values that are depends on its kind alone. */
function keysOf(
  { name, kind }: RepositoryArgs,
  { accessKey, secretKey, privateKey }: RepositoryKeys<pulumi.Output<string>> = {},
): RepositoryKeys<Leaf> {
  switch (kind) {
    case "s3":
      return {
        accessKey: { leaf: LEAVES.accessKey(name), value: accessKey },
        secretKey: { leaf: LEAVES.secretKey(name), value: secretKey },
      };
    case "sftp":
      return { privateKey: { leaf: LEAVES.privateKey(name), value: privateKey } };
    default:
      return {};
  }
}

/** Creates them. */
export function backupFiles(
  args: BackupArgs,
  passphrase: Leaf,
  child: pulumi.CustomResourceOptions & { parent: pulumi.Resource },
): BackupFiles {
  const { repositories } = args;
  const configMap = (name: string, data: Readonly<Record<string, string>>) =>
    new k8s.core.v1.ConfigMap(name, { metadata: metadataOf(args, name), data }, child).metadata.name;

  const secret = secretFrom(
    args.source,
    {
      ...metadataOf(args, BACKUP_NAME),
      texts: Object.assign(
        {},
        ...repositories.map((repository, index) =>
          secretFiles(index + 1, passphrase, keysOf(repository, args.keys[repository.name])),
        ),
      ) as Record<string, (string | Leaf)[]>,
    },
    { parent: child.parent },
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
  return { secret, config, scriptsName, scripts };
}
