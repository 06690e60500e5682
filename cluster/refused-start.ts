/** A new server next to a trial that has failed: nothing else ends the engine's wait for it. */
import * as pulumi from "@pulumi/pulumi";
import { JOB_LABEL, SERVER_NAME, SERVER_POD, SETTINGS_JOB_NAME } from "../components/kubernetes/names.ts";
import { type ClusterContext, kubectl } from "./kubectl.ts";
import type { PodObject } from "./pod-troubles.ts";

/** Whether the trial has failed while the server is not ready: it starts again and again with what was refused. */
export function isRefusedStart(pods: readonly PodObject[]): boolean {
  const server = pods.find(({ metadata }) => metadata.name === SERVER_POD);
  const failed = pods.some(
    ({ metadata, status }) =>
      metadata.labels?.[JOB_LABEL] === SETTINGS_JOB_NAME && status?.phase === "Failed",
  );
  return failed && server !== undefined && !server.status?.conditions?.some(isReady);
}

function isReady({ type, status }: { type: string; status: string }): boolean {
  return type === "Ready" && status === "True";
}

/**
 * Looks at the pods of a first deployment, and scales the server to no pod when {@link isRefusedStart}: the engine then
 * ends with the trial's words. The next `up` sees the number, and sets it to one again.
 */
export function stopRefusedStart(
  cluster: ClusterContext,
  namespace: string,
): (pods: readonly PodObject[]) => Promise<void> {
  let stopped = false;
  return async (pods) => {
    if (stopped || !isRefusedStart(pods)) return;
    await kubectl(cluster, ["scale", "statefulset", SERVER_NAME, "-n", namespace, "--replicas=0"]);
    stopped = true;
    await pulumi.log.info(
      `the new server does not start with what Job ${SETTINGS_JOB_NAME} refuses, and is stopped; the next \`up\` starts it`,
    );
  };
}
