/** Network policies of an existing server: whether it has them, and what switching them on would cut. */
import { APPLICATION } from "../components/kubernetes/labels.ts";
import { ANNOTATIONS, type NetworkPolicies } from "../components/kubernetes/names.ts";
import type { NetworkValues } from "../config/network.ts";
import type { ClusterState } from "./cluster-state.ts";
import { lookAtSessions, sayCut } from "./cut-sessions.ts";
import { deployedNames } from "./deployed-names.ts";
import { type ClusterContext, KubectlError } from "./kubectl.ts";

/**
 * Whether the server in the cluster was deployed with network policies: by its annotation, which stays when somebody
 * deletes the policies themselves. A server of a version that had none has no such annotation.
 *
 * @returns undefined if there is no server
 */
export function deployedPolicies({
  statefulSet,
}: Pick<ClusterState, "statefulSet">): NetworkPolicies | undefined {
  if (!statefulSet) return undefined;
  return statefulSet.metadata.annotations?.[ANNOTATIONS.networkPolicies] === "enforced" ? "enforced" : "none";
}

/**
 * What to say before a server without network policies gets them, or stays without because nothing is configured.
 *
 * @returns undefined for a new server, one that has them, and one that is configured to stay without
 */
export async function sayPolicies(
  cluster: ClusterContext,
  state: ClusterState,
  { policies, clients }: Pick<NetworkValues, "policies" | "clients">,
  names: { database: string; owner: string },
): Promise<string | undefined> {
  if (deployedPolicies(state) !== "none" || policies === "none") return undefined;
  const known = { ...names, ...deployedNames(state.volume, state.statefulSet, state.initJob) };
  const cut = await lookAtSessions(cluster, APPLICATION, known).then(
    (sessions) => sayCut(sessions, clients),
    (error: unknown) => {
      if (!(error instanceof KubectlError)) throw error;
      return `Its sessions cannot be looked at: ${error.message}`;
    },
  );
  return policies === "enforced"
    ? `network.policies: the server gets network policies: from then on only declared clients can connect, and sessions that are open stay open. ${cut}`
    : "network.policies is not set, and the server was deployed without network policies: it stays so, and every pod in the " +
        `cluster can reach its port. ${cut}. To switch: pulumi config set --path network.policies enforced; to stay without: ` +
        "pulumi config set --path network.policies none";
}
