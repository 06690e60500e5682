/** Command lines and environments of the node's processes, gathered while something happens. */
import { readFileSync } from "node:fs";
import { clusterProcesses } from "../../../../tools/local-cluster/cgroups.ts";
import { clusterPaths } from "../../../../tools/local-cluster/paths.ts";
import { CLUSTER } from "../../support.ts";

/** Milliseconds between two looks. */
const INTERVAL = 100;

/** A process's file below /proc; empty if it has ended. */
function fileOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return "";
  }
}

export class ProcessWatch {
  readonly commandLines = new Set<string>();
  readonly environments = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  /** Looks again and again, until it is stopped. */
  start(): void {
    this.timer = setInterval(() => this.look(), INTERVAL);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Looks once. */
  look(): void {
    for (const pid of clusterProcesses(clusterPaths(CLUSTER))) {
      this.commandLines.add(fileOf(pid, "cmdline"));
      this.environments.add(fileOf(pid, "environ"));
    }
  }

  /** Looks once, for the environments that have a text. */
  lookFor(text: string): void {
    for (const pid of clusterProcesses(clusterPaths(CLUSTER))) {
      const environment = fileOf(pid, "environ");
      if (environment.includes(text)) this.environments.add(environment);
    }
  }
}
