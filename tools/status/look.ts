/** Asks the cluster, the server's node, the database, its owner's jobs and the repositories, all at once. */
import { readFileSync } from "node:fs";
import { type Read, withProxy } from "../../cluster/api-proxy.ts";
import { type ClusterContext, contextFlags, kubectlEnvironment } from "../../cluster/kubectl.ts";
import type { PodObject } from "../../cluster/pod-troubles.ts";
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import {
  EXPORTER_NAME,
  NOTIFIER_NAME,
  PROMETHEUS_NAME,
  RECONCILER_CONTAINER,
  SERVER_CONTAINER,
  SERVER_NAME,
  SERVER_POD,
} from "../../components/kubernetes/names.ts";
import type { Figure } from "../../components/monitoring/rules.ts";
import { asSuperuser, sqlFile } from "../backup/database.ts";
import { type BackupObjects, backupObjects, information, namespaced } from "../backup/look.ts";
import type { Information, JobPodObject, ServerReport } from "../backup/status.ts";
import { projectFile } from "../cli.ts";
import { attempt } from "../processes.ts";
import { deployedLogin } from "../dev/smoke-test.ts";

/** Milliseconds after which nothing is waited for. */
const PATIENCE = 9_500;

/** A pod of the namespace. */
export type StatusPod = PodObject & JobPodObject;

/** What the cluster knows. */
export interface ClusterLook extends BackupObjects<StatusPod> {
  /** Whether there is a server's StatefulSet. */
  isDeployed: boolean;
  /** Whether there is somebody who tells people what is wrong. */
  isNotified: boolean;
  /** The StatefulSets that collect metrics. */
  collectors: readonly string[];
}

/** What the server's node knows. */
export interface NodeLook {
  figures: Figure[];
  /** What was said of a figure, such as why a configuration was refused, by its name. */
  reasons: Readonly<Record<string, string>>;
}

/** What the database knows. */
export interface DatabaseLook {
  version: string;
  figures: Figure[];
  backups: ServerReport;
}

/** Everything that was asked. A part that did not answer is the reason. */
export interface Look {
  /** When it was asked, ISO 8601, by this machine's clock. */
  at: string;
  cluster: ClusterLook | Error;
  node: NodeLook | Error;
  database: DatabaseLook | Error;
  /** Of the jobs' queue; no figures if there is no such table. */
  jobs: Figure[] | Error;
  repositories: Information | Error;
}

/** Milliseconds that are left of it. */
type Left = () => number;

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

/** A command in a container of the server's pod. */
async function inServerPod(
  cluster: ClusterContext,
  container: string,
  command: readonly string[],
  input: string,
  left: Left,
): Promise<string> {
  const { ok, output, errors } = await attempt(
    "kubectl",
    [
      ...contextFlags(cluster),
      ...["exec", "-i", "-n", APPLICATION, SERVER_POD, "-c", container, "--", ...command],
    ],
    { input, env: kubectlEnvironment(cluster), timeout: left() },
  );
  if (ok) return output;
  // The command's own words, and not kubectl's after them.
  const lines = errors
    .replace(/\n?command terminated with exit code \d+\s*$/, "")
    .trim()
    .split("\n");
  throw new Error(lines.at(-1) || `no answer within ${PATIENCE / 1000} s`);
}

/** What was said about some figures, behind their names. */
const REASONS = [
  ["configuration_refused", "/run/reconcile/refused-configuration"],
  ["settings_refused", "/run/reconcile/refused-settings"],
  ["credentials_refused", "/run/reconcile/refused-credentials"],
  ["credentials_refused", "/run/reconcile/refused-logins"],
  ["certificate_refused", "/run/tls/problem"],
]
  .map(
    ([name, file]) =>
      `[ ! -s ${file} ] || printf 'reason\\t%s\\t%s\\n' ${name} "$(tr -s '\\n\\t' '  ' <${file})"`,
  )
  .join("\n");

/** Reads what a script of the node printed. */
export function nodeLookIn(answer: string): NodeLook {
  const fields = answer.split("\n").map((line) => line.split("\t"));
  return {
    figures: figuresIn(fields.filter(([first, ...rest]) => first !== "reason" && rest.length === 2)),
    reasons: Object.fromEntries(
      fields.flatMap(([first, name, text]) =>
        first === "reason" && name !== undefined && text !== undefined ? [[name, text.trim()]] : [],
      ),
    ),
  };
}

/** Figures of lines of three fields. */
function figuresIn(lines: readonly string[][]): Figure[] {
  return lines.flatMap(([name = "", label = "", value = ""]) =>
    value !== "" && Number.isFinite(Number(value)) ? [{ name, label, value: Number(value) }] : [],
  );
}

async function lookAtNode(cluster: ClusterContext, left: Left): Promise<NodeLook> {
  const script = readFileSync(projectFile("components/server/scripts/node-figures.sh"), "utf8");
  const ask = (container: string) =>
    inServerPod(cluster, container, ["bash", "-s"], `${script}\n${REASONS}\n`, left);
  // The reconciler runs on while the server's container is being started again; that of an earlier version has no disk.
  return nodeLookIn(await ask(SERVER_CONTAINER).catch(() => ask(RECONCILER_CONTAINER)));
}

/** What the superuser's session is asked; it prints a JSON value a line. */
export const databaseQuestion = () =>
  [
    readFileSync(projectFile("components/server/scripts/figures-now.sql"), "utf8"),
    "SELECT jsonb_build_object('version', split_part(current_setting('server_version'), ' ', 1), 'figures', :'figures'::json);",
    sqlFile("status.sql"),
  ].join("\n");

async function lookAtDatabase(cluster: ClusterContext): Promise<DatabaseLook> {
  return databaseLookIn(await asSuperuser(cluster, databaseQuestion(), {}, PATIENCE));
}

/**
 * Reads what the superuser's session printed.
 *
 * @throws with the begin of the answer if it is something else
 */
export function databaseLookIn(answer: string): DatabaseLook {
  const [own = "", backups = "", ...rest] = answer.split("\n");
  try {
    if (rest.length > 0) throw new Error("more than two lines");
    const { version, figures } = JSON.parse(own) as Omit<DatabaseLook, "backups">;
    return { version, figures, backups: JSON.parse(backups) as ServerReport };
  } catch {
    throw new Error(`not two lines of JSON: ${answer.slice(0, 200)}`);
  }
}

/** The queue by kind, as the owner: a superuser's session runs nothing of the owner's. */
const JOBS = `\\set ON_ERROR_STOP on
SET statement_timeout = '8s';
SELECT to_regclass('public.job_counts') IS NOT NULL AS queues
\\gset
\\if :queues
SELECT 'jobs_' || status, kind, jobs FROM public.job_counts WHERE status IN ('queued', 'running', 'dead');
SELECT 'jobs_waiting_seconds', kind, greatest(0, extract(epoch FROM now() - oldest_run_at))
  FROM public.job_counts WHERE status = 'queued';
SELECT 'jobs_queued', '', 0 WHERE NOT EXISTS (SELECT FROM public.job_counts WHERE status = 'queued');
\\endif
`;

async function lookAtJobs(cluster: ClusterContext, left: Left): Promise<Figure[]> {
  const { owner, database } = await deployedLogin(cluster, left());
  const psql = ["psql", "-X", "-q", "-w", "-At", "-F", "\t", "-U", owner, "-d", database, "-f", "-"];
  const answer = await inServerPod(cluster, SERVER_CONTAINER, psql, JOBS, left);
  return figuresIn(answer.split("\n").map((line) => line.split("\t")));
}

/** The StatefulSets that collect metrics. */
const COLLECTORS = [EXPORTER_NAME, PROMETHEUS_NAME];

async function lookAtCluster(cluster: ClusterContext): Promise<ClusterLook> {
  const reads = async (read: Read): Promise<ClusterLook> => {
    const statefulSet = (name: string) => read(namespaced("apis/apps/v1", `statefulsets/${name}`));
    const [objects, server, notifier, ...collectors] = await Promise.all([
      backupObjects<StatusPod>(read),
      ...[SERVER_NAME, NOTIFIER_NAME, ...COLLECTORS].map(statefulSet),
    ]);
    return {
      ...objects,
      isDeployed: server !== undefined,
      isNotified: notifier !== undefined,
      collectors: COLLECTORS.filter((_, index) => collectors[index] !== undefined),
    };
  };
  return withProxy(cluster, reads, PATIENCE);
}

/** Asks everything, ten seconds at most. */
export async function look(cluster: ClusterContext): Promise<Look> {
  const orReason = <T>(asked: Promise<T>) => asked.catch(asError);
  const end = performance.now() + PATIENCE;
  const left = () => Math.max(1, Math.ceil(end - performance.now()));
  const [objects, node, database, jobs, repositories] = await Promise.all([
    orReason(lookAtCluster(cluster)),
    orReason(lookAtNode(cluster, left)),
    orReason(lookAtDatabase(cluster)),
    orReason(lookAtJobs(cluster, left)),
    information(cluster, PATIENCE),
  ]);
  return { at: new Date().toISOString(), cluster: objects, node, database, jobs, repositories };
}
