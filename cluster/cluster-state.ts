/** What is in the cluster before a deployment, and what the deployment needs of it. */
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
import { type PodObject, podsPath } from "./pod-troubles.ts";
import {
  type ClaimObject,
  claimPath,
  type OwnVolume,
  VOLUME_API_PATH,
  type VolumeObject,
} from "./volume-binding.ts";

/** What is read of the server's StatefulSet. */
export interface StatefulSetObject {
  metadata: { annotations?: Record<string, string> };
  spec?: { template: { spec: { containers: { name: string; image: string }[] } } };
}

/** What the deployment needs of the cluster. */
export interface Expectations extends OwnVolume {
  /** The node's label kubernetes.io/hostname. */
  hostname: string;
  /** What the server's pod asks of the node. @default not looked at */
  needs?: PodNeeds | undefined;
  /** Resource that the node must offer. @default none */
  gpuResource?: string | undefined;
  /** Whose StatefulSet and volume these must be, where there are some already. */
  identity: string;
  /** The server's image. */
  image: string;
  /** The image to which the existing database is brought on purpose. @default none */
  upgradeTo?: string | undefined;
  /** What the database and its owner are to be called. */
  names: DatabaseNames;
}

/** What the cluster has. */
export interface ClusterState {
  nodes: NodeObject[];
  statefulSet: StatefulSetObject | undefined;
  volume: VolumeObject | undefined;
  /** Those of the namespace. */
  pods: PodObject[];
  claim?: ClaimObject | undefined;
  initJob?: InitJobObject | undefined;
  /** Names of the namespace's Jobs. */
  jobs: readonly string[];
}

/**
 * Looks, changing nothing.
 *
 * @throws KubectlError when the cluster cannot be reached or does not let us look
 */
export async function lookAtCluster(cluster: ClusterContext, namespace: string): Promise<ClusterState> {
  const [nodes, statefulSet, volume, claim, pods, jobs] = await withProxy(cluster, (read) =>
    Promise.all([
      read<{ items: NodeObject[] }>("/api/v1/nodes"),
      read<StatefulSetObject>(`/apis/apps/v1/namespaces/${namespace}/statefulsets/${SERVER_NAME}`),
      read<VolumeObject>(VOLUME_API_PATH),
      read<ClaimObject>(claimPath(namespace)),
      read<{ items: PodObject[] }>(podsPath(namespace)),
      read<{ items: (InitJobObject & { metadata: { name: string } })[] }>(
        `/apis/batch/v1/namespaces/${namespace}/jobs`,
      ),
    ]),
  );
  return {
    nodes: nodes?.items ?? [],
    statefulSet,
    volume,
    claim,
    pods: pods?.items ?? [],
    initJob: jobs?.items.find(({ metadata }) => metadata.name === INIT_JOB_NAME),
    jobs: jobs?.items.map(({ metadata }) => metadata.name) ?? [],
  };
}

/** The image that the server runs on, or undefined where there is none. */
export function runningImage({ statefulSet }: ClusterState): string | undefined {
  return statefulSet?.spec?.template.spec.containers.find(({ name }) => name === SERVER_NAME)?.image;
}

/** Whether the server's pod has a node already, and so needs no other. */
export function isPlaced({ pods }: ClusterState): boolean {
  return pods.some(
    ({ metadata, spec, status }) =>
      metadata.name === SERVER_POD && spec?.nodeName !== undefined && status?.phase === "Running",
  );
}

/** Compares what the cluster has with what the deployment needs. */
export type Check = (state: ClusterState, expected: Expectations) => Partial<Findings>;
