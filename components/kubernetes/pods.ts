import type * as k8s from "@pulumi/kubernetes";

/** uid and gid of `postgres` in the official image, the owner of the data directory on the node. */
export const POSTGRES_UID = 999;

/** What the restricted Pod Security Standard asks of a pod, as the image's own unprivileged user. */
export const restrictedPod: k8s.types.input.core.v1.PodSecurityContext = {
  runAsNonRoot: true,
  runAsUser: POSTGRES_UID,
  runAsGroup: POSTGRES_UID,
  fsGroup: POSTGRES_UID,
  // hostPath volumes ignore fsGroup; for the others, do not walk them again at every start.
  fsGroupChangePolicy: "OnRootMismatch",
  seccompProfile: { type: "RuntimeDefault" },
};

/** What it asks of each container, and a root file system that cannot be written. */
export const restrictedContainer: k8s.types.input.core.v1.SecurityContext = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
};
