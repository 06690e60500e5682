/** Pods, wherever they are written: as themselves, in a workload's template, in an unknown kind's. */
import { type KubernetesObject, objectsIn, type Resource } from "./resources.ts";
import { field, hasUnknown, isMap, listAt, shown, textAt, UNKNOWN } from "./values.ts";

/** A container of any sort. */
export interface Container {
  name: string;
  /** `init`: runs to its end before the others. `sidecar`: an init container that stays. */
  sort: "main" | "init" | "sidecar" | "ephemeral";
  body: Record<string, unknown>;
}

/** A pod or a template of pods. */
export interface Pod {
  object: KubernetesObject;
  spec: Record<string, unknown>;
  /** The pod's or the template's; may be unknown or missing. */
  metadata: unknown;
  containers: Container[];
  /** Whether it is meant to run until somebody stops it. */
  longRunning: boolean;
  /** The most of these pods that run at once on one node. */
  copies: number;
}

const TEMPLATE = ["spec", "template", "spec"];
/** Where each kind that runs containers has its pod. */
const POD_SPEC: Readonly<Record<string, readonly string[]>> = {
  Pod: ["spec"],
  PodTemplate: ["template", "spec"],
  Deployment: TEMPLATE,
  StatefulSet: TEMPLATE,
  DaemonSet: TEMPLATE,
  ReplicaSet: TEMPLATE,
  ReplicationController: TEMPLATE,
  Job: TEMPLATE,
  CronJob: ["spec", "jobTemplate", "spec", "template", "spec"],
};

/** Why an object that should run containers shows none, or undefined when it does, or need not. */
export function hiddenPod(object: KubernetesObject): string | undefined {
  const path = POD_SPEC[object.kind];
  if (!path) return undefined;
  const spec = field(object.body, ...path);
  const containers = field(spec, "containers");
  if (Array.isArray(containers) && containers.length > 0 && !containers.includes(UNKNOWN)) {
    return field(spec, "initContainers") === UNKNOWN
      ? "its initContainers are not known before the deployment"
      : undefined;
  }
  if (object.patch && containers === undefined) return undefined;
  const what =
    containers === undefined
      ? "missing"
      : containers === UNKNOWN
        ? "not known before the deployment"
        : "empty, or known only in part";
  return `${[...path, "containers"].join(".")} is ${what}`;
}

/** Whether a map is a pod's spec: the one thing in Kubernetes with a list of containers. */
function isPodSpec(value: Record<string, unknown>): boolean {
  const lists = [...listAt(value, "containers"), ...listAt(value, "initContainers")];
  return lists.some((entry) => isMap(entry) && ("image" in entry || "name" in entry));
}

/** A pod's spec, with the map around it, which has the pod's metadata. */
interface Template {
  spec: Record<string, unknown>;
  around: unknown;
}

/** Every pod's spec in a value: a kind that is unknown here may have them anywhere. */
function* templatesIn(value: unknown, around: unknown): Generator<Template> {
  if (Array.isArray(value)) for (const entry of value) yield* templatesIn(entry, value);
  if (!isMap(value)) return;
  if (isPodSpec(value)) yield { spec: value, around };
  else for (const entry of Object.values(value)) yield* templatesIn(entry, value);
}

function templatesOf({ kind, body }: KubernetesObject): Template[] {
  const path = POD_SPEC[kind];
  if (!path) return [...templatesIn(body.spec, body), ...templatesIn(body.template, body)];
  const spec = field(body, ...path);
  return isMap(spec) && isPodSpec(spec) ? [{ spec, around: field(body, ...path.slice(0, -1)) }] : [];
}

function containersOf(spec: Record<string, unknown>): Container[] {
  const of = (name: string, sortOf: (body: Record<string, unknown>) => Container["sort"]) =>
    listAt(spec, name)
      .filter(isMap)
      .map((body) => ({ name: textAt(body, "name") ?? "(without a name)", sort: sortOf(body), body }));
  return [
    ...of("initContainers", (body) => (body.restartPolicy === "Always" ? "sidecar" : "init")),
    ...of("containers", () => "main"),
    ...of("ephemeralContainers", () => "ephemeral"),
  ];
}

function copiesOf({ kind, body }: KubernetesObject): number {
  const number = (value: unknown, otherwise: number) => (typeof value === "number" ? value : otherwise);
  switch (kind) {
    case "Job":
      return number(field(body, "spec", "parallelism"), 1);
    case "CronJob": {
      const parallelism = number(field(body, "spec", "jobTemplate", "spec", "parallelism"), 1);
      // Overlapping runs have no upper number; two are enough to see it.
      return field(body, "spec", "concurrencyPolicy") === "Forbid" ||
        field(body, "spec", "concurrencyPolicy") === "Replace"
        ? parallelism
        : 2 * parallelism;
    }
    case "Deployment": {
      const replicas = number(field(body, "spec", "replicas"), 1);
      if (field(body, "spec", "strategy", "type") === "Recreate") return replicas;
      // An update runs old and new pods side by side; Kubernetes' own default is a quarter, rounded up.
      const surge = textAt(body, "spec", "strategy", "rollingUpdate", "maxSurge") ?? "25%";
      const percent = /^(\d+)%$/.exec(surge)?.[1];
      return (
        replicas + (percent === undefined ? Number(surge) : Math.ceil((replicas * Number(percent)) / 100))
      );
    }
    case "DaemonSet":
      return 1;
    default:
      return number(field(body, "spec", "replicas"), 1);
  }
}

/** The pods of an object. */
export function podsOf(object: KubernetesObject): Pod[] {
  return templatesOf(object).map(({ spec, around }) => {
    const restart = field(spec, "restartPolicy");
    return {
      object,
      spec,
      metadata: field(around, "metadata"),
      containers: containersOf(spec),
      longRunning:
        object.kind !== "Job" && object.kind !== "CronJob" && restart !== "Never" && restart !== "OnFailure",
      copies: copiesOf(object),
    };
  });
}

/** The pods of a stack. */
export function podsIn(stack: readonly Resource[]): Pod[] {
  return objectsIn(stack).flatMap(podsOf);
}

/** Volumes of a pod. */
export function volumesOf(pod: Pod): Record<string, unknown>[] {
  return listAt(pod.spec, "volumes").filter(isMap);
}

/** Names of the nodes that a pod may run on, as far as its spec pins them; empty when it does not. */
export function nodesOf(spec: unknown): unknown[] {
  const selected = field(spec, "nodeSelector", HOSTNAME);
  if (selected !== undefined) return [selected];
  return nodesOfAffinity(
    field(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
  );
}

/** Nodes, as they are pinned in a part of a spec, for a message. */
export function nodesText(names: readonly unknown[], pinning: unknown): string {
  if (names.length > 0) return names.map(shown).join(", ");
  return hasUnknown(pinning) ? shown(UNKNOWN) : "every node";
}

/** The label that holds a node's own name. */
export const HOSTNAME = "kubernetes.io/hostname";

/**
 * Names of the nodes that a required node affinity leaves over. Its terms are alternatives: one without a name
 * lets every node in, and leaves nothing pinned.
 */
export function nodesOfAffinity(required: unknown): unknown[] {
  const terms = listAt(required, "nodeSelectorTerms").map((term) =>
    listAt(term, "matchExpressions")
      .filter((expression) => field(expression, "key") === HOSTNAME && field(expression, "operator") === "In")
      .flatMap((expression) => listAt(expression, "values"))
      .concat(
        listAt(term, "matchFields")
          .filter((entry) => field(entry, "key") === "metadata.name" && field(entry, "operator") === "In")
          .flatMap((entry) => listAt(entry, "values")),
      ),
  );
  if (terms.some((names) => names.length === 0)) return [];
  return [...new Set(terms.flat())];
}
