import { bytesOfQuantity, cpusOfQuantity, readableBytes } from "../../quantities.ts";
import { type Container, type Pod, podsIn, volumesOf } from "../pods.ts";
import type { Resource } from "../resources.ts";
import { type Finding, stackRule } from "../rule.ts";
import { field, textAt } from "../values.ts";

interface Config {
  memory: string;
  cpus: number;
}

type Amount = (container: Container) => number;

/**
 * The most that a pod's containers take at once: those that stay, plus either the others or one init
 * container at a time (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/).
 */
function peakOf(pod: Pod, amount: Amount): number {
  let sidecars = 0;
  let starting = 0;
  for (const container of pod.containers) {
    if (container.sort === "sidecar") sidecars += amount(container);
    if (container.sort === "init") starting = Math.max(starting, sidecars + amount(container));
  }
  const running = pod.containers
    .filter(({ sort }) => sort === "main")
    .reduce((sum, container) => sum + amount(container), sidecars);
  return Math.max(starting, running);
}

const memoryLimit: Amount = ({ body }) =>
  bytesOfQuantity(textAt(body, "resources", "limits", "memory") ?? "") ?? 0;
const cpuRequest: Amount = ({ body }) =>
  cpusOfQuantity(textAt(body, "resources", "requests", "cpu") ?? "") ?? 0;
const cpuLimit: Amount = ({ body }) => cpusOfQuantity(textAt(body, "resources", "limits", "cpu") ?? "") ?? 0;

/**
 * Memory volumes, counted on top of the limits they are charged to: what a container wrote there stays when it is
 * restarted, and its successor has its own limit to fill.
 */
function memoryVolumes(pod: Pod): number {
  return volumesOf(pod)
    .filter((volume) => field(volume, "emptyDir", "medium") === "Memory")
    .reduce((sum, volume) => sum + (bytesOfQuantity(textAt(volume, "emptyDir", "sizeLimit") ?? "") ?? 0), 0);
}

/** Pods of a stack, except those that a Patch adds to. */
function ownPods(stack: readonly Resource[]): Pod[] {
  return podsIn(stack).filter(({ object }) => !object.patch && object.kind !== "PodTemplate");
}

export const nodeCapacity = stackRule<Config>({
  name: "node-capacity",
  asks: "memory limits and memory volumes within the node's memory; CPUs too",
  description:
    "Allotting more memory than the node has leaves it to the kernel which process dies, and the largest is the database",
  level: "mandatory",
  schema: {
    properties: {
      memory: {
        type: "string",
        pattern: "^\\d+(\\.\\d+)?[KMGT]i$",
        description: "Memory of the node that the stack may use, as a Kubernetes quantity",
      },
      cpus: { type: "number", minimum: 1, description: "CPUs of the node" },
    },
    required: ["memory", "cpus"],
  },
  check: (stack, { memory, cpus }) => {
    const pods = ownPods(stack);
    const findings: Finding[] = [];
    const parts = pods.map((pod) => ({
      text: `${pod.object.subject} ${pod.copies === 1 ? "" : `${pod.copies} x `}${readableBytes(peakOf(pod, memoryLimit) + memoryVolumes(pod))}`,
      bytes: pod.copies * (peakOf(pod, memoryLimit) + memoryVolumes(pod)),
    }));
    const sum = parts.reduce((total, { bytes }) => total + bytes, 0);
    if (sum > (bytesOfQuantity(memory) ?? 0)) {
      findings.push({
        subject: "stack",
        why: `memory limits and memory volumes come to ${readableBytes(sum)}, and the node has ${memory}: ${parts.map(({ text }) => text).join(" + ")}`,
        remedy: "lower the limits, or raise node-capacity.memory if the node has more",
      });
    }
    const requested = pods.reduce((total, pod) => total + pod.copies * peakOf(pod, cpuRequest), 0);
    if (requested > cpus) {
      findings.push({
        subject: "stack",
        why: `CPU requests come to ${requested}, and the node has ${cpus}; one pod would never be scheduled`,
        remedy: "lower the requests, or raise node-capacity.cpus if the node has more",
      });
    }
    // A Patch's too: what it patches is not here to be added up.
    for (const pod of podsIn(stack)) {
      for (const container of pod.containers) {
        if (pod.object.patch && memoryLimit(container) > (bytesOfQuantity(memory) ?? 0)) {
          findings.push({
            subject: pod.object.subject,
            urn: pod.object.resource.urn,
            why: `container ${container.name} has a memory limit of ${readableBytes(memoryLimit(container))}, and the node has ${memory}`,
            remedy: `resources.limits.memory: what the stack leaves of ${memory}`,
          });
        }
        if (cpuLimit(container) <= cpus) continue;
        findings.push({
          subject: pod.object.subject,
          urn: pod.object.resource.urn,
          why: `container ${container.name} has a CPU limit of ${cpuLimit(container)}, and the node has ${cpus}`,
          remedy: `resources.limits.cpu: "${cpus}" or less`,
        });
      }
    }
    return findings;
  },
});
