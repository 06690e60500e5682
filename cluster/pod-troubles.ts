/** Why a pod does not run, in its containers' own words: Pulumi's wait says no more than CrashLoopBackOff. */
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

/** What is read of a pod. */
export interface PodObject {
  metadata: { name: string; labels?: Record<string, string> };
  spec?: { nodeName?: string };
  status?: {
    phase?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}

/** A container that waits for one of these is on its way. */
const ON_THE_WAY = new Set(["ContainerCreating", "PodInitializing"]);

/** API path of the pods of a namespace. */
export function podsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/pods`;
}

/** Reads the pods of a namespace. */
export async function readPods(cluster: ClusterContext, namespace: string): Promise<PodObject[]> {
  return (await read<{ items: PodObject[] }>(cluster, podsPath(namespace)))?.items ?? [];
}

/** The line that matters of a container's last words: the refusal where there is one, else the last. */
function lastWords(message: string | undefined): string | undefined {
  const lines = message?.split("\n").filter((line) => line.trim() !== "") ?? [];
  return lines.findLast((line) => line.includes("REFUSED")) ?? lines.at(-1);
}

function troubleOf({ state, lastState }: ContainerStatus): string | undefined {
  const ended = state?.terminated ?? (state?.waiting ? lastState?.terminated : undefined);
  if (ended && ended.exitCode !== 0)
    return (
      lastWords(ended.message) ?? `it ended with status ${ended.exitCode} (${ended.reason ?? "no reason"})`
    );
  const { reason, message } = state?.waiting ?? {};
  if (reason === undefined || ON_THE_WAY.has(reason)) return undefined;
  return `${reason}${message === undefined ? "" : `: ${message}`}`;
}

/** One sentence for each container that does not run and is not on its way, and for a pod that has no node. */
export function troublesOf({ metadata, status }: PodObject): string[] {
  const unscheduled = status?.conditions?.find(
    (condition) => condition.type === "PodScheduled" && condition.status === "False",
  );
  return [
    ...(unscheduled
      ? [`${metadata.name} has no node to run on: ${unscheduled.message ?? unscheduled.reason}`]
      : []),
    ...[...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].flatMap(
      (container) => {
        const trouble = troubleOf(container);
        return trouble === undefined ? [] : [`${metadata.name}, container ${container.name}: ${trouble}`];
      },
    ),
  ];
}
