/** The component of the first backup in each repository. */
import * as pulumi from "@pulumi/pulumi";
import { FIRST_BACKUP_JOB } from "../kubernetes/names.ts";
import { oneRunJob } from "../kubernetes/one-run-job.ts";
import type { Placement } from "../kubernetes/pods.ts";
import type { BackupRun } from "./backup.ts";

/** Arguments of {@link FirstBackup}. */
export interface FirstBackupArgs {
  namespace: pulumi.Input<string>;
  placement: Placement;
  run: BackupRun;
  /** Seconds that it has. */
  timeout: number;
  /** What must exist before: there is nothing worth a backup earlier. */
  after: pulumi.Resource;
  /** Runs before the Job is created, because an existing one is immutable. @default nothing */
  beforeJob?: pulumi.ResourceHook | undefined;
}

/**
 * Backs up a new stack, or into a new repository, in the background: a deployment does not wait for a copy of the whole
 * database. An incremental backup, which is a full one where a repository has none.
 */
export class FirstBackup extends pulumi.ComponentResource {
  constructor(name: string, args: FirstBackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:FirstBackup", name, {}, opts);
    const { run, after, beforeJob, ...rest } = args;
    oneRunJob(
      FIRST_BACKUP_JOB,
      {
        ...rest,
        part: "backup",
        before: beforeJob,
        containers: run.containers,
        volumes: run.volumes,
        reasons: run.reasons,
        background: true,
      },
      { parent: this, dependsOn: [after] },
    );
    this.registerOutputs();
  }
}
