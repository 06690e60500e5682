/** Runs a CronJob's Job now, and follows it to its end. */
import {
  type ClusterContext,
  contextFlags,
  kubectl,
  kubectlEnvironment,
  read,
} from "../../cluster/kubectl.ts";
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import {
  BACKUP_CONTAINER,
  BACKUP_CRON_JOBS,
  DRILL_CONTAINER,
  DUMP_CONTAINER,
} from "../../components/kubernetes/names.ts";
import { attempt } from "../processes.ts";
import { type JobObject, type JobPodObject, runReports, wordsOf } from "./status.ts";

const SECOND = 1000;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The container whose log says how it goes. */
const FOLLOWED = {
  full: BACKUP_CONTAINER,
  incremental: BACKUP_CONTAINER,
  drill: DRILL_CONTAINER,
  dump: DUMP_CONTAINER,
} as const satisfies Record<keyof typeof BACKUP_CRON_JOBS, string>;

/** A Job, if it exists, and its pods. */
export async function jobWithPods(
  cluster: ClusterContext,
  name: string,
): Promise<{ job: JobObject | undefined; pods: JobPodObject[] }> {
  const [job, pods] = await Promise.all([
    read<JobObject>(cluster, `/apis/batch/v1/namespaces/${APPLICATION}/jobs/${name}`),
    read<{ items: JobPodObject[] }>(
      cluster,
      `/api/v1/namespaces/${APPLICATION}/pods?labelSelector=job-name%3D${name}`,
    ),
  ]);
  return { job, pods: pods?.items ?? [] };
}

/** What a pod waits for before its container runs, in words; empty: nothing. */
export function waitsFor(pod: JobPodObject | undefined): string {
  const words = wordsOf(pod);
  return words.startsWith("container ") ? "" : words;
}

/** The name of a Job that somebody asked for: its CronJob's, and the time. */
export function jobName(cronJob: string, now: number): string {
  return `${cronJob}-${Math.floor(now / 1000).toString(36)}`;
}

/**
 * Creates the Job of a CronJob, prints its log as it comes, and waits for its end.
 *
 * @returns whether it was successful
 * @throws KubectlError if the cluster does not answer, or there is no such CronJob
 */
export async function runNow(cluster: ClusterContext, kind: keyof typeof BACKUP_CRON_JOBS): Promise<boolean> {
  const cronJob = BACKUP_CRON_JOBS[kind];
  const name = jobName(cronJob, Date.now());
  const container = FOLLOWED[kind];
  await kubectl(cluster, ["create", "job", name, "-n", APPLICATION, `--from=cronjob/${cronJob}`]);
  console.error(`Job ${name} was created; it runs on when this command is interrupted`);
  let followed = false;
  let said = "";
  while (true) {
    const { job, pods } = await jobWithPods(cluster, name);
    const pod = pods.at(-1);
    const state = pod?.status?.containerStatuses?.find((status) => status.name === container)?.state;
    if (!followed && (state?.running ?? state?.terminated)) {
      followed = true;
      await attempt(
        "kubectl",
        [...contextFlags(cluster), "logs", "-f", "-n", APPLICATION, `job/${name}`, "-c", container],
        { show: true, env: kubectlEnvironment(cluster) },
      );
      continue;
    }
    if (!job) throw new Error(`Job ${name} was deleted`);
    const [run] = runReports([job], pods);
    if (run && run.state !== "running") {
      // The log may have ended before the Job, such as at its deadline.
      if (run.state === "failed" && !followed) console.log(run.words);
      return run.state === "complete";
    }
    const waiting = followed ? "" : waitsFor(pod);
    if (waiting !== said && waiting !== "") console.error(`waiting: ${waiting}`);
    said = waiting;
    await pause(SECOND / 2);
  }
}
