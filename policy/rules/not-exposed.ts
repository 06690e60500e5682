import { podsOf } from "../pods.ts";
import { POSTGRES_PORT, serversOf } from "../postgres.ts";
import type { KubernetesObject } from "../resources.ts";
import { type Finding, objectRule } from "../rule.ts";
import { field, listAt, shown, textsIn } from "../values.ts";

interface Config {
  exposed: string[];
}

/** Ingress, the Gateway API's routes, and those of Traefik, which K3s brings. */
const ROUTES = /^(Ingress|IngressRoute(TCP|UDP)?|Gateway|(HTTP|TCP|TLS|GRPC|UDP)Route)$/;

function serviceProblems({ body }: KubernetesObject): string[] {
  const problems: string[] = [];
  const type = field(body, "spec", "type") ?? "ClusterIP";
  if (type !== "ClusterIP") problems.push(`spec.type is ${shown(type)}`);
  for (const name of ["externalIPs", "loadBalancerIP", "externalName"]) {
    if (field(body, "spec", name) !== undefined)
      problems.push(`spec.${name} is ${shown(field(body, "spec", name))}`);
  }
  for (const port of listAt(body, "spec", "ports")) {
    const nodePort = field(port, "nodePort") ?? 0;
    if (nodePort !== 0) problems.push(`a port's nodePort is ${shown(nodePort)}`);
  }
  return problems;
}

/** Whether a Service or a route leads to the database, as far as the object itself says. */
function leadsToDatabase({ body }: KubernetesObject): boolean {
  const ports = listAt(body, "spec", "ports").flatMap((port) => [
    field(port, "port"),
    field(port, "targetPort"),
  ]);
  return (
    ports.some(
      (port) =>
        String(port) === String(POSTGRES_PORT) || /^(postgres|postgresql|pgsql|pg)$/.test(String(port)),
    ) ||
    [...textsIn(body.spec)].some(
      ({ path, text }) => /name$|selector/i.test(path) && /postgres|pgvector/.test(text),
    ) ||
    new RegExp(`\\b${POSTGRES_PORT}\\b`).test(JSON.stringify(body.spec ?? {}))
  );
}

export const notExposed = objectRule<Config>({
  name: "not-exposed",
  asks: "no NodePort, LoadBalancer, Ingress, route, hostPort or hostNetwork",
  description: "Opening a port to outside the cluster puts the database's login on the network",
  level: "mandatory",
  schema: {
    properties: {
      exposed: {
        type: "array",
        items: { type: "string" },
        default: [],
        description:
          "What may be reached from outside, such as Service/api; never what leads to the database",
      },
    },
  },
  check: (object, { exposed }) => {
    const { kind, subject } = object;
    const findings: Finding[] = [];
    const allowed = exposed.includes(subject) && !leadsToDatabase(object);
    if (!allowed) {
      const remedy = leadsToDatabase(object)
        ? "a Service of type ClusterIP; from outside, kubectl port-forward svc/postgres 5432:5432"
        : `a Service of type ClusterIP, or ${subject} in not-exposed.exposed`;
      if (kind === "Service")
        findings.push(...serviceProblems(object).map((why) => ({ subject, why, remedy })));
      if (ROUTES.test(kind))
        findings.push({ subject, why: `it is a ${kind}, which opens a way in from outside`, remedy });
    }
    for (const pod of podsOf(object)) {
      if (serversOf(pod).length === 0) continue;
      const opened = [
        ...((pod.spec.hostNetwork ?? false) === false
          ? []
          : [`the pod is in the node's network: hostNetwork is ${shown(pod.spec.hostNetwork)}`]),
        ...pod.containers.flatMap(({ name, body }) =>
          listAt(body, "ports")
            .filter((port) => (field(port, "hostPort") ?? 0) !== 0)
            .map((port) => `container ${name} has hostPort ${shown(field(port, "hostPort"))}`),
        ),
      ];
      findings.push(
        ...opened.map((why) => ({
          subject,
          why,
          remedy: "neither hostPort nor hostNetwork; from outside, kubectl port-forward",
        })),
      );
    }
    return findings;
  },
});
