import { isServer } from "../postgres.ts";
import { containerText, type Finding, podRule } from "../rule.ts";
import { field, hasUnknown, isMap, listAt, UNKNOWN } from "../values.ts";

const ACTIONS = ["exec", "httpGet", "tcpSocket", "grpc"];

/**
 * Whether a probe asks anything: an action, with the part that Kubernetes does not fill in. What is not known before
 * the deployment is there.
 */
function asks(probe: unknown): boolean {
  const command = field(probe, "exec", "command");
  return (
    command === UNKNOWN ||
    (Array.isArray(command) && command.length > 0 && command[0] !== "true") ||
    ["httpGet", "tcpSocket", "grpc"].some((action) => field(probe, action, "port") !== undefined)
  );
}

export const probes = podRule({
  name: "probes",
  description:
    "Who runs a container without probes has clients sent to a server that does not answer, and one that hangs for ever",
  level: "mandatory",
  check: (pod) => {
    if (!pod.longRunning) return [];
    const { subject } = pod.object;
    const withServer = pod.containers.some(isServer) || listAt(pod.spec, "containers").includes(UNKNOWN);
    return pod.containers.flatMap((container): Finding[] => {
      if (container.sort === "init" || container.sort === "ephemeral") return [];
      const server = isServer(container);
      // What runs next to a server: its probes would make the whole pod unready, and with it a server that answers.
      if (withServer && !server) return [];
      const wanted = ["readinessProbe", "livenessProbe", ...(server ? ["startupProbe"] : [])];
      const findings: Finding[] = wanted.flatMap((name) => {
        const probe = container.body[name];
        if (asks(probe)) return [];
        const reason = name === "startupProbe" ? "; the liveness probe would kill it in crash recovery" : "";
        return [
          {
            subject,
            why: `${containerText(container)} has no ${name}${probe === undefined ? "" : " that asks anything"}${reason}`,
            remedy: `${name} with one of ${ACTIONS.join(", ")}`,
          },
        ];
      });
      const command = listAt(container.body, "readinessProbe", "exec", "command");
      const ready = hasUnknown(command) ? "" : command.join(" ");
      if (
        server &&
        /\bpg_isready\b/.test(ready) &&
        !/(-h|--host)[ =]?(127\.0\.0\.1|::1|localhost)\b/.test(ready)
      ) {
        findings.push({
          subject,
          why: `${containerText(container)} asks pg_isready over the socket, where the temporary server of the first start answers too`,
          remedy: "pg_isready -h 127.0.0.1",
        });
      }
      const startup = container.body.startupProbe;
      const failures = field(startup, "failureThreshold") ?? 3;
      const period = field(startup, "periodSeconds") ?? 10;
      const budget = hasUnknown([failures, period]) ? Infinity : Number(failures) * Number(period);
      if (server && isMap(startup) && !(budget >= 60)) {
        findings.push({
          subject,
          why: `${containerText(container)} is started over when it has not answered after ${budget} s, crash recovery included`,
          remedy: "startupProbe.failureThreshold x periodSeconds of 60 or more; 3600 for a large database",
        });
      }
      return findings;
    });
  },
});
