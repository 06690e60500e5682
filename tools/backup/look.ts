/** Asks the cluster, the backup agent and the server what there is of backups. */
import { type ClusterContext, kubectl, parsedAnswer, read } from "../../cluster/kubectl.ts";
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import { BACKUP_CONTAINER, BACKUP_NAME } from "../../components/kubernetes/names.ts";
import { asSuperuser, sqlFile } from "./database.ts";
import type { Found, Information, JobObject, JobPodObject, ServerReport } from "./status.ts";

/** Milliseconds for pgBackRest, which asks every store. */
const PATIENCE = 120_000;

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

const NOTHING: Information = { backup: [], repo: [] };

async function information(cluster: ClusterContext): Promise<Information> {
  const command =
    "pgbackrest --stanza=$STANZA --log-level-console=off --log-level-stderr=error --output=json info";
  const answer = await kubectl(
    cluster,
    [
      ...["--request-timeout=0", "exec", "-n", APPLICATION, `${BACKUP_NAME}-0`, "-c", BACKUP_CONTAINER],
      ...["--", "bash", "-c", command],
    ],
    PATIENCE,
  );
  return parsedAnswer<Information[]>(answer)[0] ?? NOTHING;
}

/** The agent's StatefulSet, as far as it names the repositories. */
interface Agent {
  spec: {
    template: { spec: { containers: { name: string; env?: { name: string; value?: string }[] }[] } };
  };
}

/**
 * Asks everything. What does not answer is in the result.
 *
 * @throws KubectlError if the cluster does not answer
 */
export async function look(cluster: ClusterContext): Promise<Found> {
  const namespaced = (group: string, what: string) => `/${group}/namespaces/${APPLICATION}/${what}`;
  const agent = await read<Agent>(cluster, namespaced("apis/apps/v1", `statefulsets/${BACKUP_NAME}`));
  const [jobs, pods, informed, server] = await Promise.all([
    read<{ items: JobObject[] }>(cluster, namespaced("apis/batch/v1", "jobs")),
    read<{ items: JobPodObject[] }>(cluster, namespaced("api/v1", "pods")),
    agent
      ? information(cluster).catch(
          (error: unknown) => new Error(`pgBackRest cannot be asked: ${asError(error).message}`),
        )
      : NOTHING,
    asSuperuser(cluster, sqlFile("status.sql")).then((text) => parsedAnswer<ServerReport>(text), asError),
  ]);
  const env = agent?.spec.template.spec.containers.find(({ name }) => name === BACKUP_CONTAINER)?.env ?? [];
  return {
    repositories: env.find(({ name }) => name === "REPOSITORIES")?.value ?? "",
    information: informed,
    server,
    jobs: jobs?.items ?? [],
    pods: pods?.items ?? [],
  };
}
