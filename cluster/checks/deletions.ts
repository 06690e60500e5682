/** Preflight: a volume or a claim that was deleted. */
import { CLAIM_NAME, VOLUME_NAME } from "../../components/kubernetes/names.ts";
import type { Check } from "../cluster-state.ts";

/**
 * Refuses a volume or a claim that was deleted while the server runs on it: Kubernetes keeps it until the server's pod
 * ends, and the next start has none. The deletion cannot be undone.
 */
export const checkDeletions: Check = ({ claim, volume }, { namespace }) => {
  const since = volume?.metadata.deletionTimestamp ?? claim?.metadata.deletionTimestamp;
  if (since === undefined) return {};
  const what =
    volume?.metadata.deletionTimestamp === undefined
      ? `PersistentVolumeClaim ${CLAIM_NAME}`
      : `PersistentVolume ${VOLUME_NAME}`;
  const message =
    `${what} was deleted at ${since} and is kept only for the pod that uses it: the server keeps running, but its next ` +
    `start would find no volume. The data itself stays in its directory. When a restart is acceptable: ` +
    `kubectl delete pvc ${CLAIM_NAME} -n ${namespace} --ignore-not-found --wait=false; ` +
    // The pods of Jobs and of the backups use the claim too, and Kubernetes waits for them as well.
    `kubectl delete job --all -n ${namespace}; kubectl delete pod --all -n ${namespace}; then deploy again`;
  return { problems: [{ key: "storage", message }] };
};
