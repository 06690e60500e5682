/** When a restore drill last proved that the backups can be restored, by its Jobs. */
import type { Read } from "./api-proxy.ts";
import { BACKUP_CRON_JOBS, FIRST_BACKUP_JOB } from "../components/kubernetes/names.ts";

/** The parts of the drills' CronJob that are read. */
interface CronJobObject {
  status?: { lastSuccessfulTime?: string };
}

/** The parts of the first backup's Job, which ends with a drill. */
interface JobObject {
  status?: { completionTime?: string };
}

/** The later of the two, in UTC as Kubernetes writes it; undefined if there was none. */
export function lastProvenRestore(
  drills: CronJobObject | undefined,
  first: JobObject | undefined,
): string | undefined {
  // Of one length and in one zone: the order of the texts is that of the times. Only a Job that has succeeded has a
  // time of its completion.
  return [drills?.status?.lastSuccessfulTime, first?.status?.completionTime]
    .filter((time) => time !== undefined)
    .sort()
    .at(-1);
}

/** Asks the cluster. */
export async function lookForProvenRestore(read: Read, namespace: string): Promise<string | undefined> {
  const path = `/apis/batch/v1/namespaces/${namespace}`;
  const [drills, first] = await Promise.all([
    read<CronJobObject>(`${path}/cronjobs/${BACKUP_CRON_JOBS.drill}`),
    read<JobObject>(`${path}/jobs/${FIRST_BACKUP_JOB}`),
  ]);
  return lastProvenRestore(drills, first);
}
