import { existsSync } from "node:fs";
import type { ClusterPaths } from "./paths.ts";
import { digest } from "./paths.ts";
import { attempt, run } from "../processes.ts";

/** Inside the node, as in K3s: they do not exist on the host, so every cluster can have the same. */
export const podRange = "10.42.0.0/24";
export const serviceRange = "10.43.0.0/16";
/** First address of the service range: the API server's own Service. */
export const apiServiceAddress = "10.43.0.1";

/** The DNS server's Service, where it is a pod; K3s's address. */
export const dnsServiceAddress = "10.43.0.10";

/** The two ends of the cable between host and node. */
export interface Addresses {
  /** In the form 10.213.7.0/30. */
  range: string;
  host: string;
  node: string;
}

/**
 * The four addresses of a cluster: LOCAL_CLUSTER_SUBNET, or four of 10.213.0.0/16 chosen by the cluster's name, so that
 * a kubeconfig stays valid across restarts.
 */
export function addresses(name: string): Addresses {
  // One of the 16,384 blocks of four in 10.213.0.0/16.
  const block = parseInt(digest(name).slice(0, 4), 16) >> 2;
  const range = process.env["LOCAL_CLUSTER_SUBNET"] || `10.213.${block >> 6}.${(block & 63) << 2}/30`;
  const { first, size } = parseRange(range);
  if (size !== 4 || first % 4 !== 0) {
    throw new Error(
      `LOCAL_CLUSTER_SUBNET is "${range}": an address range of the form 10.213.7.0/30 is needed`,
    );
  }
  for (const own of [podRange, serviceRange]) {
    if (overlap(range, own))
      throw new Error(`LOCAL_CLUSTER_SUBNET ${range} overlaps ${own}, which the node itself uses`);
  }
  return { range, host: format(first + 1), node: format(first + 2) };
}

/**
 * Refuses a range that this machine uses for something else.
 *
 * @throws naming the range, the interface and the variable that changes it
 */
export async function requireFreeRange(paths: ClusterPaths, range: string): Promise<void> {
  const routes = JSON.parse(await run("ip", ["-json", "-4", "route", "show", "table", "all"])) as {
    dst: string;
    dev?: string;
    type?: string;
  }[];
  for (const { dst, dev, type } of routes) {
    if (dst === "default" || dev === paths.interface || type === "broadcast") continue;
    if (overlap(range, dst)) {
      throw new Error(
        `the address range ${range} of cluster "${paths.name}" is in use on this machine: ${dst}, interface ` +
          `${dev ?? "none"}. Choose four other addresses: LOCAL_CLUSTER_SUBNET=10.214.0.0/30`,
      );
    }
  }
}

/** Creates the node's network namespace and the cable to it. */
export async function connect(paths: ClusterPaths, { host, node }: Addresses): Promise<void> {
  const inside = ["-netns", paths.fullName];
  await run("ip", ["netns", "add", paths.fullName]);
  const nodeEnd = ["peer", "name", "eth0", "netns", paths.fullName];
  await run("ip", ["link", "add", paths.interface, "type", "veth", ...nodeEnd]);
  await run("ip", ["address", "add", `${host}/30`, "dev", paths.interface]);
  await run("ip", ["link", "set", paths.interface, "up"]);
  await run("ip", [...inside, "link", "set", "lo", "up"]);
  await run("ip", [...inside, "address", "add", `${node}/30`, "dev", "eth0"]);
  await run("ip", [...inside, "link", "set", "eth0", "up"]);
  // Leads nowhere, because the host forwards nothing for the node; Kubernetes expects a default route.
  await run("ip", [...inside, "route", "add", "default", "via", host]);
}

/** Removes the namespace, and with it both ends of the cable and every firewall rule of the node. */
export async function disconnect(paths: ClusterPaths): Promise<void> {
  await attempt("ip", ["link", "delete", paths.interface]);
  if (existsSync(paths.networkNamespace)) await run("ip", ["netns", "delete", paths.fullName]);
}

function overlap(a: string, b: string): boolean {
  const [one, other] = [parseRange(a), parseRange(b)];
  return one.first < other.first + other.size && other.first < one.first + one.size;
}

function parseRange(range: string): { first: number; size: number } {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(range);
  if (match === null) return { first: NaN, size: NaN };
  const [a = 0, b = 0, c = 0, d = 0] = match.slice(1, 5).map(Number);
  return { first: ((a * 256 + b) * 256 + c) * 256 + d, size: 2 ** (32 - Number(match[5] ?? 32)) };
}

function format(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
