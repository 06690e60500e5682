import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";

/** The paths and names of one cluster, all derived from the cluster's name. */
export interface ClusterPaths {
  name: string;
  /** Prefix of what the kernel or the user sees: network namespace, cgroup, kubeconfig context. */
  fullName: string;
  nodeName: string;
  /** DNS domain of the cluster's names. */
  domain: string;
  /** More flags of the API server. */
  apiServerFlags: readonly string[];
  /** Whether NetworkPolicies are enforced. */
  networkPolicies: boolean;
  /** Whether metrics-server runs. */
  metrics: boolean;
  /** What survives a stop: the API's database, images, certificates, pod logs. */
  state: string;
  /** Sockets and other things that end with the node. Short, because a socket's path is limited to 107 bytes. */
  runtime: string;
  containerdSocket: string;
  kubeconfig: string;
  /** The host's end of the cable to the node. Linux allows 15 characters. */
  interface: string;
  /** Path of the named network namespace. */
  networkNamespace: string;
}

const product = "transcript-pipeline";

/**
 * Names and folders of the cluster called `name`.
 *
 * @throws if the name could not be part of a host name
 */
export function clusterPaths(name: string): ClusterPaths {
  if (!/^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$/.test(name)) {
    throw new Error(
      `"${name}" cannot be a cluster's name: use up to 30 lower-case letters, digits and hyphens, beginning with a letter`,
    );
  }
  const fullName = `${product}-${name}`;
  const state = join(stateRoot(), "clusters", name);
  const runtime = join("/run", product, name);
  return {
    name,
    fullName,
    nodeName: `${name}-node`,
    domain: "cluster.local",
    apiServerFlags: [],
    networkPolicies: false,
    metrics: false,
    state,
    runtime,
    containerdSocket: join(runtime, "containerd.sock"),
    kubeconfig: join(state, "kubeconfig"),
    interface: name.length <= 12 ? `tp-${name}` : `tp-${name.slice(0, 5)}-${digest(name).slice(0, 6)}`,
    networkNamespace: join("/run/netns", fullName),
  };
}

/** Builds and images: shared by all clusters, safe to delete while none is being started. */
export function cacheRoot(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), product);
}

function stateRoot(): string {
  return join(process.env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), product);
}

/** Hexadecimal SHA-256 of a text. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
