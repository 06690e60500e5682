/**
 * Whether the server runs without the deployed configuration because PostgreSQL refused it: see
 * scripts/last-started.sh. The pod is then ready, and no object in the cluster shows it.
 */
import { type ClusterContext, kubectl, KubectlError } from "./kubectl.ts";
import { SERVER_NAME, SERVER_POD } from "../components/kubernetes/names.ts";

/** The file in the server's container that last-started.sh writes. */
const FILE = "/run/reconcile/refused-configuration";

/**
 * Asks the server's container.
 *
 * @returns what it runs with instead, and why; undefined if it runs with what is deployed, or there is no server
 * @throws KubectlError if the container exists and cannot be asked
 */
export async function refusedConfiguration(
  cluster: ClusterContext,
  namespace: string,
): Promise<string | undefined> {
  // Distinguishes an empty answer from no answer.
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

/** The message. */
export function sayRefused(said: string): string {
  return `database.settings: ${said}. The data is safe and clients are served, but not with the deployed settings: docs/refused-configuration.md`;
}
