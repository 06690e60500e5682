/** Why a pod does not run, from its containers' own messages: Pulumi reports only CrashLoopBackOff. */
import { type ClusterContext, read } from "./kubectl.ts";

interface ContainerState {
  waiting?: { reason?: string; message?: string };
  terminated?: { exitCode: number; reason?: string; message?: string };
}

interface ContainerStatus {
  name: string;
  state?: ContainerState;
  lastState?: ContainerState;
}

/** The parts of a pod that are read. */
export interface PodObject {
  metadata: { name: string; labels?: Record<string, string> };
  spec?: { nodeName?: string };
  status?: {
    phase?: string;
    /** Why it is in its phase. */
    reason?: string;
    startTime?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}

/** Reasons of a container that is still starting. */
const ON_THE_WAY = new Set(["ContainerCreating", "PodInitializing"]);

/** The status of a process that SIGTERM has ended. */
const STOPPED = 143;

/** API path of a namespace's pods. */
export function podsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/pods`;
}

/** Reads a namespace's pods. */
export async function readPods(cluster: ClusterContext, namespace: string): Promise<PodObject[]> {
  return (await read<{ items: PodObject[] }>(cluster, podsPath(namespace)))?.items ?? [];
}

/** The relevant line of a container's termination message: the refusal if there is one, else the last line. */
function lastWords(message: string | undefined): string | undefined {
  const lines = message?.split("\n").filter((line) => line.trim() !== "") ?? [];
  return lines.findLast((line) => line.includes("REFUSED")) ?? lines.at(-1);
}

function troubleOf({ state, lastState }: ContainerStatus): string | undefined {
  const ended = state?.terminated ?? (state?.waiting ? lastState?.terminated : undefined);
  if (ended && ended.exitCode !== 0)
    return (
      lastWords(ended.message) ?? `it exited with status ${ended.exitCode} (${ended.reason ?? "no reason"})`
    );
  const { reason, message } = state?.waiting ?? {};
  if (reason === undefined || ON_THE_WAY.has(reason)) return undefined;
  return `${reason}${message === undefined ? "" : `: ${message}`}`;
}

/** Whether a sidecar was told to stop because the pod's own containers had ended. */
function stoppedWithPod({ state }: ContainerStatus, phase: string | undefined): boolean {
  return (phase === "Succeeded" || phase === "Failed") && state?.terminated?.exitCode === STOPPED;
}

/** One sentence for each container that neither runs nor is starting, and for a pod without a node. */
export function troublesOf({ metadata, status }: PodObject): string[] {
  const unscheduled = status?.conditions?.find(
    (condition) => condition.type === "PodScheduled" && condition.status === "False",
  );
  return [
    ...(unscheduled
      ? [`${metadata.name} cannot be scheduled: ${unscheduled.message ?? unscheduled.reason}`]
      : []),
    ...[
      ...(status?.initContainerStatuses ?? []).filter((sidecar) => !stoppedWithPod(sidecar, status?.phase)),
      ...(status?.containerStatuses ?? []),
    ].flatMap((container) => {
      const trouble = troubleOf(container);
      return trouble === undefined ? [] : [`${metadata.name}, container ${container.name}: ${trouble}`];
    }),
  ];
}
