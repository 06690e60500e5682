/** The cluster's state before a deployment, and what the deployment expects of it. */
import {
  type DatabaseNames,
  INIT_JOB_NAME,
  SERVER_NAME,
  SERVER_POD,
} from "../components/kubernetes/names.ts";
import type { Findings } from "../problem.ts";
import type { InitJobObject } from "./deployed-names.ts";
import { withProxy } from "./api-proxy.ts";
import type { ClusterContext } from "./kubectl.ts";
import type { NodeObject, PodNeeds } from "./node-fitness.ts";
import { lookForProvenRestore } from "./proven-restore.ts";
import { type PodObject, podsPath } from "./pod-troubles.ts";
import {
  type ClaimObject,
  claimPath,
  type OwnVolume,
  VOLUME_API_PATH,
  type VolumeObject,
} from "./volume-binding.ts";

/** The parts of the server's StatefulSet that are read. */
export interface StatefulSetObject {
  metadata: { annotations?: Record<string, string> };
  spec?: { template: { spec: { containers: { name: string; image: string }[] } } };
}

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
}

/** The cluster's state. */
export interface ClusterState {
  nodes: NodeObject[];
  statefulSet: StatefulSetObject | undefined;
  volume: VolumeObject | undefined;
  /** All pods of the namespace. */
  pods: PodObject[];
  claim?: ClaimObject | undefined;
  initJob?: InitJobObject | undefined;
  /** When a restore was last proven, ISO 8601. */
  provenRestore?: string | undefined;
}

/**
 * Reads the cluster's state without changing anything.
 *
 * @throws KubectlError if the cluster cannot be reached or denies access
 */
export async function lookAtCluster(cluster: ClusterContext, namespace: string): Promise<ClusterState> {
  const [nodes, statefulSet, volume, claim, pods, initJob, provenRestore] = await withProxy(cluster, (read) =>
    Promise.all([
      read<{ items: NodeObject[] }>("/api/v1/nodes"),
      read<StatefulSetObject>(`/apis/apps/v1/namespaces/${namespace}/statefulsets/${SERVER_NAME}`),
      read<VolumeObject>(VOLUME_API_PATH),
      read<ClaimObject>(claimPath(namespace)),
      read<{ items: PodObject[] }>(podsPath(namespace)),
      read<InitJobObject>(`/apis/batch/v1/namespaces/${namespace}/jobs/${INIT_JOB_NAME}`),
      lookForProvenRestore(read, namespace),
    ]),
  );
  return {
    nodes: nodes?.items ?? [],
    statefulSet,
    volume,
    claim,
    pods: pods?.items ?? [],
    initJob,
    provenRestore,
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
