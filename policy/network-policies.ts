/** Reads NetworkPolicies: whom they select, whom they let in, and where they let out. Shares no code with the program. */
import { type Network, networksOf } from "./networks.ts";
import type { Pod } from "./pods.ts";
import { POSTGRES_PORT } from "./postgres.ts";
import {
  type KubernetesObject,
  mayShareNamespace,
  maySelect,
  objectsIn,
  type Resource,
} from "./resources.ts";
import { field, hasUnknown, isMap, listAt, mapAt, textAt, UNKNOWN } from "./values.ts";

/** The direction of a connection. */
export type Direction = "Ingress" | "Egress";

/** The NetworkPolicies of a stack. A patch of somebody's policy opens what a policy would open. */
export function networkPoliciesIn(stack: readonly Resource[]): KubernetesObject[] {
  return objectsIn(stack).filter(({ kind }) => kind === "NetworkPolicy");
}

/** Whether a policy has the direction. Without policyTypes: in, and out if it has an egress rule. */
export function hasDirection({ body }: KubernetesObject, direction: Direction): boolean {
  const types = listAt(body, "spec", "policyTypes");
  if (types.includes(UNKNOWN)) return true;
  return types.length > 0
    ? types.includes(direction)
    : direction === "Ingress" || listAt(body, "spec", "egress").length > 0;
}

/** Whether a policy selects a pod, as far as both are known. */
export function selects(policy: KubernetesObject, pod: Pod): boolean {
  return (
    mayShareNamespace(policy, pod.object) &&
    maySelect(field(policy.body, "spec", "podSelector"), field(pod.metadata, "labels"))
  );
}

/** Whether a policy selects a pod for certain: whatever is not known could be another pod's. */
export function selectsForCertain(policy: KubernetesObject, pod: Pod): boolean {
  const known = [
    field(policy.body, "spec", "podSelector"),
    field(policy.body, "metadata", "namespace"),
    field(pod.metadata, "labels"),
  ];
  return !known.some(hasUnknown) && selects(policy, pod);
}

/** Whether a selector leaves anything out that was not named for it. A missing one leaves nothing out. */
function narrows(selector: unknown): boolean {
  return (
    field(selector, "matchLabels") === UNKNOWN ||
    Object.keys(mapAt(selector, "matchLabels")).length > 0 ||
    listAt(selector, "matchExpressions").some((expression) =>
      ["In", "Exists", UNKNOWN].includes(field(expression, "operator") as string | symbol),
    )
  );
}

/** The network of an address block. */
function networkOf(cidr: unknown): Network | undefined {
  return typeof cidr === "string" ? networksOf({ text: cidr, quoted: false })?.[0] : undefined;
}

/** Whether a block has more addresses than somebody's network. */
function isWide(network: Network): boolean {
  return network.length < (network.family === 4 ? 8 : 16);
}

/** Whether a peer is everybody, or every pod of a namespace that is not named. */
function isEverybody(peer: unknown): boolean {
  if (!isMap(peer)) return false;
  if (peer.ipBlock !== undefined) {
    if (peer.ipBlock === UNKNOWN || field(peer, "ipBlock", "cidr") === UNKNOWN) return false;
    const network = networkOf(textAt(peer, "ipBlock", "cidr"));
    return network === undefined || isWide(network);
  }
  return !narrows(peer.podSelector) && !narrows(peer.namespaceSelector);
}

/** Whether a rule's ports include the database's, as far as they are known. A name is that of a port of the pod. */
function hasDatabasePort(rule: Record<string, unknown>, pod: Pod): boolean {
  if (rule.ports === UNKNOWN) return false;
  const ports = listAt(rule, "ports");
  if (ports.length === 0) return true;
  const names = pod.containers.flatMap(({ body }) =>
    listAt(body, "ports").filter((port) => field(port, "containerPort") === POSTGRES_PORT),
  );
  return ports.some((entry) => {
    if (textAt(entry, "protocol") === "UDP") return false;
    const port = field(entry, "port");
    if (entry === UNKNOWN || port === UNKNOWN || field(entry, "endPort") === UNKNOWN) return false;
    if (typeof port !== "string") {
      const last = field(entry, "endPort") ?? port;
      return (
        typeof port !== "number" ||
        (port <= POSTGRES_PORT && (typeof last !== "number" || last >= POSTGRES_PORT))
      );
    }
    return port === String(POSTGRES_PORT) || names.some((named) => textAt(named, "name") === port);
  });
}

/** Whether a policy lets everybody reach the database in a pod. */
export function letsEverybodyIn(policy: KubernetesObject, pod: Pod): boolean {
  return listAt(policy.body, "spec", "ingress").some(
    (rule) =>
      isMap(rule) &&
      rule.from !== UNKNOWN &&
      hasDatabasePort(rule, pod) &&
      (listAt(rule, "from").length === 0 || listAt(rule, "from").some(isEverybody)),
  );
}

/** The address blocks of a policy's ways out, each with what is left out of it. */
export function blocksOut(
  policy: KubernetesObject,
): { cidr: string; network: Network; except: readonly Network[] }[] {
  return listAt(policy.body, "spec", "egress")
    .flatMap((rule) => listAt(rule, "to"))
    .flatMap((peer) => {
      const cidr = textAt(peer, "ipBlock", "cidr");
      const network = networkOf(cidr);
      if (cidr === undefined || !network) return [];
      const except = listAt(peer, "ipBlock", "except").flatMap((part) => networkOf(part) ?? []);
      return [{ cidr, network, except }];
    });
}

/** Whether a rule is about every port, or every one of a protocol. */
function hasEveryPort(rule: Record<string, unknown>): boolean {
  if (rule.ports === UNKNOWN) return false;
  const ports = listAt(rule, "ports");
  return ports.length === 0 || ports.some((entry) => field(entry, "port") === undefined);
}

/** Whether a policy lets somebody reach every port of its pods. */
export function opensEveryPort(policy: KubernetesObject): boolean {
  return listAt(policy.body, "spec", "ingress").some((rule) => isMap(rule) && hasEveryPort(rule));
}

/** What makes a way out lead everywhere, or undefined if each names whom and which ports. */
export function openWayOut(policy: KubernetesObject): string | undefined {
  for (const rule of listAt(policy.body, "spec", "egress")) {
    if (!isMap(rule)) continue;
    if (rule.to !== UNKNOWN && listAt(rule, "to").length === 0) return "an egress rule has no to";
    if (hasEveryPort(rule))
      return "an egress rule leads to every port: it has no ports, or one without a number";
    const everybody = listAt(rule, "to").some(
      (peer) => field(peer, "ipBlock") === undefined && isEverybody(peer),
    );
    if (everybody) return "an egress rule leads to every pod";
  }
  return undefined;
}
