/** The node's processes, as the machine sees them. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { clusterCgroups } from "../../../tools/local-cluster/cgroups.ts";
import type { ClusterPaths } from "../../../tools/local-cluster/paths.ts";

/** A process of the node. */
export interface NodeProcess {
  pid: number;
  /** Its id in the innermost PID namespace: 1 for a container's first. */
  inner: number;
  /** How many PID namespaces it is in: 2 for the node's own, 3 for containers'. */
  depth: number;
  /** Command line, words separated by spaces. */
  title: string;
}

/** Sends a signal; the process may have ended meanwhile. */
export function signal(target: NodeProcess | readonly NodeProcess[], name: NodeJS.Signals): void {
  for (const { pid } of [target].flat()) {
    try {
      process.kill(pid, name);
    } catch {
      // It has already ended.
    }
  }
}

export function isAlive({ pid }: NodeProcess): boolean {
  return existsSync(`/proc/${pid}/exe`) && !/^State:\s+Z/m.test(statusOf(pid));
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

/** Process ids of all pods, or of one container. */
export function podProcesses(paths: ClusterPaths, container?: string): number[] {
  const found = new Set<number>();
  const look = (folder: string, within: boolean): void => {
    let entries;
    try {
      entries = readdirSync(folder, { withFileTypes: true });
      if (within) {
        for (const line of readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n"))
          if (line !== "" && line !== "0") found.add(Number(line));
      }
    } catch {
      return; // The group went away.
    }
    for (const entry of entries) {
      if (entry.isDirectory()) look(join(folder, entry.name), within || entry.name === container);
    }
  };
  // All hierarchies of version 1 hold the same processes: one will do.
  const [cgroup] = clusterCgroups(paths).filter((folder) => existsSync(join(folder, "kubepods")));
  if (cgroup !== undefined) look(join(cgroup, "kubepods"), container === undefined);
  return [...found];
}

export function describeProcess(pid: number): NodeProcess | undefined {
  try {
    const ids = /^NSpid:\s*(.*)$/m.exec(statusOf(pid))?.[1]?.split("\t") ?? [];
    const title = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return { pid, inner: Number(ids.at(-1)), depth: ids.length, title };
  } catch {
    return undefined;
  }
}

/** The process's parent, as the machine sees it. */
export function parentOf({ pid }: NodeProcess): NodeProcess {
  const parent = describeProcess(Number(/^PPid:\s*(\d+)/m.exec(statusOf(pid))?.[1]));
  assert.ok(parent);
  return parent;
}
