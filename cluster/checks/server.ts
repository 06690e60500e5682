/** Preflight: whose server is in the cluster. */
import { ANNOTATIONS, SERVER_NAME } from "../../components/kubernetes/names.ts";
import type { Check } from "../cluster-state.ts";

/** An existing server must belong to this stack. */
export const checkServer: Check = ({ statefulSet }, { identity, namespace }) => {
  if (!statefulSet) return {};
  const owner = statefulSet.metadata.annotations?.[ANNOTATIONS.identity];
  if (owner === identity) return {};
  const message =
    `selects a cluster in which StatefulSet ${namespace}/${SERVER_NAME} belongs to ` +
    `${owner ?? "somebody else"}, not to ${identity}. Choose another cluster: pulumi config set --path ` +
    `cluster.context <context>; or, to replace it with this stack's: kubectl delete statefulset ` +
    `${SERVER_NAME} -n ${namespace}`;
  return { problems: [{ key: "cluster.context", message }] };
};
