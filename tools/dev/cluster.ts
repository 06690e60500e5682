/** Which cluster `npm run up` deploys to: the named one, else a K3s on this machine, else the local cluster. */
import { existsSync } from "node:fs";
import { hostname as thisHost, networkInterfaces } from "node:os";
import { dirname, delimiter } from "node:path";
import { type ClusterContext, kubectl, KubectlError, read } from "../../cluster/kubectl.ts";
import { hostnameOf, type NodeObject } from "../../cluster/node-fitness.ts";
import { start } from "../local-cluster/cluster.ts";

/** Where K3s writes its kubeconfig. */
const K3S_KUBECONFIG = "/etc/rancher/k3s/k3s.yaml";

/** A cluster to deploy `dev` to. */
export interface DevCluster extends ClusterContext {
  /** The node for the database, by its label kubernetes.io/hostname. */
  node: string;
  /** The cluster's DNS domain. */
  domain: string;
  /** Version of its API server. */
  version: string;
  /** Whether the node's file system is this machine's. */
  onThisMachine: boolean;
  /** Set where this is the local cluster. */
  local?: { name: string };
}

/** Options of the command line. */
export interface ClusterChoice {
  context?: string | undefined;
  node?: string | undefined;
  /** Name of the local cluster. */
  localCluster: string;
}

/** This machine's name and addresses. */
export interface Machine {
  hostname: string;
  addresses: readonly string[];
}

function thisMachine(): Machine {
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return { hostname: thisHost(), addresses: addresses.map(({ address }) => address) };
}

/** How the configuration names a node. */
const configured = (node: NodeObject) => hostnameOf(node) ?? node.metadata.name;

const isNamed = (node: NodeObject, name: string) => node.metadata.name === name || hostnameOf(node) === name;

/** Whether a node is this machine: it has its name or one of its addresses. K3s takes any name (`--node-name`). */
export function isThisMachine(node: NodeObject, { hostname, addresses }: Machine): boolean {
  const address = (node.status?.addresses ?? []).some(
    ({ type, address }) => type.endsWith("IP") && addresses.includes(address),
  );
  return address || isNamed(node, hostname) || isNamed(node, hostname.toLowerCase());
}

/**
 * The node of a cluster for the database.
 *
 * @param wanted the node that was named
 * @param usual the one to take if none was named
 * @throws Error if the choice is ambiguous
 */
export function chooseNode(
  nodes: readonly NodeObject[],
  wanted: string | undefined,
  which: string,
  usual: (node: NodeObject) => boolean = () => false,
): NodeObject {
  const [one, ...more] = nodes;
  const chosen =
    wanted === undefined
      ? (nodes.find(usual) ?? (more.length === 0 ? one : undefined))
      : nodes.find((node) => isNamed(node, wanted));
  if (chosen) return chosen;
  const names = nodes.map(configured).join(", ") || "none";
  throw new Error(
    wanted === undefined
      ? `--node: ${which} has these nodes: ${names}. Name one: npm run up -- --node <name>`
      : `--node: "${wanted}" is not a node of ${which}. It has: ${names}`,
  );
}

async function nodesOf(cluster: ClusterContext): Promise<NodeObject[]> {
  return (await read<{ items: NodeObject[] }>(cluster, "/api/v1/nodes"))?.items ?? [];
}

/** The DNS domain that a node's kubelet gives to its pods; the usual one if the kubelet does not answer. */
async function domainOf(cluster: ClusterContext, node: NodeObject): Promise<string> {
  const path = `/api/v1/nodes/${node.metadata.name}/proxy/configz`;
  const config = await read<{ kubeletconfig?: { clusterDomain?: string } }>(cluster, path).catch(
    () => undefined,
  );
  return config?.kubeletconfig?.clusterDomain || "cluster.local";
}

/** The server's version, as a sign of life. */
function versionOf(cluster: ClusterContext): Promise<string> {
  return kubectl(cluster, ["version", "-o", "json"]).then(
    (text) => (JSON.parse(text) as { serverVersion: { gitVersion: string } }).serverVersion.gitVersion,
  );
}

/** What a deployment needs to know about a cluster. */
async function described(
  cluster: ClusterContext,
  node: NodeObject,
): Promise<Pick<DevCluster, "node" | "domain" | "version">> {
  const [domain, version] = await Promise.all([domainOf(cluster, node), versionOf(cluster)]);
  return { node: configured(node), domain, version };
}

async function namedCluster(context: string, wanted: string | undefined): Promise<DevCluster> {
  const cluster = { context };
  const nodes = await nodesOf(cluster).catch((error: unknown) => {
    throw error instanceof KubectlError
      ? new Error(
          `--context: cluster ${context} cannot be reached: ${error.message}. See: kubectl config get-contexts`,
        )
      : error;
  });
  const node = chooseNode(nodes, wanted, `cluster ${context}`);
  return { ...cluster, ...(await described(cluster, node)), onThisMachine: false };
}

async function k3sHere(wanted: string | undefined): Promise<DevCluster | undefined> {
  if (!existsSync(K3S_KUBECONFIG)) return undefined;
  const cluster = { kubeconfig: K3S_KUBECONFIG };
  let nodes: NodeObject[];
  try {
    nodes = await nodesOf(cluster);
  } catch (error) {
    if (!(error instanceof KubectlError)) throw error;
    console.log(`this machine has a K3s, but it cannot be used: ${error.message}`);
    return undefined;
  }
  const machine = thisMachine();
  const node = chooseNode(nodes, wanted, "K3s on this machine", (one) => isThisMachine(one, machine));
  // Its only node is where K3s runs, whatever its name and addresses are.
  const onThisMachine = nodes.length === 1 || isThisMachine(node, machine);
  return { ...cluster, ...(await described(cluster, node)), onThisMachine };
}

async function localCluster(name: string, wanted: string | undefined): Promise<DevCluster> {
  console.log(
    "an existing cluster (K3s, kind, k3d) takes seconds: npm run up -- --context <name>. None was named and this " +
      `machine has no K3s, so the local cluster "${name}" is started, and built first if it never was ` +
      "(tools/local-cluster/README.md). `npm run down` stops it",
  );
  const cluster = await start({ name, log: (line) => console.log(`  ${line}`) });
  // The cluster has its own kubectl, for machines without one.
  process.env.PATH = `${process.env.PATH}${delimiter}${dirname(cluster.kubectl)}`;
  const { kubeconfig, context } = cluster;
  const node = chooseNode(await nodesOf({ kubeconfig, context }), wanted, `the local cluster "${name}"`);
  return {
    kubeconfig,
    context,
    ...(await described({ kubeconfig, context }, node)),
    onThisMachine: true,
    local: { name },
  };
}

/** Ensures that there is a cluster; starts the local one if there is none. */
export async function ensureCluster(choice: ClusterChoice): Promise<DevCluster> {
  if (choice.context !== undefined) return namedCluster(choice.context, choice.node);
  return (await k3sHere(choice.node)) ?? (await localCluster(choice.localCluster, choice.node));
}
