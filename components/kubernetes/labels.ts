/**
 * The labels of everything in the cluster: Kubernetes' recommended ones
 * (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/).
 */

/** What `app.kubernetes.io/part-of` says, and the namespace's name. */
export const APPLICATION = "transcript-pipeline";

/**
 * Selects the server's pods, and nothing else carries it: the guide's
 * `kubectl wait … -l app=postgres` would wait for a finished Job's pod for ever.
 */
export const SERVER_SELECTOR = { app: "postgres" } as const;

/**
 * Recommended labels for an object.
 *
 * @param part the part of the deployment that it belongs to: a capability's name, `storage`
 */
export function labelsOf(part: string): Record<string, string> {
  return {
    "app.kubernetes.io/name": part === "database" ? "postgres" : `postgres-${part}`,
    "app.kubernetes.io/instance": APPLICATION,
    "app.kubernetes.io/component": part,
    "app.kubernetes.io/part-of": APPLICATION,
    "app.kubernetes.io/managed-by": "pulumi",
  };
}
