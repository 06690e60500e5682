import { SERVER_SERVICES } from "../declarations.ts";
import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import { hiddenPod, type Pod, podsIn } from "../pods.ts";
import { POSTGRES_PORT, serversOf } from "../postgres.ts";
import { type KubernetesObject, labelsOf, mayShareNamespace, maySelect, objectsIn } from "../resources.ts";
import { type Finding, stackRule } from "../rule.ts";
import { field, hasUnknown, isMap, listAt, shown } from "../values.ts";

const NAME = "one-backend";

/** Whether a Service sends its clients to pods with these labels. Unknown labels do not count. */
function selects(service: KubernetesObject, pod: Pod): boolean {
  const selector = field(service.body, "spec", "selector");
  const labels = labelsOf({ metadata: pod.metadata });
  if (!isMap(selector) || Object.keys(selector).length === 0 || hasUnknown(selector)) return false;
  return (
    mayShareNamespace(service, pod.object) &&
    !hasUnknown(Object.keys(selector).map((key) => labels[key])) &&
    maySelect({ matchLabels: selector }, labels)
  );
}

/** Whether clients of the database use a Service, by its port. */
function isDatabasePort(service: KubernetesObject): boolean {
  return listAt(service.body, "spec", "ports").some((port) =>
    [field(port, "port"), field(port, "targetPort")].some((value) => String(value) === String(POSTGRES_PORT)),
  );
}

/** Labels and namespaces that may not be known yet. */
function labelsUnknown(pods: readonly Pod[]): unknown {
  return pods.map(({ metadata, object }) => [metadata, object.body.metadata]);
}

/** The ports on which the servers of a pod listen, by number and by name. */
function portsOf(pod: Pod): unknown[] {
  return serversOf(pod)
    .flatMap(({ body }) => listAt(body, "ports"))
    .flatMap((port) => [field(port, "containerPort"), field(port, "name")])
    .filter((port) => port !== undefined);
}

export const oneBackend = stackRule<Declared>({
  name: NAME,
  asks: "the server's Services lead to its port and to its pods alone; no other Service leads to it",
  description:
    "Giving another pod the server's labels makes the server's Service send clients there, passwords included",
  level: "mandatory",
  schema: declaredSchema("Services that may lead to the server, `Service/<name>`, and pods behind them"),
  check: (stack, config) => {
    // One whose containers are not known yet may be the server.
    const pods = podsIn(stack).filter(({ object }) => !object.patch && hiddenPod(object) === undefined);
    const services = objectsIn(stack).filter(({ kind, patch }) => kind === "Service" && !patch);
    const isServing = (pod: Pod) => serversOf(pod).length > 0;
    return services.flatMap((service): Finding[] => {
      const behind = pods.filter((pod) => selects(service, pod));
      if (
        SERVER_SERVICES.includes(service.subject) &&
        pods.some(isServing) &&
        !behind.some(isServing) &&
        !hasUnknown([field(service.body, "spec", "selector"), service.body.spec, labelsUnknown(pods)])
      ) {
        return [
          {
            subject: service.subject,
            urn: service.resource.urn,
            why: "it selects none of the stack's servers, so its clients are sent to whatever else has these labels or addresses",
            remedy: "spec.selector: the labels of the server's pods",
          },
        ];
      }
      const forServer = behind.some(isServing) || isDatabasePort(service);
      if (!forServer) return [];
      const findings: Finding[] = [];
      if (!isDeclared(service.subject, SERVER_SERVICES, config)) {
        findings.push({
          subject: service.subject,
          urn: service.resource.urn,
          why: "it leads to the database, or has its port, but is not declared to",
          remedy: declarationOf(NAME, service.subject),
        });
      }
      const ports = behind.filter(isServing).flatMap(portsOf);
      for (const port of listAt(service.body, "spec", "ports")) {
        const target = field(port, "targetPort") ?? field(port, "port");
        if (ports.length === 0 || hasUnknown([port, ports]) || ports.includes(target)) continue;
        findings.push({
          subject: service.subject,
          urn: service.resource.urn,
          why: `its port ${shown(field(port, "port"))} leads to ${shown(target)}, where no server of the stack listens`,
          remedy: "targetPort: the server's containerPort, or its name",
        });
      }
      for (const pod of behind.filter((candidate) => !isServing(candidate))) {
        const line = `${pod.object.subject} behind ${service.subject}`;
        if (isDeclared(line, [], config)) continue;
        findings.push({
          subject: pod.object.subject,
          urn: pod.object.resource.urn,
          why: `its pods have the labels that ${service.subject} selects, so the server's clients are sent to them`,
          remedy: `other labels: ${JSON.stringify(field(service.body, "spec", "selector"))} selects the server; or ${declarationOf(NAME, line)}`,
        });
      }
      return findings;
    });
  },
});
