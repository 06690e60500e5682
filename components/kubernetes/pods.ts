/** What all pods share: placement, security context, and volumes. */
import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { HOSTNAME_LABEL } from "./names.ts";

type PodSpec = k8s.types.input.core.v1.PodSpec;
type Container = k8s.types.input.core.v1.Container;

/** Where a pod runs. */
export interface Placement {
  /** The only node it may run on, by its label kubernetes.io/hostname. */
  hostname: pulumi.Input<string>;
  /** Tolerations of the node's taints. */
  tolerations: k8s.types.input.core.v1.Toleration[];
  /** Name of its RuntimeClass. @default the cluster's */
  runtimeClass?: pulumi.Input<string> | undefined;
}

/** The fields of a pod that determine its placement. */
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
 * The restricted Pod Security Standard for a pod, with an unprivileged user and without access to the API server.
 *
 * @param uid the user and its group
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
      // hostPath volumes ignore fsGroup; the others are not walked again at every start.
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
}

/**
 * The standard for each container, and a read-only root file system. The last lines of the log become the termination
 * message, for `kubectl describe` and Pulumi's output.
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
  /** `HostToContainer`: what the node mounts there later is seen too. @default what was mounted at the start */
  propagation?: "HostToContainer";
  /** A directory of the volume, which must exist or is made for root. @default its root */
  subPath?: string;
}

/** Amounts of CPU and memory by name. */
type Amounts = Readonly<Record<string, pulumi.Input<string>>>;

/**
 * What a container's log takes on the node's own disk: the kubelet keeps five files of 10 MiB
 * (containerLogMaxFiles, containerLogMaxSize).
 */
const LOG_SIZE = "64Mi";
/**
 * What it may take. The kubelet rotates a log every 10 s, between which it grows without a limit, and evicts the pod of a
 * container above its limit: room for 20 MB/s.
 */
const LOG_LIMIT = "256Mi";
/** The same for a server that logs every statement of every client, whose eviction ends them all: 200 MB/s. */
export const SERVER_LOG_LIMIT = "2Gi";

/**
 * A container's resources with its share of the node's own disk, which is its log alone: the root file system is
 * read-only, and every directory that is not a volume of the data or the backups is in memory.
 *
 * @param logLimit Kubernetes quantity
 */
export function withLog(
  { requests, limits }: { requests: Amounts; limits: Amounts },
  logLimit: string = LOG_LIMIT,
): { requests: Amounts; limits: Amounts } {
  return {
    requests: { ...requests, "ephemeral-storage": LOG_SIZE },
    limits: { ...limits, "ephemeral-storage": logLimit },
  };
}

/** A volume of a pod, with its mounts. */
export interface PodVolume {
  name: string;
  /** Its source. */
  source: Omit<k8s.types.input.core.v1.Volume, "name">;
  /** Its mounts by container name. Two volumes of one claim would keep a pod from starting. */
  mounts: Readonly<Record<string, Mount | readonly Mount[]>>;
}

/** A volume in memory. Exceeding its size fails; exceeding that of a directory on disk would evict the pod. */
export function inMemory(name: string, sizeLimit: string, mounts: PodVolume["mounts"]): PodVolume {
  return { name, source: { emptyDir: { medium: "Memory", sizeLimit } }, mounts };
}

/** The volumes of a pod. */
export function volumesOf(volumes: readonly PodVolume[]): k8s.types.input.core.v1.Volume[] {
  return volumes.map(({ name, source }) => ({ name, ...source }));
}

/** The mounts of one container. */
export function mountsIn(
  container: string,
  volumes: readonly PodVolume[],
): k8s.types.input.core.v1.VolumeMount[] {
  return volumes.flatMap(({ name, mounts }) => {
    return [mounts[container] ?? []].flat().map(({ path, subPath, readOnly, propagation }: Mount) => ({
      name,
      mountPath: path,
      ...(subPath !== undefined && { subPath }),
      ...(readOnly === true && { readOnly: true }),
      ...(propagation && { mountPropagation: propagation }),
    }));
  });
}
