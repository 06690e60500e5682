/** Faults of the machine and of what runs the pods on it. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { stop } from "../../../tools/local-cluster/cluster.ts";
import { until } from "../support.ts";
import { type Lab, NAMESPACE, POD } from "./lab.ts";
import { isAlive, signal } from "./node-processes.ts";
import type { Fault } from "./runner.ts";

/** A killed component of the node; the node's first process restarts it, as systemd does with K3s. */
function killOfComponent(name: string, title: string): Fault {
  return {
    name: `SIGKILL of ${title}`,
    group: "node",
    strike: async (lab) => {
      const killed = lab.component(name);
      const since = Date.now();
      signal(killed, "SIGKILL");
      await until(`another ${name} runs`, () => successorOf(lab, name, killed.pid), 30_000);
      await until(
        "the API answers",
        async () => (await lab.tryKubectl("get", "--raw", "/readyz")).status === 0,
        60_000,
        500,
      );
      return { since };
    },
  };
}

function successorOf(lab: Lab, name: string, killed: number): boolean {
  try {
    return lab.component(name).pid !== killed;
  } catch {
    return false;
  }
}

export const nodeFaults: Fault[] = [
  killOfComponent("containerd", "the container runtime"),
  killOfComponent("kubelet", "the kubelet"),
  killOfComponent("kube-apiserver", "the API server"),
  killOfComponent("kine", "the API server's database"),
  {
    name: "a node out of reach comes back after its pod was force-deleted",
    group: "node",
    limit: 90,
    strike: async (lab, random) => {
      const kubelet = lab.component("kubelet");
      const postmaster = await lab.postmaster();
      const seconds = random.between(4, 10);
      let since = 0;
      signal(kubelet, "SIGSTOP");
      try {
        await lab.kubectl("delete", "pod", POD, "-n", NAMESPACE, "--grace-period=0", "--force");
        await pause(seconds * 1000);
        assert.ok(isAlive(postmaster), "the old server should run on: nobody can reach its node");
      } finally {
        since = Date.now();
        signal(kubelet, "SIGCONT");
      }
      await until("the old server has ended", () => !isAlive(postmaster), 60_000, 50);
      return { since, note: `${seconds} s` };
    },
  },
  {
    name: "power failure of the node",
    group: "node",
    limit: 120,
    strike: async (lab) => {
      const init = lab.nodeInit();
      signal(init, "SIGKILL");
      await until("the node is off", () => lab.processes().length === 0, 20_000, 50);
      const since = Date.now();
      await lab.startNode();
      return { since, note: "from power on" };
    },
  },
  {
    name: "the node stopped and started",
    group: "node",
    limit: 120,
    strike: async (lab) => {
      await stop({ name: lab.cluster.name });
      const since = Date.now();
      await lab.startNode();
      return { since, note: "from power on" };
    },
  },
];
