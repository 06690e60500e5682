/** Makes room for a new Job. */
import { type ClusterContext, kubectl } from "./kubectl.ts";

/**
 * Deletes an existing Job before one with the same name is created. A Job's template is immutable, so a Job left by a
 * lost state, a killed run or kubectl cannot be adopted, and a finished one would not run again. Overlapping runs wait
 * for each other at the database.
 */
export async function deleteLeftJob(cluster: ClusterContext, namespace: string, name: string): Promise<void> {
  await kubectl(cluster, ["delete", "job", name, "-n", namespace, "--ignore-not-found", "--wait=true"]);
}
