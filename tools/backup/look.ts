/** Asks the cluster, the backup agent and the server what there is of backups. */
import { type Read, withProxy } from "../../cluster/api-proxy.ts";
import { type ClusterContext, kubectl, parsedAnswer } from "../../cluster/kubectl.ts";
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import { BACKUP_CONTAINER, BACKUP_NAME } from "../../components/kubernetes/names.ts";
import { asSuperuser, sqlFile } from "./database.ts";
import type { Found, Information, JobObject, JobPodObject, ServerReport } from "./status.ts";

/** Milliseconds for pgBackRest, which asks every store. */
const PATIENCE = 120_000;

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

const NOTHING: Information = { backup: [], repo: [] };

/** API path of what there is of a kind in the namespace. */
export const namespaced = (group: string, what: string) => `/${group}/namespaces/${APPLICATION}/${what}`;

/**
 * Asks pgBackRest in the agent's pod.
 *
 * @param patience milliseconds
 * @returns the reason if it cannot be asked
 */
export async function information(
  cluster: ClusterContext,
  patience = PATIENCE,
): Promise<Information | Error> {
  const command =
    "pgbackrest --stanza=$STANZA --log-level-console=off --log-level-stderr=error --output=json info";
  try {
    const answer = await kubectl(
      cluster,
      [
        ...["--request-timeout=0", "exec", "-n", APPLICATION, `${BACKUP_NAME}-0`, "-c", BACKUP_CONTAINER],
        ...["--", "bash", "-c", command],
      ],
      patience,
    );
    return parsedAnswer<Information[]>(answer)[0] ?? NOTHING;
  } catch (error) {
    return new Error(`pgBackRest cannot be asked: ${asError(error).message}`);
  }
}

/** The agent's StatefulSet, as far as it names the repositories. */
interface Agent {
  spec: {
    template: { spec: { containers: { name: string; env?: { name: string; value?: string }[] }[] } };
  };
}

/** What the cluster knows of backups. */
export interface BackupObjects<Pod extends JobPodObject = JobPodObject> {
  /** `1:cloud:s3 2:nas:directory`; undefined if there are no backups. */
  repositories: string | undefined;
  jobs: JobObject[];
  pods: Pod[];
}

/**
 * Reads the objects of backups, and all pods of the namespace.
 *
 * @throws KubectlError if the cluster does not answer
 */
export async function backupObjects<Pod extends JobPodObject>(read: Read): Promise<BackupObjects<Pod>> {
  const [agent, jobs, pods] = await Promise.all([
    read<Agent>(namespaced("apis/apps/v1", `statefulsets/${BACKUP_NAME}`)),
    read<{ items: JobObject[] }>(namespaced("apis/batch/v1", "jobs")),
    read<{ items: Pod[] }>(namespaced("api/v1", "pods")),
  ]);
  const env = agent?.spec.template.spec.containers.find(({ name }) => name === BACKUP_CONTAINER)?.env ?? [];
  return {
    repositories: agent && (env.find(({ name }) => name === "REPOSITORIES")?.value ?? ""),
    jobs: jobs?.items ?? [],
    pods: pods?.items ?? [],
  };
}

/**
 * Asks everything. What does not answer is in the result.
 *
 * @throws KubectlError if the cluster does not answer
 */
export async function look(cluster: ClusterContext): Promise<Found> {
  const { repositories, ...objects } = await withProxy(cluster, (read) => backupObjects(read));
  const [informed, server] = await Promise.all([
    repositories === undefined ? NOTHING : information(cluster),
    asSuperuser(cluster, sqlFile("status.sql")).then((text) => parsedAnswer<ServerReport>(text), asError),
  ]);
  return { repositories: repositories ?? "", information: informed, server, ...objects };
}
