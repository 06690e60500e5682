/** Propagates a change of a Secret or a ConfigMap to the running pod at once. */
import { type ClusterContext, kubectl, KubectlError } from "./kubectl.ts";
import { ANNOTATIONS, SERVER_POD } from "../components/kubernetes/names.ts";

/**
 * Makes the kubelet sync the server's pod now, so that a changed Secret or ConfigMap is in it at once. Otherwise it
 * syncs every 60 to 90 seconds (`syncFrequency`, and `workerResyncIntervalJitterFactor` in
 * pkg/kubelet/pod_workers.go), or whenever the pod changes. Changing an annotation is enough, and does not affect
 * containers, connections or the stack's objects. Without a pod, does nothing.
 *
 * @throws KubectlError if the cluster cannot be reached or denies access
 */
export async function promptKubelet(cluster: ClusterContext, namespace: string): Promise<void> {
  try {
    await kubectl(cluster, [
      ...["annotate", "pod", SERVER_POD, "-n", namespace, "--overwrite"],
      `${ANNOTATIONS.lookedAt}=${new Date().toISOString()}`,
    ]);
  } catch (error) {
    if (!(error instanceof KubectlError && error.notFound)) throw error;
  }
}
