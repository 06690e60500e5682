/** Deployments of the lab's stack that can be watched, and killed, while they run. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { projectFile } from "../../../tools/cli.ts";
import { backendOf } from "../../../tools/dev/deploy-with-engine.ts";
import { engineEnvironment } from "../../../tools/engine/environment.ts";
import { execute, type Ran } from "../support.ts";
import { type Lab, NAMESPACE } from "./lab.ts";

/** Pulumi on the stack, as `npm run up` runs it. */
export function pulumi(
  lab: Lab,
  args: string[],
  configFile = lab.state.configFile,
  input?: string,
): Promise<Ran> {
  assert.ok(lab.engine);
  return execute(
    lab.engine.command,
    [...args, "--stack", "dev", "--config-file", configFile, "--non-interactive"],
    {
      env: engineEnvironment({ backend: backendOf(lab.state) }),
      ...(input !== undefined && { input }),
    },
  );
}

/** Removes the deployment and leaves the cluster, so that the next `up` has everything to do. */
export async function destroy(lab: Lab): Promise<void> {
  if (lab.engine) {
    const ran = await pulumi(lab, ["destroy", "--yes", "--skip-preview"]);
    assert.equal(ran.status, 0, ran.output);
  } else {
    await lab.kubectl("delete", "namespace", NAMESPACE);
    await lab.kubectl("delete", "pv", "postgres-pv");
  }
}

/** `npm run up`, running. */
export class RunningUp {
  private readonly child;
  readonly end: Promise<number | null>;
  output = "";

  constructor(lab: Lab) {
    this.child = spawn("npm", ["run", "--silent", "up", "--", "--local-cluster", lab.cluster.name], {
      cwd: projectFile("."),
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.setEncoding("utf8").on("data", (data: string) => (this.output += data));
    this.end = new Promise((resolve) => this.child.on("exit", (status) => resolve(status)));
  }

  /** The process, and everything it has started. */
  family(): { pid: number; title: string }[] {
    const children = new Map<number, number[]>();
    for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
      try {
        const parent = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1]);
        children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
      } catch {
        // It ended while we looked.
      }
    }
    const found: { pid: number; title: string }[] = [];
    const add = (pid: number): void => {
      found.push({ pid, title: titleOf(pid) });
      children.get(pid)?.forEach(add);
    };
    if (this.child.pid !== undefined) add(this.child.pid);
    return found;
  }

  kill(which: (title: string) => boolean): number {
    const chosen = this.family().filter(({ title }) => which(title));
    for (const { pid } of chosen) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has already ended.
      }
    }
    return chosen.length;
  }
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** One `npm run up` must repair everything; then the writer's Service is created again. */
export async function upOnce(lab: Lab): Promise<void> {
  await lab.up();
  await lab.openDoor();
}
