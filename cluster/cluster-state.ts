/** The cluster's state before a deployment, and what the deployment expects of it. */
import {
  type DatabaseNames,
  INIT_JOB_NAME,
  SERVER_NAME,
  SERVER_POD,
  VOLUME_NAME,
} from "../components/kubernetes/names.ts";
import type { Directory } from "../components/storage/directory.ts";
import type { Findings } from "../problem.ts";
import type { InitJobObject } from "./deployed-names.ts";
import { withProxy } from "./api-proxy.ts";
import type { ClusterContext } from "./kubectl.ts";
import type { NodeObject, PodNeeds } from "./node-fitness.ts";
import { lookForPlain } from "./plain-connections.ts";
import { lookForProvenRestore } from "./proven-restore.ts";
import { lookAtSealed, type SealedState } from "./sealed-secrets.ts";
import { lookAtStore, type StoreState } from "./secret-stores.ts";
import { type PodObject, podsPath } from "./pod-troubles.ts";
import {
  type ClaimObject,
  claimPath,
  type OwnVolume,
  type VolumeObject,
  volumePath,
} from "./volume-binding.ts";

/** The parts of the server's StatefulSet that are read. */
export interface StatefulSetObject {
  metadata: { annotations?: Record<string, string> };
  spec?: { template: { spec: { containers: { name: string; image: string }[] } } };
}

/** A directory that the deployment has a volume for. */
export type ExpectedDirectory = Pick<Directory, "path" | "use">;

/** What the deployment expects of the cluster. */
export interface Expectations extends OwnVolume {
  /** The node's label kubernetes.io/hostname. */
  hostname: string;
  /** What the server's pod needs from the node. @default not checked */
  needs?: PodNeeds | undefined;
  /** Resource that the node must offer. @default none */
  gpuResource?: string | undefined;
  /** The stack that an existing StatefulSet and volume must belong to. */
  identity: string;
  /** The server's image. */
  image: string;
  /** The image of a confirmed upgrade of the existing database. @default none */
  upgradeTo?: string | undefined;
  /** The wanted names of the database and its owner. */
  names: DatabaseNames;
  /** Addresses of the cluster's pods and Services, as its network policies have them. @default not checked */
  clusterRanges?: readonly string[] | undefined;
  /** Who keeps the values of the credentials. @default the stack */
  secretSource?: string | undefined;
  /** Who collects metrics. @default nobody */
  prometheus?: string | undefined;
  /** The directories next to the data's. @default none */
  directories?: readonly ExpectedDirectory[] | undefined;
}

/** The cluster's state. */
export interface ClusterState {
  nodes: NodeObject[];
  statefulSet: StatefulSetObject | undefined;
  volume: VolumeObject | undefined;
  /** The volumes of the other directories, by name, without those that there are not. */
  others?: Readonly<Record<string, VolumeObject | undefined>> | undefined;
  /** All pods of the namespace. */
  pods: PodObject[];
  claim?: ClaimObject | undefined;
  initJob?: InitJobObject | undefined;
  /** Names of the namespace's Jobs. */
  jobs: readonly string[];
  /** When a restore was last proven, ISO 8601. */
  provenRestore?: string | undefined;
  /** Whether the server accepts logins over the network without encryption. Undefined: there is none. */
  acceptsPlain?: boolean | undefined;
  /** What there is of a secret store. */
  store?: StoreState | undefined;
  /** What there is of Sealed Secrets. */
  sealed?: SealedState | undefined;
  /** The API's groups. */
  apiGroups?: readonly string[] | undefined;
}

/**
 * Reads the cluster's state without changing anything.
 *
 * @param volumes names of volumes next to the data's
 * @param source who keeps the values of the credentials
 * @throws KubectlError if the cluster cannot be reached or denies access
 */
export async function lookAtCluster(
  cluster: ClusterContext,
  namespace: string,
  volumes: readonly string[] = [],
  source = "pulumi",
): Promise<ClusterState> {
  const [
    nodes,
    statefulSet,
    volume,
    claim,
    pods,
    jobs,
    others,
    provenRestore,
    acceptsPlain,
    store,
    sealed,
    groups,
  ] = await withProxy(cluster, (read) =>
    Promise.all([
      read<{ items: NodeObject[] }>("/api/v1/nodes"),
      read<StatefulSetObject>(`/apis/apps/v1/namespaces/${namespace}/statefulsets/${SERVER_NAME}`),
      read<VolumeObject>(volumePath()),
      read<ClaimObject>(claimPath(namespace)),
      read<{ items: PodObject[] }>(podsPath(namespace)),
      read<{ items: (InitJobObject & { metadata: { name: string } })[] }>(
        `/apis/batch/v1/namespaces/${namespace}/jobs`,
      ),
      Promise.all(volumes.map(async (name) => [name, await read<VolumeObject>(volumePath(name))] as const)),
      lookForProvenRestore(read, namespace),
      lookForPlain(read, namespace),
      lookAtStore(read, namespace, source === "external-secrets"),
      lookAtSealed(read, namespace, source === "sealed-secrets"),
      read<{ groups: { name: string }[] }>("/apis"),
    ]),
  );
  return {
    nodes: nodes?.items ?? [],
    statefulSet,
    volume,
    others: Object.fromEntries(others),
    claim,
    pods: pods?.items ?? [],
    initJob: jobs?.items.find(({ metadata }) => metadata.name === INIT_JOB_NAME),
    jobs: jobs?.items.map(({ metadata }) => metadata.name) ?? [],
    provenRestore,
    acceptsPlain: statefulSet && acceptsPlain,
    store,
    sealed,
    apiGroups: groups?.groups.map(({ name }) => name),
  };
}

/** The server's image, or undefined if there is no server. */
export function runningImage({ statefulSet }: ClusterState): string | undefined {
  return statefulSet?.spec?.template.spec.containers.find(({ name }) => name === SERVER_NAME)?.image;
}

/** Whether the server's pod already runs on a node. */
export function isPlaced({ pods }: ClusterState): boolean {
  return pods.some(
    ({ metadata, spec, status }) =>
      metadata.name === SERVER_POD && spec?.nodeName !== undefined && status?.phase === "Running",
  );
}

/** Compares the cluster's state with what the deployment expects. */
export type Check = (state: ClusterState, expected: Expectations) => Partial<Findings>;

/** Whether the volume of a directory is in the cluster: while it is, the directory is never prepared again. */
export function hasVolume({ volume, others }: ClusterState, { use }: ExpectedDirectory): boolean {
  return (use.volume === VOLUME_NAME ? volume : others?.[use.volume]) !== undefined;
}
