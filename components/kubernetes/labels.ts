/**
 * The labels of all objects: Kubernetes' recommended ones
 * (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/).
 */

/** Value of `app.kubernetes.io/part-of`, and the namespace's name. */
export const APPLICATION = "transcript-pipeline";

/**
 * Selects only the server's pods: the guide's `kubectl wait … -l app=postgres` would wait forever for a finished Job's
 * pod.
 */
export const SERVER_SELECTOR = { app: "postgres" } as const;

/**
 * Recommended labels for an object.
 *
 * @param part the part of the deployment: a capability's name, such as `storage`
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
