/** Makes room for a Job that is to be created. */
import { type ClusterContext, kubectl } from "./kubectl.ts";

/**
 * Deletes a Job that is in the cluster before one of its name is made. A Job's template cannot be changed, so one that
 * a lost state, a killed run or kubectl left could not be taken over; and a finished one would not run again. Runs
 * that overlap wait for each other at the database.
 */
export async function deleteLeftJob(cluster: ClusterContext, namespace: string, name: string): Promise<void> {
  await kubectl(cluster, ["delete", "job", name, "-n", namespace, "--ignore-not-found", "--wait=true"]);
}
