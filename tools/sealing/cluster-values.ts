/** The values in force, from the cluster that a stack is deployed to. */
import { type ClusterContext, kubectl, KubectlError } from "../../cluster/kubectl.ts";
import { secretValues } from "../evaluation/generated.ts";
import type { Manifest } from "../evaluation/manifests.ts";
import { SealingError } from "./plan.ts";
import { type Unsealed, valuesInForce } from "./unsealed.ts";

/**
 * The values of the Secrets that the cluster has, by name.
 *
 * @throws SealingError if the cluster cannot be asked: values made up instead would replace those in force
 */
export async function askCluster(
  cluster: ClusterContext,
  secrets: readonly Unsealed[],
): Promise<Map<string, string>> {
  const byNamespace = Map.groupBy(secrets, ({ namespace }) => namespace);
  const live = new Map<string, Record<string, string>>();
  for (const [namespace, own] of byNamespace) {
    const names = own.map(({ name }) => name);
    const answer = await kubectl(cluster, [
      ...["get", "secrets", "-n", namespace, "--ignore-not-found", "-o", "json"],
      ...names,
    ]).catch((error: unknown) => {
      if (!(error instanceof KubectlError)) throw error;
      throw new SealingError(
        `the cluster could not be asked which values are in force: ${error.message}. If the stack is not deployed yet, ` +
          "add --new, which makes up what is not configured; otherwise these would replace the passwords in force",
      );
    });
    if (answer.trim() === "") continue;
    const parsed = JSON.parse(answer) as Manifest & { items?: Manifest[] };
    for (const object of parsed.items ?? [parsed]) live.set(object.metadata.name, secretValues(object));
  }
  return valuesInForce(secrets, live);
}
