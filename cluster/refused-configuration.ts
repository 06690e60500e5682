/**
 * Whether the server runs without the configuration that is deployed, because PostgreSQL refused it: see
 * scripts/last-started.sh. The pod is ready then, and no object of the cluster says it.
 */
import { type ClusterContext, kubectl, KubectlError } from "./kubectl.ts";
import { SERVER_NAME, SERVER_POD } from "../components/kubernetes/names.ts";

/** Where last-started.sh writes it, in the server's container. */
const FILE = "/run/reconcile/refused-configuration";

/**
 * Asks the server's container.
 *
 * @returns what it runs with instead, and why; undefined when it runs with what is deployed, or there is no server to ask
 * @throws KubectlError when the container is there and cannot be asked
 */
export async function refusedConfiguration(
  cluster: ClusterContext,
  namespace: string,
): Promise<string | undefined> {
  // An empty answer and no answer are two things.
  const look = `[ ! -s ${FILE} ] || cat ${FILE}; echo asked`;
  const pod = ["exec", "-n", namespace, SERVER_POD, "-c", SERVER_NAME, "--", "sh", "-c", look];
  try {
    const said = (await kubectl(cluster, pod)).trim();
    return said.replace(/\s*asked$/, "") || undefined;
  } catch (error) {
    if (error instanceof KubectlError && error.notFound) return undefined;
    throw error;
  }
}

/** The sentence for people. */
export function sayRefused(said: string): string {
  return `database.settings: ${said}. The data is safe and clients are served, by settings that are not the deployed ones: docs/refused-configuration.md`;
}
