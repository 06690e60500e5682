/** What every pod of the deployment has in common: where it runs, what it may do, and its volumes. */
import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { HOSTNAME_LABEL } from "./names.ts";

type PodSpec = k8s.types.input.core.v1.PodSpec;
type Container = k8s.types.input.core.v1.Container;

/** Where a pod runs. */
export interface Placement {
  /** The only node it may run on, by its label kubernetes.io/hostname. */
  hostname: pulumi.Input<string>;
  /** The node's taints that it tolerates. */
  tolerations: k8s.types.input.core.v1.Toleration[];
  /** Name of its RuntimeClass. @default the cluster's own */
  runtimeClass?: pulumi.Input<string> | undefined;
}

/** The fields of a pod that place it. */
export function placed({
  hostname,
  tolerations,
  runtimeClass,
}: Placement): Pick<PodSpec, "nodeSelector" | "tolerations" | "runtimeClassName"> {
  return {
    nodeSelector: { [HOSTNAME_LABEL]: hostname },
    ...(tolerations.length > 0 && { tolerations }),
    ...(runtimeClass !== undefined && { runtimeClassName: runtimeClass }),
  };
}

/** uid and gid of `postgres` in the official image, the owner of the data directory on the node. */
export const POSTGRES_UID = 999;

/**
 * What the restricted Pod Security Standard asks of a pod, as an unprivileged user, and no way to the API server.
 *
 * @param uid the user, and its group
 */
export function restrictedPod(
  uid: number = POSTGRES_UID,
): Pick<PodSpec, "automountServiceAccountToken" | "enableServiceLinks" | "securityContext"> {
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: uid,
      runAsGroup: uid,
      fsGroup: uid,
      // hostPath volumes ignore fsGroup; for the others, do not walk them again at every start.
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
}

/**
 * What it asks of each container, and a root file system that cannot be written. The last lines of the log are why the
 * container ended, for `kubectl describe` and for Pulumi's output.
 */
export const restrictedContainer = {
  imagePullPolicy: "IfNotPresent",
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
  },
  terminationMessagePolicy: "FallbackToLogsOnError",
} satisfies Partial<Container>;

/** Where a container mounts a volume. */
export interface Mount {
  path: string;
  /** @default false */
  readOnly?: boolean;
}

/** A volume of a pod, with its mounts. */
export interface PodVolume {
  name: string;
  /** What it is made of. */
  source: Omit<k8s.types.input.core.v1.Volume, "name">;
  /** Its mount in each container that has one, by the container's name. */
  mounts: Readonly<Record<string, Mount>>;
}

/** A volume in memory. Writing more than its size fails, where a folder on the disk would have the pod evicted. */
export function inMemory(name: string, sizeLimit: string, mounts: PodVolume["mounts"]): PodVolume {
  return { name, source: { emptyDir: { medium: "Memory", sizeLimit } }, mounts };
}

/** The volumes of a pod. */
export function volumesOf(volumes: readonly PodVolume[]): k8s.types.input.core.v1.Volume[] {
  return volumes.map(({ name, source }) => ({ name, ...source }));
}

/** The mounts of one container of it. */
export function mountsIn(
  container: string,
  volumes: readonly PodVolume[],
): k8s.types.input.core.v1.VolumeMount[] {
  return volumes.flatMap(({ name, mounts }) => {
    const mount = mounts[container];
    if (!mount) return [];
    return [{ name, mountPath: mount.path, ...(mount.readOnly === true && { readOnly: true }) }];
  });
}
