/** The volume and the claim in the cluster, and what binds them. */
import { type ClusterContext, kubectl, read } from "./kubectl.ts";
import { CLAIM_NAME, VOLUME_NAME } from "../components/kubernetes/names.ts";

/** What is read of a PersistentVolume. */
export interface VolumeObject {
  metadata: { uid: string; annotations?: Record<string, string>; deletionTimestamp?: string };
  spec: {
    hostPath?: { path: string };
    nodeAffinity?: {
      required?: { nodeSelectorTerms?: { matchExpressions?: { values?: string[] }[] }[] };
    };
    claimRef?: { namespace: string; name: string; uid?: string };
  };
  status?: { phase?: string };
}

/** What a volume must be for this deployment to take it back. */
export interface OwnVolume {
  namespace: string;
  path: string;
}

/** What is read of a PersistentVolumeClaim. */
export interface ClaimObject {
  metadata: { deletionTimestamp?: string };
  spec: { resources?: { requests?: { storage?: string } } };
}

/** What the claim in the cluster asked for, a Kubernetes quantity. Undefined where none will stay. */
export function claimedSize(claim: ClaimObject | undefined): string | undefined {
  if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) return undefined;
  return claim.spec.resources?.requests?.storage;
}

/** API path of the claim. */
export function claimPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${CLAIM_NAME}`;
}

/** Name of the node that has the volume's directory, or undefined when the object does not say it. */
export function nodeOf(volume: VolumeObject): string | undefined {
  return volume.spec.nodeAffinity?.required?.nodeSelectorTerms?.[0]?.matchExpressions?.[0]?.values?.[0];
}

/** API path of the volume. */
export const VOLUME_API_PATH = `/api/v1/persistentvolumes/${VOLUME_NAME}`;

/** Why a volume is not this deployment's, or undefined when it is. */
export function strangeness(volume: VolumeObject, own: OwnVolume): string | undefined {
  const { hostPath, claimRef } = volume.spec;
  if (hostPath?.path !== own.path)
    return `its path is ${hostPath?.path ?? "not a hostPath"}, not ${own.path}`;
  if (claimRef && (claimRef.namespace !== own.namespace || claimRef.name !== CLAIM_NAME)) {
    return `it is reserved for the claim ${claimRef.namespace}/${claimRef.name}, not ${own.namespace}/${CLAIM_NAME}`;
  }
  return undefined;
}

/**
 * Makes a volume that an earlier claim left Released available to the next claim of the same name. A Released
 * volume keeps the dead claim's uid, which no field that Pulumi owns can clear.
 *
 * @returns whether there was something to do
 * @throws when the volume is not this deployment's own
 */
export async function releaseDeadClaim(cluster: ClusterContext, own: OwnVolume): Promise<boolean> {
  const volume = await read<VolumeObject>(cluster, VOLUME_API_PATH);
  if (volume?.status?.phase !== "Released" || volume.spec.claimRef?.uid === undefined) return false;
  const strange = strangeness(volume, own);
  if (strange !== undefined) {
    throw new Error(`PersistentVolume ${VOLUME_NAME} is Released and not taken back: ${strange}`);
  }
  const patch = { spec: { claimRef: { uid: null, resourceVersion: null } } };
  await kubectl(cluster, [
    ...["patch", "persistentvolume", VOLUME_NAME, "--type=merge"],
    ...["-p", JSON.stringify(patch)],
  ]);
  return true;
}
