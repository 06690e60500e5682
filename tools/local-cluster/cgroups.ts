import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterPaths } from "./paths.ts";
import { waitUntil } from "./wait-until.ts";

/**
 * Every process of a cluster is in a control group below one named after it: the node's own in `node`, pods in
 * `kubepods`. This is how they are found, whatever happened to the node.
 */
export function clusterCgroups(paths: ClusterPaths): string[] {
  return hierarchies().map((mount) => join(mount, paths.fullName));
}

/** Creates the node's own control groups and returns the files to which a process writes itself. */
export function makeCgroups(paths: ClusterPaths): string[] {
  return clusterCgroups(paths).map((cgroup) => {
    const node = join(cgroup, "node");
    mkdirSync(node, { recursive: true });
    // Under version 1 a new cpuset is empty, and nothing can be put into it.
    for (const folder of [cgroup, node]) {
      for (const file of ["cpuset.cpus", "cpuset.mems"]) {
        if (existsSync(join(folder, "cpuset.sched_load_balance"))) {
          writeFileSync(join(folder, file), readFileSync(join(folder, "..", file)));
        }
      }
    }
    return join(node, "cgroup.procs");
  });
}

/** Process ids, as the host sees them, of everything that runs in the cluster. */
export function clusterProcesses(paths: ClusterPaths): number[] {
  const found = new Set<number>();
  for (const cgroup of clusterCgroups(paths)) {
    for (const folder of withDescendants(cgroup)) {
      try {
        const lines = readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n");
        for (const line of lines) if (line !== "" && line !== "0") found.add(Number(line));
      } catch {
        // The group disappeared between listing and reading.
      }
    }
  }
  return [...found];
}

/** Removes the cluster's control groups, which must not contain processes. */
export async function removeCgroups(paths: ClusterPaths): Promise<void> {
  // A group whose last process has just ended stays busy for a moment.
  await waitUntil(() => {
    for (const cgroup of clusterCgroups(paths)) {
      for (const folder of withDescendants(cgroup).reverse()) {
        try {
          rmdirSync(folder);
        } catch {
          // Retried.
        }
      }
    }
    return clusterCgroups(paths).every((cgroup) => !existsSync(cgroup));
  }, 5000);
}

function hierarchies(): string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const found = mounts
    .map((line) => line.split(" "))
    .filter(([, , type]) => type === "cgroup" || type === "cgroup2");
  return [...new Set(found.map(([, mountPoint]) => mountPoint ?? ""))];
}

/** A folder before what is in it. */
function withDescendants(folder: string): string[] {
  try {
    const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [folder, ...inside.flatMap((entry) => withDescendants(join(folder, entry.name)))];
  } catch {
    return [];
  }
}
