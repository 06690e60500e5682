/**
 * One read-only look at the cluster before anything is changed. What it finds stops a preview with one line each,
 * where the provider would time out minutes later.
 */
import {
  type AnnotatedObject,
  deployedNames,
  type InitJobObject,
  objectionsToNames,
} from "./deployed-names.ts";
import { compareImages } from "../postgres/image-version.ts";
import { type ClusterContext, KubectlError, read } from "./kubectl.ts";
import { findNode, type NodeObject, type PodNeeds, unfitness } from "./node-fitness.ts";
import { type PodObject, readPods } from "./pod-troubles.ts";
import {
  type ClaimObject,
  nodeOf,
  type OwnVolume,
  readClaim,
  readVolume,
  strangeness,
  type VolumeObject,
} from "./volume-binding.ts";
import {
  INIT_JOB_NAME,
  SERVER_NAME,
  CLAIM_NAME,
  VOLUME_NAME,
  SERVER_POD,
  ANNOTATIONS,
  type DatabaseNames,
} from "../components/kubernetes/names.ts";

interface StatefulSetObject {
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
  /** How the database and its owner are to be called. */
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
}

/** A finding: the key it concerns, what is wrong with its value, and the way out. */
export interface Finding {
  key: string;
  message: string;
}

/**
 * Looks.
 *
 * @throws KubectlError when the cluster cannot be reached or does not let us look
 */
export async function lookAtCluster(cluster: ClusterContext, namespace: string): Promise<ClusterState> {
  const [nodes, statefulSet, volume, claim, pods, initJob] = await Promise.all([
    read<{ items: NodeObject[] }>(cluster, "/api/v1/nodes"),
    read<StatefulSetObject>(cluster, `/apis/apps/v1/namespaces/${namespace}/statefulsets/${SERVER_NAME}`),
    readVolume(cluster),
    readClaim(cluster, namespace),
    readPods(cluster, namespace),
    read<InitJobObject>(cluster, `/apis/batch/v1/namespaces/${namespace}/jobs/${INIT_JOB_NAME}`),
  ]);
  return { nodes: nodes?.items ?? [], statefulSet, volume, claim, pods, initJob };
}

/** The image that the server runs on, or undefined where there is none. */
export function runningImage({ statefulSet }: ClusterState): string | undefined {
  return statefulSet?.spec?.template.spec.containers.find(({ name }) => name === "postgres")?.image;
}

/**
 * A volume or a claim that somebody has deleted while the server runs on it: Kubernetes keeps it until the server's pod
 * ends, and the next start has none. Nothing can take the deletion back.
 */
function findDeletions({ claim, volume }: ClusterState, namespace: string): Finding[] {
  const since = volume?.metadata.deletionTimestamp ?? claim?.metadata.deletionTimestamp;
  if (since === undefined) return [];
  const what =
    volume?.metadata.deletionTimestamp === undefined
      ? `PersistentVolumeClaim ${CLAIM_NAME}`
      : `PersistentVolume ${VOLUME_NAME}`;
  return [
    {
      key: "storage",
      message:
        `${what} was deleted at ${since} and is kept only for the pod that uses it: the server runs on, and its next ` +
        `start would find no volume. The data itself stays in its directory. At a time when a restart is welcome: ` +
        `kubectl delete pvc ${CLAIM_NAME} -n ${namespace} --ignore-not-found --wait=false; ` +
        // The Jobs' pods have used the claim too, and Kubernetes waits for them as well.
        `kubectl delete job --all -n ${namespace}; kubectl delete pod ${SERVER_POD} -n ${namespace}; then deploy again`,
    },
  ];
}

/** Names that are not those in the cluster; somebody else's objects say nothing about ours. */
function findOtherNames({ volume, statefulSet, initJob }: ClusterState, expected: Expectations): Finding[] {
  const ours = <T extends AnnotatedObject>(object: T | undefined) =>
    object?.metadata.annotations?.[ANNOTATIONS.identity] === expected.identity ? object : undefined;
  const [ourVolume, ourServer] = [ours(volume), ours(statefulSet)];
  // The Job says of nobody whose it is.
  const job = ourVolume || ourServer ? initJob : undefined;
  return objectionsToNames(deployedNames(ourVolume, ourServer, job), expected.names);
}

/** Whether the server's pod has a node already, and so needs no other. */
const isPlaced = ({ pods }: ClusterState) =>
  pods.some(
    ({ metadata, spec, status }) =>
      metadata.name === SERVER_POD && spec?.nodeName !== undefined && status?.phase === "Running",
  );

/**
 * What is against the node: what a new pod would wait for without end stops a deployment that has to start one. A server
 * that runs goes on running, and whoever changes its settings is only told.
 */
function findUnfitness(
  state: ClusterState,
  { needs }: Expectations,
  node: NodeObject,
): { obstacles: Finding[]; doubts: Finding[] } {
  const obstacles: Finding[] = [];
  const doubts: Finding[] = [];
  for (const { key, message, pod } of needs ? unfitness(node, needs) : []) {
    const stops = pod === "never" || (pod === "waiting" && !isPlaced(state));
    (stops ? obstacles : doubts).push({ key, message });
  }
  return { obstacles, doubts };
}

/** What a person should know of the node before the deployment, and does not stop it. */
export function findDoubts(state: ClusterState, expected: Expectations): Finding[] {
  const found = findNode(state.nodes, expected.hostname);
  return "node" in found ? findUnfitness(state, expected, found.node).doubts : [];
}

/** What stands in the way of the deployment. */
export function findObstacles(state: ClusterState, expected: Expectations): Finding[] {
  const findings: Finding[] = findDeletions(state, expected.namespace);
  const found = findNode(state.nodes, expected.hostname);
  if ("message" in found) {
    findings.push({ key: "node.hostname", message: found.message });
  } else {
    const { node } = found;
    const { name } = node.metadata;
    if (
      expected.gpuResource !== undefined &&
      !(Number(node.status?.allocatable?.[expected.gpuResource]) > 0)
    ) {
      findings.push({
        key: "node.gpuResource",
        message:
          `is ${expected.gpuResource}, which node ${name} does not offer. Install the GPU's device plugin on it ` +
          `(kubectl describe node ${name}), or do without: pulumi config set --path node.requireGpu false`,
      });
    }
    findings.push(...findUnfitness(state, expected, node).obstacles);
  }
  if (state.statefulSet) {
    const owner = state.statefulSet.metadata.annotations?.[ANNOTATIONS.identity];
    if (owner !== expected.identity) {
      findings.push({
        key: "cluster.context",
        message:
          `leads to a cluster in which StatefulSet ${expected.namespace}/${SERVER_NAME} belongs to ` +
          `${owner ?? "somebody else"}, not to ${expected.identity}. Choose another cluster: pulumi config set --path ` +
          `cluster.context <context>; or, if it is to be replaced by this stack's: kubectl delete statefulset ` +
          `${SERVER_NAME} -n ${expected.namespace}`,
      });
    }
  }
  findings.push(...findOtherNames(state, expected));
  const running = runningImage(state);
  if (running !== undefined && expected.upgradeTo !== expected.image) {
    const { consequences } = compareImages(running, expected.image);
    if (consequences.length > 0) {
      findings.push({
        key: "database.image",
        message:
          `is ${expected.image}, and the server runs ${running}: ${consequences.join("; ")}. To do it on purpose, ` +
          "with a Job that brings the database along (docs/upgrades.md): pulumi config set --path " +
          `database.upgradeTo ${expected.image}`,
      });
    }
  }
  if (state.volume) {
    const path = state.volume.spec.hostPath?.path;
    const owner = state.volume.metadata.annotations?.[ANNOTATIONS.identity];
    const strange =
      strangeness(state.volume, expected) ??
      (owner === expected.identity ? undefined : `it belongs to ${owner ?? "somebody else"}`);
    const at = nodeOf(state.volume);
    if (strange === undefined && at !== undefined && at !== expected.hostname) {
      findings.push({
        key: "node.hostname",
        message:
          `is "${expected.hostname}", but the data is on node ${at}: PersistentVolume ${VOLUME_NAME} says so. To take ` +
          `it to another node: docs/moving.md. To leave it: pulumi config set --path node.hostname ${at}`,
      });
    } else if (owner === expected.identity && path !== undefined && path !== expected.path) {
      findings.push({
        key: "storage.path",
        message:
          `is "${expected.path}", but the data is in ${path}: PersistentVolume ${VOLUME_NAME} says so. To move it: ` +
          `docs/moving.md. To leave it: pulumi config set --path storage.path ${path}`,
      });
    } else if (strange !== undefined) {
      findings.push({
        key: "storage.path",
        message:
          `is "${expected.path}", but the cluster has a PersistentVolume ${VOLUME_NAME} that is not this stack's: ` +
          `${strange}. If it is not needed any more (its directory stays): kubectl delete pv ${VOLUME_NAME}`,
      });
    }
  }
  return findings;
}

/** Why the cluster could not be looked at, in a sentence. */
export function reasonOf(error: unknown): string {
  if (error instanceof KubectlError) return error.message;
  throw error;
}
