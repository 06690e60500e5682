/** Reports why pods do not run, during a deployment. */
import * as pulumi from "@pulumi/pulumi";
import type { ClusterContext } from "./kubectl.ts";
import { type PodObject, readPods, troublesOf } from "./pod-troubles.ts";

/** Milliseconds between two reads of the pods. */
const INTERVAL = 2000;

/**
 * During a deployment, reports each reason why pods do not run once: the engine waits for a server that refuses to
 * start, without knowing why. A preview checks only the given pods.
 *
 * @param alsoLook another check of the pods, run each time
 */
export async function watchPods(
  cluster: ClusterContext,
  namespace: string,
  first: readonly PodObject[],
  alsoLook: (pods: readonly PodObject[]) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const said = new Set<string>();
  const say = async (pods: readonly PodObject[]): Promise<void> => {
    for (const trouble of pods.flatMap(troublesOf)) {
      if (said.has(trouble)) continue;
      said.add(trouble);
      await pulumi.log.warn(trouble);
    }
  };
  await say(first);
  if (pulumi.runtime.isDryRun()) return;
  const look = (): void => {
    // The watch must not keep the program alive.
    setTimeout(() => {
      void readPods(cluster, namespace)
        .then((pods) => Promise.all([say(pods), alsoLook(pods)]))
        // The deployment itself reports what is wrong with the cluster.
        .catch(() => undefined)
        .then(look);
    }, INTERVAL).unref();
  };
  look();
}
