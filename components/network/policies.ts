/** What network policies say: who may reach a pod, and what a pod may reach. Pure: no resource is created here. */
import type * as k8s from "@pulumi/kubernetes";

type PolicySpec = k8s.types.input.networking.v1.NetworkPolicySpec;
type PolicyPeer = k8s.types.input.networking.v1.NetworkPolicyPeer;
type PolicyPort = k8s.types.input.networking.v1.NetworkPolicyPort;

/** Labels that a pod must have, all of them. */
export type PodLabels = Readonly<Record<string, string>>;

/** Pods: those of a namespace with certain labels. */
export interface Pods {
  /** @default the policies' own */
  namespace?: string | undefined;
  /** @default every pod of the namespace */
  podLabels?: PodLabels | undefined;
}

/** Addresses that no pod of the cluster's own network has. */
export interface Addresses {
  ranges: readonly string[];
  /** Parts of them that are left out. @default none */
  except?: readonly string[] | undefined;
}

/** Who is at the other end of a connection. */
export type Peer = Pods | Addresses;

/** A way into pods of the namespace. */
export interface WayIn {
  /** Part of the policy's name. */
  name: string;
  pods: PodLabels;
  /**
   * TCP ports of the container. By number: policies see the port of the pod, behind any Service, and a name would be
   * another port in a pod that names it otherwise.
   */
  ports: readonly number[];
  from: readonly Peer[];
}

/** What pods may connect to. */
export interface Destination {
  to: readonly Peer[];
  ports: readonly { port: number; protocol: "TCP" | "UDP" }[];
}

/** The ways out of pods of the namespace. */
export interface WaysOut {
  /** Part of the policy's name. */
  name: string;
  pods: PodLabels;
  destinations: readonly Destination[];
}

/** The cluster's DNS server, by the labels that K3s, and most others, give it. */
export const DNS: Destination = {
  to: [{ namespace: "kube-system", podLabels: { "k8s-app": "kube-dns" } }],
  ports: [
    { port: 53, protocol: "UDP" },
    { port: 53, protocol: "TCP" },
  ],
};

/** Label of a namespace that the API server sets to its name, so that nobody else's namespace can have it. */
const NAMESPACE_NAME = "kubernetes.io/metadata.name";

/** Every pod of the namespace, and neither a way in nor out. Other policies add to it; none takes away from another. */
export const DEFAULT_DENY: PolicySpec = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };

const selector = (labels: PodLabels | undefined) =>
  labels === undefined ? {} : { matchLabels: { ...labels } };

function peersOf(peer: Peer): PolicyPeer[] {
  if ("ranges" in peer) {
    const except = peer.except?.length ? { except: [...peer.except] } : {};
    return peer.ranges.map((cidr) => ({ ipBlock: { cidr, ...except } }));
  }
  return [
    {
      ...(peer.namespace !== undefined && {
        namespaceSelector: { matchLabels: { [NAMESPACE_NAME]: peer.namespace } },
      }),
      podSelector: selector(peer.podLabels),
    },
  ];
}

/** The policy of a way in. */
export function policyIn({ pods, ports, from }: WayIn): PolicySpec {
  return {
    podSelector: selector(pods),
    policyTypes: ["Ingress"],
    // A rule with an empty list would let everybody in.
    ...(from.length > 0 && {
      ingress: [{ from: from.flatMap(peersOf), ports: ports.map((port) => ({ port, protocol: "TCP" })) }],
    }),
  };
}

/** The policy of ways out. */
export function policyOut({ pods, destinations }: WaysOut): PolicySpec {
  return {
    podSelector: selector(pods),
    policyTypes: ["Egress"],
    egress: destinations
      .filter(({ to }) => to.length > 0)
      .map(({ to, ports }) => ({
        to: to.flatMap(peersOf),
        ports: ports.map(({ port, protocol }): PolicyPort => ({ port, protocol })),
      })),
  };
}
