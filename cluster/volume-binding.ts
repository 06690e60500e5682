/** The volumes and their claims in the cluster, and their binding. */
import { type ClusterContext, kubectl, read } from "./kubectl.ts";
import { CLAIM_NAME, VOLUME_NAME } from "../components/kubernetes/names.ts";
import { DATA_DIRECTORY, type DirectoryUse } from "../components/storage/directory.ts";

/** The parts of a PersistentVolume that are read. */
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

/** What identifies this deployment's own volume. */
export interface OwnVolume {
  namespace: string;
  path: string;
  /** @default the data's */
  use?: DirectoryUse | undefined;
}

/** The parts of a PersistentVolumeClaim that are read. */
export interface ClaimObject {
  metadata: { deletionTimestamp?: string };
  spec: { resources?: { requests?: { storage?: string } } };
}

/** Size that the claim in the cluster requested, a Kubernetes quantity. Undefined without a claim, or if it is being deleted. */
export function claimedSize(claim: ClaimObject | undefined): string | undefined {
  if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) return undefined;
  return claim.spec.resources?.requests?.storage;
}

/** API path of the claim. */
export function claimPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${CLAIM_NAME}`;
}

/** Name of the node that has the volume's directory, or undefined if the object does not contain it. */
export function nodeOf(volume: VolumeObject): string | undefined {
  return volume.spec.nodeAffinity?.required?.nodeSelectorTerms?.[0]?.matchExpressions?.[0]?.values?.[0];
}

/** API path of a volume. */
export function volumePath(name: string = VOLUME_NAME): string {
  return `/api/v1/persistentvolumes/${name}`;
}

/** Why a volume is not this deployment's, or undefined if it is. */
export function strangeness(volume: VolumeObject, own: OwnVolume): string | undefined {
  const { hostPath, claimRef } = volume.spec;
  const { claim } = own.use ?? DATA_DIRECTORY;
  if (hostPath?.path !== own.path)
    return `its path is ${hostPath?.path ?? "not a hostPath"}, not ${own.path}`;
  if (claimRef && (claimRef.namespace !== own.namespace || claimRef.name !== claim)) {
    return `it is reserved for the claim ${claimRef.namespace}/${claimRef.name}, not ${own.namespace}/${claim}`;
  }
  return undefined;
}

/**
 * Makes a volume that an earlier claim left Released available to the next claim of the same name. A Released volume
 * keeps the deleted claim's uid, which Pulumi's fields cannot clear.
 *
 * @returns whether it released the volume
 * @throws if the volume is not this deployment's
 */
export async function releaseDeadClaim(cluster: ClusterContext, own: OwnVolume): Promise<boolean> {
  const { volume: name } = own.use ?? DATA_DIRECTORY;
  const volume = await read<VolumeObject>(cluster, volumePath(name));
  if (volume?.status?.phase !== "Released" || volume.spec.claimRef?.uid === undefined) return false;
  const strange = strangeness(volume, own);
  if (strange !== undefined) {
    throw new Error(`PersistentVolume ${name} is Released and cannot be bound again: ${strange}`);
  }
  const patch = { spec: { claimRef: { uid: null, resourceVersion: null } } };
  await kubectl(cluster, [
    ...["patch", "persistentvolume", name, "--type=merge"],
    ...["-p", JSON.stringify(patch)],
  ]);
  return true;
}
