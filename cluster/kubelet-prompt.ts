/** Makes a change of a Secret or a ConfigMap reach the running pod at once. */
import { type ClusterContext, kubectl, KubectlError } from "./kubectl.ts";
import { ANNOTATIONS, SERVER_POD } from "../components/kubernetes/names.ts";

/**
 * Has the kubelet look at the server's pod now, so that a changed Secret or ConfigMap is in it at once. By itself it
 * looks every 60 to 90 seconds (its `syncFrequency`, and `workerResyncIntervalJitterFactor` in
 * pkg/kubelet/pod_workers.go); at once, whenever anything about the pod changes. An annotation is the least to change:
 * no container, no connection and no object of the stack is touched. Where there is no pod there is nothing to do.
 *
 * @throws KubectlError when the cluster cannot be reached or does not let us
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
