/** The agent of the backups, in a pod of its own; and what every pod that runs pgBackRest has. */
import type * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";
import { BACKUP_CONTAINER, BACKUP_NAME } from "../kubernetes/names.ts";
import { inMemory, mountsIn, type PodVolume, restrictedContainer, withLog } from "../kubernetes/pods.ts";
import { lonePod } from "../kubernetes/lone-pod.ts";
import { recentProbe, watchedProbe } from "../kubernetes/probes.ts";
import { keptRunning, SCRIPTS_PATH } from "../kubernetes/scripts.ts";
import { Volume } from "../storage/volume.ts";
import { DATA_PATH, VOLUME_PATH } from "../../postgres/places.ts";
import { type BackupArgs, listed } from "./backup-args.ts";
import { repositoryDirectory } from "./directory.ts";
import type { BackupFiles } from "./files.ts";
import {
  BACKUP_CONFIG_PATH,
  BACKUP_SECRETS_PATH,
  REPOSITORIES_PATH,
  type RepositoryArgs,
  STANZA,
} from "./pgbackrest-conf.ts";

/** The repositories that have a directory on the node. */
export function onNode(repositories: readonly RepositoryArgs[]) {
  return repositories.filter((repository) => repository.kind === "directory");
}

/** Volumes of the directories, each with its claim. */
function directories(name: string, args: BackupArgs, parent: pulumi.Resource): PodVolume[] {
  // A directory that is not there keeps the pods of the backups from starting, until the kubelet finds it, and no other
  // pod: the server mounts none of them. Made by the kubelet, it would be on the disk below a share that is not mounted.
  return onNode(args.repositories).map(({ name: repository, path, mount, capacity }): PodVolume => {
    const { claimName } = new Volume(
      `${name}-${repository}-volume`,
      {
        use: repositoryDirectory(repository),
        part: "backup",
        hostPathType: "Directory",
        namespace: args.namespace,
        hostname: args.placement.hostname,
        path,
        mount,
        capacity,
        identity: args.identity,
        connection: args.connection,
        protect: args.protect,
        beforeClaim: args.beforeClaim,
      },
      { parent },
    );
    return {
      name: `repository-${repository}`,
      source: { persistentVolumeClaim: { claimName } },
      // A share that is mounted while the pod runs must not need another start of the pod.
      mounts: {
        [BACKUP_CONTAINER]: { path: `${REPOSITORIES_PATH}/${repository}`, propagation: "HostToContainer" },
      },
    };
  });
}

/** Volumes of a pod that runs pgBackRest, and the claims on directories; {@link BACKUP_CONTAINER} mounts them. */
export function backupVolumes(
  name: string,
  args: BackupArgs,
  files: BackupFiles,
  parent: pulumi.Resource,
): PodVolume[] {
  return [
    {
      name: "data",
      source: { persistentVolumeClaim: { claimName: args.claimName } },
      mounts: { [BACKUP_CONTAINER]: { path: VOLUME_PATH } },
    },
    {
      name: "config",
      source: { configMap: { name: files.config, optional: true } },
      mounts: { [BACKUP_CONTAINER]: { path: BACKUP_CONFIG_PATH, readOnly: true } },
    },
    {
      name: "secrets",
      source: { secret: { secretName: files.secret, defaultMode: 0o440, optional: true } },
      mounts: { [BACKUP_CONTAINER]: { path: BACKUP_SECRETS_PATH, readOnly: true } },
    },
    {
      name: "scripts",
      source: { configMap: { name: files.scriptsName } },
      mounts: { [BACKUP_CONTAINER]: { path: SCRIPTS_PATH, readOnly: true } },
    },
    ...directories(name, args, parent),
    inMemory("state", "1Mi", { [BACKUP_CONTAINER]: { path: "/run/backup" } }),
    inMemory("tmp", "16Mi", { [BACKUP_CONTAINER]: { path: "/tmp" } }),
  ];
}

/** Environment of what runs pgBackRest: see scripts/repositories.sh. */
export function backupEnvironment(args: BackupArgs): { name: string; value: string }[] {
  return [
    { name: "VOLUME", value: VOLUME_PATH },
    { name: "DATA_DIRECTORY", value: DATA_PATH },
    { name: "IDENTITY", value: args.identity },
    { name: "STANZA", value: STANZA },
    { name: "REPOSITORIES", value: listed(args.repositories) },
    { name: "PGBACKREST_CONFIG", value: `${BACKUP_CONFIG_PATH}/pgbackrest.conf` },
    { name: "PGBACKREST_CONFIG_INCLUDE_PATH", value: BACKUP_SECRETS_PATH },
  ];
}

/** The container that runs pgBackRest, without its command. */
export const backupContainer = (args: BackupArgs) => ({
  name: BACKUP_CONTAINER,
  image: args.image,
  ...restrictedContainer,
});

/** Creates the agent. */
export function backupAgent(
  args: BackupArgs,
  { scripts }: BackupFiles,
  volumes: readonly PodVolume[],
  child: pulumi.CustomResourceOptions,
): void {
  // Every request that takes longer gives signs of life; keep-running.sh restarts a script that gives none.
  const alive = recentProbe("bash", "/run/backup/heartbeat", 3);
  const probed = {
    startupProbe: { ...alive, periodSeconds: 1, failureThreshold: 60 },
    livenessProbe: watchedProbe("/run/backup/heartbeat"),
    readinessProbe: alive,
  };
  lonePod(
    BACKUP_NAME,
    {
      namespace: args.namespace,
      labels: labelsOf("backup"),
      placement: args.placement,
      scripts,
      containers: [
        {
          ...backupContainer(args),
          command: keptRunning("agent.sh", "/run/backup/heartbeat"),
          env: backupEnvironment(args),
          ...probed,
          resources: withLog({
            requests: { cpu: "50m", memory: "64Mi" },
            limits: { cpu: "2", memory: "384Mi" },
          }),
          volumeMounts: mountsIn(BACKUP_CONTAINER, volumes),
        },
      ],
      volumes,
    },
    child,
    { customTimeouts: { create: "5m", update: "5m" } },
  );
}
