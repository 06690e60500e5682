/** The component of the backups: the agent that archives, and the Jobs that make base backups. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { PASSWORD_LENGTH } from "../credentials/passwords.ts";
import { hooked } from "../kubernetes/hooks.ts";
import { labelsOf } from "../kubernetes/labels.ts";
import {
  ANNOTATIONS,
  BACKUP_CONTAINER as CONTAINER,
  BACKUP_CRON_JOBS,
  BACKUP_NAME,
} from "../kubernetes/names.ts";
import type { OneRunJobArgs } from "../kubernetes/one-run-job.ts";
import {
  inMemory,
  mountsIn,
  type Placement,
  placed,
  type PodVolume,
  restrictedContainer,
  restrictedPod,
  volumesOf,
  withLog,
} from "../kubernetes/pods.ts";
import {
  checksum,
  keptRunning,
  keptRunningFiles,
  scriptFiles,
  SCRIPTS_PATH,
  stoppable,
  stoppableFiles,
} from "../kubernetes/scripts.ts";
import type { NamedContainer } from "../server/extension.ts";
import type { NodeConnection } from "../storage/node-storage.ts";
import { Volume } from "../storage/volume.ts";
import { superuserFiles } from "../server/superuser-files.ts";
import { DATA_PATH, VOLUME_PATH } from "../../postgres/places.ts";
import { ARCHIVING_SCRIPTS_NAME } from "./archiving.ts";
import { repositoryDirectory } from "./directory.ts";
import { drillPod } from "./drill.ts";
import { dumpPod } from "./dump.ts";
import {
  BACKUP_CONFIG_PATH,
  BACKUP_SECRETS_PATH,
  type BackupOptions,
  keysFile,
  passphraseFile,
  pgbackrestConf,
  REPOSITORIES_PATH,
  type RepositoryArgs,
  type RepositoryKeys,
  secretFiles,
  STANZA,
  trustFiles,
} from "./pgbackrest-conf.ts";
import { rcloneFiles } from "./rclone-conf.ts";

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
  /** The passphrase of the repositories. @default 40 characters, generated */
  passphrase?: pulumi.Input<string> | undefined;
  /** Runs before one is generated that is used. @default nothing */
  announcePassphrase?: pulumi.ResourceHook | undefined;
  /** What the repositories on other machines are reached with, by repository. */
  keys: Readonly<Record<string, RepositoryKeys<pulumi.Input<string>>>>;
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
function listed(repositories: readonly RepositoryArgs[]): string {
  return repositories
    .map((repository, index) =>
      [
        ...[index + 1, repository.name, repository.kind],
        ...("endpoint" in repository ? [repository.port, repository.endpoint] : []),
      ].join(":"),
    )
    .join(" ");
}

/** What runs one backup. */
export interface BackupRun {
  /** In their order: a backup, and the drill that restores it. */
  containers: OneRunJobArgs["containers"];
  volumes: readonly PodVolume[];
  /** Checksum of the repositories. */
  reasons: string;
}

/** The repositories that have a directory on the node. */
function onNode(repositories: readonly RepositoryArgs[]) {
  return repositories.filter((repository) => repository.kind === "directory");
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
    const { namespace, repositories } = args;
    const child = { parent: this, deleteBeforeReplace: true };
    const metadata = (objectName: string) => ({ name: objectName, namespace, labels: labelsOf("backup") });
    const configMap = (mapName: string, data: Readonly<Record<string, string>>) =>
      new k8s.core.v1.ConfigMap(mapName, { metadata: metadata(mapName), data }, child).metadata.name;

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
    const secret = new k8s.core.v1.Secret(
      BACKUP_NAME,
      {
        metadata: metadata(BACKUP_NAME),
        type: "Opaque",
        stringData: Object.assign(
          {},
          ...repositories.map(({ name: repository, kind }, index) => {
            const number = index + 1;
            const isRemote = kind === "s3" || kind === "sftp";
            const written = pulumi
              .all([this.passphrase, pulumi.output(args.keys[repository] ?? {})])
              .apply(([passphrase, known]) => secretFiles(number, passphrase, known));
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
    const handover = scriptFiles(import.meta.url, "handover.sh", "pgbackrest-wal.sh");
    configMap(ARCHIVING_SCRIPTS_NAME, {
      ...handover,
      ...scriptFiles(import.meta.url, "restore-database.sh"),
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

    // A directory that is not there keeps the pods of the backups from starting, until the kubelet finds it, and no other
    // pod: the server mounts none of them. Made by the kubelet, it would be on the disk below a share that is not mounted.
    const directories = onNode(repositories).map(({ name: repository, path, mount, capacity }): PodVolume => {
      const { claimName } = new Volume(
        `${name}-${repository}-volume`,
        {
          use: repositoryDirectory(repository),
          part: "backup",
          hostPathType: "Directory",
          namespace,
          hostname: args.placement.hostname,
          path,
          mount,
          capacity,
          identity: args.identity,
          connection: args.connection,
          protect: args.protect,
          beforeClaim: args.beforeClaim,
        },
        { parent: this },
      );
      return {
        name: `repository-${repository}`,
        source: { persistentVolumeClaim: { claimName } },
        // A share that is mounted while the pod runs must not need another start of the pod.
        mounts: {
          [CONTAINER]: { path: `${REPOSITORIES_PATH}/${repository}`, propagation: "HostToContainer" },
        },
      };
    });
    const volumes: PodVolume[] = [
      {
        name: "data",
        source: { persistentVolumeClaim: { claimName: args.claimName } },
        mounts: { [CONTAINER]: { path: VOLUME_PATH } },
      },
      {
        name: "config",
        source: { configMap: { name: config, optional: true } },
        mounts: { [CONTAINER]: { path: BACKUP_CONFIG_PATH, readOnly: true } },
      },
      {
        name: "secrets",
        source: { secret: { secretName: secret.metadata.name, defaultMode: 0o440, optional: true } },
        mounts: { [CONTAINER]: { path: BACKUP_SECRETS_PATH, readOnly: true } },
      },
      {
        name: "scripts",
        source: { configMap: { name: scriptsName } },
        mounts: { [CONTAINER]: { path: SCRIPTS_PATH, readOnly: true } },
      },
      ...directories,
      inMemory("state", "1Mi", { [CONTAINER]: { path: "/run/backup" } }),
      inMemory("tmp", "16Mi", { [CONTAINER]: { path: "/tmp" } }),
    ];
    const env = [
      { name: "VOLUME", value: VOLUME_PATH },
      { name: "DATA_DIRECTORY", value: DATA_PATH },
      { name: "IDENTITY", value: args.identity },
      { name: "STANZA", value: STANZA },
      { name: "REPOSITORIES", value: listed(repositories) },
      { name: "PGBACKREST_CONFIG", value: `${BACKUP_CONFIG_PATH}/pgbackrest.conf` },
      { name: "PGBACKREST_CONFIG_INCLUDE_PATH", value: BACKUP_SECRETS_PATH },
    ];
    // Every request that takes longer gives signs of life; keep-running.sh ends a script that gives none.
    const alive = {
      exec: { command: ["bash", "-c", '[ -n "$(find /run/backup/heartbeat -mmin -3)" ]'] },
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 6,
    };
    const probed = {
      startupProbe: { ...alive, periodSeconds: 1, failureThreshold: 60 },
      livenessProbe: alive,
      readinessProbe: alive,
    };
    const container = {
      name: CONTAINER,
      image: args.image,
      ...restrictedContainer,
    };

    const labels = { ...labelsOf("backup"), app: BACKUP_NAME };
    new k8s.apps.v1.StatefulSet(
      BACKUP_NAME,
      {
        metadata: metadata(BACKUP_NAME),
        spec: {
          replicas: 1,
          serviceName: BACKUP_NAME,
          podManagementPolicy: "Parallel",
          selector: { matchLabels: { app: BACKUP_NAME } },
          template: {
            metadata: {
              labels,
              annotations: { [ANNOTATIONS.scripts]: checksum(JSON.stringify(scripts)) },
            },
            spec: {
              ...placed(args.placement),
              // What it is asked for is asked for again.
              terminationGracePeriodSeconds: 10,
              ...restrictedPod(),
              containers: [
                {
                  ...container,
                  command: keptRunning("agent.sh", "/run/backup/heartbeat"),
                  env,
                  ...probed,
                  resources: withLog({
                    requests: { cpu: "50m", memory: "64Mi" },
                    limits: { cpu: "2", memory: "384Mi" },
                  }),
                  volumeMounts: mountsIn(CONTAINER, volumes),
                },
              ],
              volumes: volumesOf(volumes),
            },
          },
        },
      },
      { ...child, customTimeouts: { create: "5m", update: "5m" } },
    );

    const backupContainer = (type: "full" | "incr") => ({
      ...container,
      command: stoppable("backup.sh"),
      env: [
        ...env,
        { name: "TYPE", value: type },
        { name: "WAIT", value: "600" },
        { name: "IMAGE", value: args.postgresImage },
      ],
      resources: withLog({ requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "2", memory: "384Mi" } }),
    });
    const scheduled = (
      kind: keyof typeof BACKUP_CRON_JOBS,
      containers: Pick<k8s.types.input.core.v1.PodSpec, "initContainers" | "containers">,
      podVolumes: readonly PodVolume[],
    ) =>
      new k8s.batch.v1.CronJob(
        BACKUP_CRON_JOBS[kind],
        {
          metadata: metadata(BACKUP_CRON_JOBS[kind]),
          spec: {
            // One that is not scheduled is there to be asked for, so it has some time of its own and never starts by it.
            schedule: args.schedules[kind] ?? "0 0 1 1 *",
            ...(args.schedules[kind] === undefined && { suspend: true }),
            timeZone: args.schedules.timeZone,
            concurrencyPolicy: "Forbid",
            // One that was missed while the machine was off is made up for, within a week.
            startingDeadlineSeconds: 604800,
            successfulJobsHistoryLimit: 1,
            failedJobsHistoryLimit: 3,
            jobTemplate: {
              spec: {
                backoffLimit: 0,
                activeDeadlineSeconds: args.timeout,
                template: {
                  metadata: { labels: labelsOf("backup") },
                  spec: {
                    restartPolicy: "Never",
                    terminationGracePeriodSeconds: 30,
                    ...placed(args.placement),
                    ...restrictedPod(),
                    ...containers,
                    volumes: volumesOf(podVolumes),
                  },
                },
              },
            },
          },
        },
        child,
      );
    for (const [kind, type] of [
      ["full", "full"],
      ["incremental", "incr"],
    ] as const) {
      const containers = [{ ...backupContainer(type), volumeMounts: mountsIn(CONTAINER, volumes) }];
      scheduled(kind, { containers }, volumes);
    }
    const drill = drillPod({
      scriptsName,
      image: args.image,
      postgresImage: args.postgresImage,
      repositories: listed(repositories),
      database: args.database,
      owner: args.owner,
      drillFree: args.drillFree,
      verify: args.verify,
      env,
      volumes,
      as: CONTAINER,
    });
    const withMounts = (part: NamedContainer, from: readonly PodVolume[]) => ({
      ...part,
      volumeMounts: mountsIn(part.name, from),
    });
    scheduled(
      "drill",
      {
        initContainers: [withMounts(drill.agent, drill.volumes)],
        containers: [withMounts(drill.drill, drill.volumes)],
      },
      drill.volumes,
    );
    const dump = dumpPod({
      scriptsName,
      image: args.dumpImage,
      postgresImage: args.postgresImage,
      repositories,
      listed: listed(repositories),
      identity: args.identity,
      database: args.database,
      owner: args.owner,
      keep: args.keepDumps,
      timeout: args.timeout,
      volumes,
      as: CONTAINER,
    });
    scheduled(
      "dump",
      {
        initContainers: [withMounts(dump.transfer, dump.volumes)],
        containers: [withMounts(dump.dump, dump.volumes)],
      },
      dump.volumes,
    );

    this.run = {
      // What was backed up is restored: the first proof.
      containers: [backupContainer("incr"), drill.agent, drill.drill],
      volumes: drill.volumes,
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
