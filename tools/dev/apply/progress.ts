/** An object's progress in the cluster, by its kind. */
import type { LiveObject } from "./cluster-objects.ts";
import type { Manifest } from "../../evaluation/manifests.ts";

/** An object's progress. */
export type Progress = "ready" | "waiting" | { failed: string };

interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

interface Status {
  observedGeneration?: number;
  phase?: string;
  conditions?: Condition[];
  replicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  updatedReplicas?: number;
  currentRevision?: string;
  updateRevision?: string;
  desiredNumberScheduled?: number;
  updatedNumberScheduled?: number;
  numberAvailable?: number;
}

type Look = (live: LiveObject, status: Status) => Progress;

const when = (ready: boolean): Progress => (ready ? "ready" : "waiting");

const holds = ({ conditions = [] }: Status, type: string, wanted = "True") =>
  conditions.find((condition) => condition.type === type && condition.status === wanted);

/** Whether the controller has seen the object's current generation. */
const isObserved = ({ metadata: { generation = 0 } }: LiveObject, { observedGeneration = 0 }: Status) =>
  observedGeneration >= generation;

/** Whether every pod is made from the current template, where the controller ensures that. */
const isRolledOut = ({ spec }: Manifest, { currentRevision, updateRevision }: Status) =>
  (spec as { updateStrategy?: { type?: string } }).updateStrategy?.type === "OnDelete" ||
  currentRevision === updateRevision;

const replicasOf = ({ spec }: Manifest) => (spec as { replicas?: number } | undefined)?.replicas ?? 1;

/** The kinds that are waited for. An object of another kind is ready once it is applied. */
const LOOKS: Readonly<Record<string, Look>> = {
  Job: (_, status) => {
    if (holds(status, "Complete")) return "ready";
    const failed = holds(status, "Failed");
    return failed ? { failed: failed.message ?? failed.reason ?? "" } : "waiting";
  },
  StatefulSet: (live, status) =>
    when(
      isObserved(live, status) &&
        (status.readyReplicas ?? 0) >= replicasOf(live) &&
        isRolledOut(live, status),
    ),
  Deployment: (live, status) => {
    const late = holds(status, "Progressing", "False");
    if (late && isObserved(live, status)) return { failed: late.message ?? late.reason ?? "" };
    const wanted = replicasOf(live);
    const { updatedReplicas = 0, availableReplicas = 0, replicas = 0 } = status;
    return when(
      isObserved(live, status) &&
        updatedReplicas >= wanted &&
        availableReplicas >= wanted &&
        replicas === updatedReplicas,
    );
  },
  DaemonSet: (live, status) => {
    const { desiredNumberScheduled: wanted = 0, updatedNumberScheduled = 0, numberAvailable = 0 } = status;
    return when(isObserved(live, status) && updatedNumberScheduled >= wanted && numberAvailable >= wanted);
  },
  PersistentVolumeClaim: (_, { phase }) =>
    phase === "Lost" ? { failed: "its volume is gone" } : when(phase === "Bound"),
};

/**
 * Whether an object is waited for. A claim without a volume's name is not: its class may create a volume only for the
 * first pod that uses it. Nor is a Job that runs in the background, which is marked as for the engine.
 */
export function isAwaited({ kind, spec, metadata }: Manifest): boolean {
  const annotations = metadata.annotations as Readonly<Record<string, string>> | undefined;
  if (kind === "Job" && annotations?.["pulumi.com/skipAwait"] === "true") return false;
  if (kind === "PersistentVolumeClaim")
    return (spec as { volumeName?: string } | undefined)?.volumeName !== undefined;
  return kind in LOOKS;
}

/** The progress of an object that is waited for. */
export function progressOf(live: LiveObject | undefined): Progress {
  if (live === undefined) return "waiting";
  const { status = {} } = live as { status?: Status };
  return LOOKS[live.kind]?.(live, status) ?? "ready";
}
