/** Whether a node can run the server's pod, as far as its object shows: one line for each reason against it. */
import { bytesOfQuantity, cpusOfQuantity, readableBytes } from "../quantities.ts";
import { HOSTNAME_LABEL } from "../components/kubernetes/names.ts";
import type { Problem } from "../problem.ts";

/** A taint of a node. */
export interface Taint {
  key: string;
  value?: string;
  effect: string;
}

/** The parts of a node that are read. */
export interface NodeObject {
  metadata: { name: string; labels?: Record<string, string> };
  spec?: { unschedulable?: boolean; taints?: Taint[]; podCIDRs?: string[] };
  status?: {
    addresses?: { type: string; address: string }[];
    allocatable?: Record<string, string>;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
}

/** A toleration of the pod. */
export interface Toleration {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
}

/** CPUs and memory, as Kubernetes quantities. */
interface Amounts {
  cpu: string;
  memory: string;
}

/** What the server's pod needs from its node. */
export interface PodNeeds {
  requests: Amounts;
  limits: Amounts;
  tolerations: readonly Toleration[];
}

/** A reason against a node. */
export interface Unfitness extends Problem {
  /**
   * What happens to a new pod. `never`: it never starts. `waiting`: it waits for a change of the node. `doubtful`: it
   * starts, or may start later without a change.
   */
  pod: "never" | "waiting" | "doubtful";
}

/** The node's hostname label. A kubelet sets it to the host's name, which may differ from the node's name. */
export function hostnameOf({ metadata }: NodeObject): string | undefined {
  return metadata.labels?.[HOSTNAME_LABEL];
}

/** Whether a toleration matches a taint (k8s.io/api/core/v1/toleration.go, ToleratesTaint). */
export function tolerates(
  { key, operator = "Equal", value = "", effect }: Toleration,
  taint: Taint,
): boolean {
  if (effect !== undefined && effect !== "" && effect !== taint.effect) return false;
  if (key !== undefined && key !== "" && key !== taint.key) return false;
  return operator === "Exists" || (key !== undefined && key !== "" && value === (taint.value ?? ""));
}

const taintText = ({ key, value, effect }: Taint) => `${key}${value ? `=${value}` : ""}:${effect}`;

/** Taints that Kubernetes sets itself; the node's conditions and its cordon already report them. */
const OWN_TAINTS = /^node\.kubernetes\.io\//;

function taintFindings(name: string, taints: readonly Taint[], needs: PodNeeds): Unfitness[] {
  return taints
    .filter(({ key, effect }) => effect !== "PreferNoSchedule" && !OWN_TAINTS.test(key))
    .filter((taint) => !needs.tolerations.some((toleration) => tolerates(toleration, taint)))
    .map((taint, index) => {
      const place = `node.tolerations[${needs.tolerations.length + index}]`;
      return {
        key: "node.tolerations",
        message:
          `do not cover the taint ${taintText(taint)} of node ${name}. Add a toleration: pulumi config set --path ` +
          `'${place}.key' ${taint.key}; pulumi config set --path '${place}.operator' Exists. Or remove the taint: ` +
          `kubectl taint node ${name} ${taint.key}:${taint.effect}-`,
        pod: "waiting",
      };
    });
}

/** Conditions under which a node rejects or evicts pods, and what they mean. */
const PRESSURES: Record<string, string> = {
  MemoryPressure: "is short of memory",
  DiskPressure: "is short of disk space",
  PIDPressure: "is short of process IDs",
  NetworkUnavailable: "has no network yet",
};

function conditionFindings(node: NodeObject): Unfitness[] {
  const { name } = node.metadata;
  const look = `See: kubectl describe node ${name}`;
  return (node.status?.conditions ?? []).flatMap(({ type, status, reason, message }): Unfitness[] => {
    const why = message || reason ? ` (${message || reason})` : "";
    if (type === "Ready" && status !== "True") {
      return [{ key: "node.hostname", message: `node ${name} is not ready${why}. ${look}`, pod: "doubtful" }];
    }
    const pressure = PRESSURES[type];
    if (pressure === undefined || status !== "True") return [];
    return [{ key: "node.hostname", message: `node ${name} ${pressure}${why}. ${look}`, pod: "doubtful" }];
  });
}

const AMOUNTS = {
  memory: { measure: bytesOfQuantity, shown: readableBytes },
  cpu: { measure: cpusOfQuantity, shown: (cpus: number) => `${cpus} CPUs` },
} as const;

function sizeFindings(node: NodeObject, needs: PodNeeds): Unfitness[] {
  const { name } = node.metadata;
  return (["memory", "cpu"] as const).flatMap((resource): Unfitness[] => {
    const { measure, shown } = AMOUNTS[resource];
    const offered = measure(node.status?.allocatable?.[resource] ?? "");
    if (offered === undefined) return [];
    const [request, limit] = [measure(needs.requests[resource]), measure(needs.limits[resource])];
    const has = `node ${name} has ${shown(offered)} for pods`;
    if (request !== undefined && request > offered) {
      return [
        {
          key: `database.requests.${resource}`,
          message: `is ${needs.requests[resource]}, and ${has}: the server would never start. Lower it, or use a larger node: pulumi config set --path database.requests.${resource} <amount>`,
          pod: "never",
        },
      ];
    }
    if (limit !== undefined && limit > offered) {
      return [
        {
          key: `database.limits.${resource}`,
          message: `is ${needs.limits[resource]}, and ${has}: the settings assume more than the node has. Lower it: pulumi config set --path database.limits.${resource} <amount>`,
          pod: "doubtful",
        },
      ];
    }
    return [];
  });
}

/** Everything against a node, the most serious first. */
export function unfitness(node: NodeObject, needs: PodNeeds): Unfitness[] {
  const { name } = node.metadata;
  const found: Unfitness[] = [
    ...sizeFindings(node, needs),
    ...taintFindings(name, node.spec?.taints ?? [], needs),
    ...conditionFindings(node),
  ];
  if (node.spec?.unschedulable) {
    found.push({
      key: "node.hostname",
      message: `node ${name} is cordoned: no new pod starts on it, including the init Job's. To allow pods: kubectl uncordon ${name}`,
      pod: "waiting",
    });
  }
  const order = ["never", "waiting", "doubtful"];
  return found.toSorted((one, other) => order.indexOf(one.pod) - order.indexOf(other.pod));
}

/** The configured node, or why it cannot be identified. */
export function findNode(
  nodes: readonly NodeObject[],
  hostname: string,
): { node: NodeObject } | { message: string } {
  const labelled = nodes.filter((node) => hostnameOf(node) === hostname);
  const [node, ...more] = labelled;
  if (node && more.length === 0) return { node };
  if (node) {
    return {
      message: `is "${hostname}", which is the label ${HOSTNAME_LABEL} of ${labelled.map(({ metadata }) => metadata.name).join(" and ")}: the server could start on either. Change the label of one: kubectl label node <node> --overwrite ${HOSTNAME_LABEL}=<name>`,
    };
  }
  const named = nodes.find(({ metadata }) => metadata.name === hostname);
  const label = named && hostnameOf(named);
  if (named && label === undefined) {
    return {
      message: `is "${hostname}", a node without the label ${HOSTNAME_LABEL}, which binds pods and volumes to a node. Label it: kubectl label node ${hostname} ${HOSTNAME_LABEL}=${hostname}`,
    };
  }
  if (named) {
    return {
      message: `is "${hostname}", a node whose label ${HOSTNAME_LABEL} is "${label}", and pods and volumes are bound by that label. Set it: pulumi config set --path node.hostname ${label}`,
    };
  }
  const names = nodes.map((other) => hostnameOf(other) ?? other.metadata.name).join(", ") || "no nodes";
  return {
    message: `is "${hostname}", which is not a node in the cluster. It has: ${names}. Set it: pulumi config set --path node.hostname <name>`,
  };
}
