/** A pod of the server's own kind next to the server's pod. */
import assert from "node:assert/strict";
import { until } from "../support.ts";
import { type Lab, NAMESPACE } from "./lab.ts";

/** The part of a pod's template that is changed here. */
export interface PodSpec {
  containers: {
    name: string;
    command: string[];
    env: { name: string; value: string }[];
    startupProbe?: unknown;
    livenessProbe?: unknown;
    readinessProbe?: unknown;
  }[];
  volumes: { name: string; [source: string]: unknown }[];
  initContainers?: unknown;
  restartPolicy?: string;
  terminationGracePeriodSeconds?: number;
}

/** The specification of the server's pods, as it is in the cluster. */
export async function serverTemplate(lab: Lab): Promise<PodSpec> {
  const set = await lab.read<{ spec: { template: { spec: PodSpec } } }>("statefulset", "postgres");
  assert.ok(set, "there is no StatefulSet");
  return set.spec.template.spec;
}

export interface OtherServer {
  untilLogs: (pattern: RegExp) => Promise<void>;
  remove: () => Promise<void>;
}

/** Starts the server's container a second time, on the same claim; as another stack's when `identity` is given. */
export async function otherServer(lab: Lab, name: string, identity?: string): Promise<OtherServer> {
  const spec = await serverTemplate(lab);
  const [container] = spec.containers.filter((it) => it.name === "postgres");
  assert.ok(container);
  delete container.startupProbe;
  delete container.livenessProbe;
  delete container.readinessProbe;
  const env = container.env.map((it) =>
    it.name === "IDENTITY" && identity !== undefined ? { ...it, value: identity } : it,
  );
  await lab.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NAMESPACE },
    spec: { ...spec, containers: [{ ...container, env }], restartPolicy: "Never" },
  });
  return {
    untilLogs: (pattern) =>
      until(
        `${name} says ${pattern.source}`,
        async () => pattern.test((await lab.tryKubectl("logs", name, "-n", NAMESPACE)).stdout),
        40_000,
        500,
      ),
    remove: async () => {
      await lab.kubectl(
        "delete",
        "pod",
        name,
        "-n",
        NAMESPACE,
        "--grace-period=0",
        "--force",
        "--ignore-not-found",
      );
    },
  };
}
