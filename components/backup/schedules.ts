/** What is made on schedules: base backups, restore drills and logical dumps. */
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";
import { BACKUP_CONTAINER as CONTAINER, BACKUP_CRON_JOBS } from "../kubernetes/names.ts";
import type { OneRunJobArgs } from "../kubernetes/one-run-job.ts";
import { mountsIn, placed, type PodVolume, restrictedPod, volumesOf, withLog } from "../kubernetes/pods.ts";
import { stoppable } from "../kubernetes/scripts.ts";
import type { NamedContainer } from "../server/extension.ts";
import { backupContainer as container, backupEnvironment } from "./agent.ts";
import { type BackupArgs, listed, metadataOf } from "./backup-args.ts";
import { drillPod } from "./drill.ts";
import { dumpPod } from "./dump.ts";
import type { BackupFiles } from "./files.ts";

/** A backup and the drill that restores it: what was backed up is restored, the first proof. */
export interface FirstRun {
  /** In their order. */
  containers: OneRunJobArgs["containers"];
  volumes: readonly PodVolume[];
}

/**
 * Creates the CronJobs.
 *
 * @param volumes of a pod that runs pgBackRest
 */
export function backupSchedules(
  args: BackupArgs,
  { scriptsName }: BackupFiles,
  volumes: readonly PodVolume[],
  child: pulumi.CustomResourceOptions,
): FirstRun {
  const { repositories } = args;
  const env = backupEnvironment(args);
  const backupContainer = (type: "full" | "incr") => ({
    ...container(args),
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
        metadata: metadataOf(args, BACKUP_CRON_JOBS[kind]),
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

  return { containers: [backupContainer("incr"), drill.agent, drill.drill], volumes: drill.volumes };
}
