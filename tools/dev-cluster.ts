/** Which cluster `npm run up` deploys to: the one named, else a K3s on this machine, else the local cluster. */
import { existsSync } from "node:fs";
import { hostname as thisHost } from "node:os";
import { dirname, delimiter } from "node:path";
import { type ClusterContext, kubectl, KubectlError, read } from "../components/kubectl.ts";
import { start } from "./local-cluster/cluster.ts";

/** Where K3s writes its kubeconfig. */
const K3S_KUBECONFIG = "/etc/rancher/k3s/k3s.yaml";

/** A cluster to deploy `dev` to. */
export interface DevCluster extends ClusterContext {
  /** The node for the database. */
  node: string;
  /** Whether the node's file system is this machine's. */
  onThisMachine: boolean;
  /** Set where this is the local cluster. */
  local?: { name: string; postgresImage?: string; dbmateImage?: string };
}

/** What a person may say on the command line. */
export interface ClusterChoice {
  context?: string | undefined;
  node?: string | undefined;
  /** Name of the local cluster. */
  localCluster: string;
}

async function nodesOf(cluster: ClusterContext): Promise<string[]> {
  const nodes = await read<{ items: { metadata: { name: string } }[] }>(cluster, "/api/v1/nodes");
  return (nodes?.items ?? []).map(({ metadata }) => metadata.name);
}

async function namedCluster(context: string, node: string | undefined): Promise<DevCluster> {
  const names = await nodesOf({ context }).catch((error: unknown) => {
    throw error instanceof KubectlError
      ? new Error(
          `--context: cluster ${context} cannot be reached: ${error.message}. See: kubectl config get-contexts`,
        )
      : error;
  });
  const chosen = node ?? (names.length === 1 ? names[0] : undefined);
  if (chosen === undefined || !names.includes(chosen)) {
    throw new Error(
      `--node: ${node === undefined ? "which node?" : `"${node}" is no node of ${context}.`} It has: ${names.join(", ")}`,
    );
  }
  return { context, node: chosen, onThisMachine: false };
}

async function k3sHere(): Promise<DevCluster | undefined> {
  if (!existsSync(K3S_KUBECONFIG)) return undefined;
  const cluster = { kubeconfig: K3S_KUBECONFIG };
  try {
    const names = await nodesOf(cluster);
    const here = names.find((name) => name === thisHost().toLowerCase());
    return here === undefined ? undefined : { ...cluster, node: here, onThisMachine: true };
  } catch (error) {
    console.log(`there is a K3s on this machine, but it cannot be used: ${String(error)}`);
    return undefined;
  }
}

async function localCluster(name: string): Promise<DevCluster> {
  console.log(
    `no cluster was named (--context) and there is no K3s on this machine: starting the local cluster "${name}", ` +
      "which tools/local-cluster/README.md describes. `npm run down` stops it",
  );
  const cluster = await start({ name, log: (line) => console.log(`  ${line}`) });
  // The cluster brings a kubectl of its own, for machines without one.
  process.env.PATH = `${process.env.PATH}${delimiter}${dirname(cluster.kubectl)}`;
  return {
    kubeconfig: cluster.kubeconfig,
    context: cluster.context,
    node: cluster.nodeName,
    onThisMachine: true,
    local: { name, postgresImage: cluster.postgresImage, dbmateImage: cluster.dbmateImage },
  };
}

/** Makes sure there is a cluster, starting the local one where there is none. */
export async function ensureCluster(choice: ClusterChoice): Promise<DevCluster> {
  if (choice.context !== undefined) return namedCluster(choice.context, choice.node);
  return (await k3sHere()) ?? (await localCluster(choice.localCluster));
}

/** The server's version, as a sign of life. */
export function serverVersion(cluster: ClusterContext): Promise<string> {
  return kubectl(cluster, ["version", "-o", "json"]).then(
    (text) => (JSON.parse(text) as { serverVersion: { gitVersion: string } }).serverVersion.gitVersion,
  );
}
