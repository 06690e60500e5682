/** A copy of the database as it was at a moment, next to the running server: to bring back rows and leave the rest alone. */
import {
  type ClusterContext,
  contextFlags,
  kubectl,
  KubectlError,
  kubectlEnvironment,
  read,
} from "../../cluster/kubectl.ts";
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import {
  BACKUP_CRON_JOBS,
  COPY_JOB,
  DRILL_CONTAINER,
  SERVER_POD,
} from "../../components/kubernetes/names.ts";
import { backup } from "../../config/backup.ts";
import { shellWord } from "../../shell-words.ts";
import { UsageError } from "../cli.ts";
import { attempt } from "../processes.ts";
import { jobWithPods, waitsFor } from "./run.ts";
import { type JobObject, wordsOf } from "./status.ts";

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface EnvironmentVariable {
  name: string;
  value?: string;
}

/** The parts of a CronJob that a Job is made from. */
export interface CronJobObject {
  spec: {
    jobTemplate: {
      spec: {
        template: { spec: { containers: { name: string; env?: EnvironmentVariable[] }[] } };
      } & Record<string, unknown>;
    };
  };
}

/**
 * The moment of a copy.
 *
 * @throws UsageError if it is not a time with its zone
 */
export function copyTime(written: string | undefined): string {
  const read = backup.restoreTime.parse(written);
  if (written !== undefined && "value" in read) return read.value;
  throw new UsageError(
    `copy: the moment is ${written === undefined ? "missing" : `"${written}"`}. Allowed: ${"allowed" in read ? read.allowed : "a time"}`,
  );
}

/**
 * The Job that holds a copy: that of a drill, which is not done. It has no owner, so it does not count as a proof.
 *
 * @param repository its name. @default the first
 */
export function copyJob({ spec }: CronJobObject, time: string, repository: string | undefined): object {
  const job = structuredClone(spec.jobTemplate.spec);
  for (const container of job.template.spec.containers) {
    if (container.name !== DRILL_CONTAINER) continue;
    container.env = [
      ...(container.env ?? []),
      { name: "COPY_TIME", value: time },
      ...(repository === undefined ? [] : [{ name: "COPY_REPOSITORY", value: repository }]),
    ];
  }
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: COPY_JOB, namespace: APPLICATION },
    spec: { ...job, ttlSecondsAfterFinished: 3600 },
  };
}

const command = (cluster: ClusterContext, ...args: string[]) =>
  ["kubectl", ...contextFlags(cluster), ...args].map(shellWord).join(" ");

/** The database of a copy, and its owner. */
export interface CopiedDatabase {
  owner: string;
  database: string;
}

/** What can be done with the copy. */
export function copyLines(
  cluster: ClusterContext,
  stack: string,
  { owner, database }: CopiedDatabase,
): string[] {
  const inCopy = (...args: string[]) =>
    command(
      cluster,
      "exec",
      "-i",
      "-n",
      APPLICATION,
      `job/${COPY_JOB}`,
      "-c",
      DRILL_CONTAINER,
      "--",
      ...args,
    );
  const at = ["-h", "/tmp", "-U", owner, "-d", database];
  const live = command(cluster, "exec", "-i", "-n", APPLICATION, SERVER_POD, "--");
  return [
    "look into it:",
    `  ${inCopy("psql", ...at)}`,
    "bring back all rows of a table, here recordings, which must be empty or not exist:",
    `  ${inCopy("pg_dump", ...at, "--table", "recordings")} | ${live} psql -U ${owner} -d ${database}`,
    "bring back some rows of a table that has others:",
    `  ${inCopy("psql", ...at, "-c", "copy (select * from recordings where id in (1, 2)) to stdout")} | ${live} psql -U ${owner} -d ${database} -c 'copy recordings from stdin'`,
    "remove it; until then, no drill is made:",
    `  npm run backup -- --stack ${shellWord(stack)} copy end`,
  ];
}

function databaseOf({ spec }: CronJobObject): CopiedDatabase {
  const { containers } = spec.jobTemplate.spec.template.spec;
  const env = containers.find(({ name }) => name === DRILL_CONTAINER)?.env ?? [];
  const of = (name: string) => env.find((variable) => variable.name === name)?.value ?? "";
  return { owner: of("OWNER"), database: of("DATABASE") };
}

const hasEnded = ({ status }: JobObject) =>
  (status?.conditions ?? []).some(
    (condition) => condition.type !== "Suspended" && condition.status === "True",
  );

/**
 * Has the copy made, and prints how far it is until it can be read.
 *
 * @returns what is in it; undefined: it could not be made
 * @throws UsageError if there is one already
 * @throws KubectlError if the cluster does not answer, or there are no backups
 */
export async function makeCopy(
  cluster: ClusterContext,
  time: string,
  repository: string | undefined,
): Promise<CopiedDatabase | undefined> {
  const cronJob = await read<CronJobObject>(
    cluster,
    `/apis/batch/v1/namespaces/${APPLICATION}/cronjobs/${BACKUP_CRON_JOBS.drill}`,
  );
  if (!cronJob)
    throw new KubectlError(`there is no CronJob ${BACKUP_CRON_JOBS.drill}: the stack has no backups`, true);
  if ((await jobWithPods(cluster, COPY_JOB)).job)
    throw new UsageError(
      `copy: there is one already. To remove it: npm run backup -- --stack <name> copy end`,
    );
  const created = await attempt("kubectl", [...contextFlags(cluster), "create", "-f", "-"], {
    input: JSON.stringify(copyJob(cronJob, time, repository)),
    env: kubectlEnvironment(cluster),
  });
  if (!created.ok) throw new KubectlError(created.errors.trim(), true);
  console.error(`Job ${COPY_JOB} was created; it runs on when this command is interrupted`);
  let printed = 0;
  let said = "";
  while (true) {
    const { job, pods } = await jobWithPods(cluster, COPY_JOB);
    if (!job) throw new Error(`Job ${COPY_JOB} was deleted`);
    const log = await attempt(
      "kubectl",
      [...contextFlags(cluster), "logs", "-n", APPLICATION, `job/${COPY_JOB}`, "-c", DRILL_CONTAINER],
      { env: kubectlEnvironment(cluster) },
    );
    const lines = log.ok ? log.output.split("\n").slice(0, -1) : [];
    for (const line of lines.slice(printed)) console.log(line);
    printed = Math.max(printed, lines.length);
    if (lines.some((line) => line.startsWith("drill: READY:"))) return databaseOf(cronJob);
    // Of a failed Job it may be the other container that says why.
    if (hasEnded(job)) {
      if (lines.length === 0) console.log(wordsOf(pods.at(-1)));
      return undefined;
    }
    const waiting = lines.length > 0 ? "" : waitsFor(pods.at(-1));
    if (waiting !== said && waiting !== "") console.error(`waiting: ${waiting}`);
    said = waiting;
    await pause(1000);
  }
}

/** Removes the copy, and its Job. */
export async function endCopy(cluster: ClusterContext): Promise<void> {
  const inCopy = ["-n", APPLICATION, `job/${COPY_JOB}`, "-c", DRILL_CONTAINER];
  // One that is not ready yet, or has ended, cannot be told; what it leaves, the next drill removes.
  await attempt("kubectl", [...contextFlags(cluster), "exec", ...inCopy, "--", "touch", "/tmp/end"], {
    env: kubectlEnvironment(cluster),
    timeout: 15_000,
  });
  await attempt(
    "kubectl",
    [
      ...contextFlags(cluster),
      "wait",
      "-n",
      APPLICATION,
      `job/${COPY_JOB}`,
      "--for=condition=complete",
      "--timeout=30s",
    ],
    { env: kubectlEnvironment(cluster) },
  );
  await kubectl(cluster, ["delete", "job", COPY_JOB, "-n", APPLICATION, "--ignore-not-found"], 60_000);
}
