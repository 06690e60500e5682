/** Preflight: whose server is in the cluster. */
import { ANNOTATIONS, SERVER_NAME } from "../../components/kubernetes/names.ts";
import type { Check } from "../cluster-state.ts";

/** A server that is there already must be this stack's. */
export const checkServer: Check = ({ statefulSet }, { identity, namespace }) => {
  if (!statefulSet) return {};
  const owner = statefulSet.metadata.annotations?.[ANNOTATIONS.identity];
  if (owner === identity) return {};
  const message =
    `leads to a cluster in which StatefulSet ${namespace}/${SERVER_NAME} belongs to ` +
    `${owner ?? "somebody else"}, not to ${identity}. Choose another cluster: pulumi config set --path ` +
    `cluster.context <context>; or, if it is to be replaced by this stack's: kubectl delete statefulset ` +
    `${SERVER_NAME} -n ${namespace}`;
  return { problems: [{ key: "cluster.context", message }] };
};
