import type { Container } from "../pods.ts";
import { isServer, POSTGRES_PORT } from "../postgres.ts";
import { containerText, type Finding, podRule } from "../rule.ts";
import { field, hasUnknown, isMap, listAt, shown, UNKNOWN } from "../values.ts";

const ACTIONS = ["exec", "httpGet", "tcpSocket", "grpc"];

/**
 * Whether a probe asks anything: an action, with the part that Kubernetes does not fill in. An unknown one
 * counts as there.
 */
function asks(probe: unknown): boolean {
  const command = field(probe, "exec", "command");
  return (
    command === UNKNOWN ||
    (Array.isArray(command) && command.length > 0 && command[0] !== "true") ||
    ["httpGet", "tcpSocket", "grpc"].some((action) => field(probe, action, "port") !== undefined)
  );
}

/** Kubernetes' default for terminationGracePeriodSeconds. */
const GRACE_PERIOD = 30;

/** A number of seconds or failures, with Kubernetes' default. NaN: not known before the deployment. */
const amount = (value: unknown, otherwise: number) => (value === UNKNOWN ? NaN : Number(value ?? otherwise));

/** Seconds of failures after which a probe acts. */
const patienceOf = (probe: unknown) =>
  amount(field(probe, "failureThreshold"), 3) * amount(field(probe, "periodSeconds"), 10);

/**
 * Whether a readiness probe never acts, because the liveness probe restarts the container before. What is unknown counts
 * as right.
 *
 * @param grace the pod's terminationGracePeriodSeconds
 */
function isOutlasting({ livenessProbe, readinessProbe }: Container["body"], grace: unknown): boolean {
  if (!asks(livenessProbe)) return false;
  return !(patienceOf(readinessProbe) <= patienceOf(livenessProbe) + amount(grace, GRACE_PERIOD));
}

/**
 * What runs next to a server needs no probes. A failing readiness or startup probe there takes clients away from a
 * server that answers.
 */
function nextToServer(subject: string, container: Container, grace: unknown): Finding[] {
  const harmful = (name: string) =>
    container.body[name] !== undefined && !(name === "readinessProbe" && isOutlasting(container.body, grace));
  return ["readinessProbe", "startupProbe"].filter(harmful).map((name) => ({
    subject,
    why: `${containerText(container)} has a ${name}: when it fails, no client is sent to the server next to it, which still answers`,
    remedy: `no ${name} there; the server's own readinessProbe can check for a file that this container writes${
      name === "readinessProbe"
        ? ". Or one that lasts longer (failureThreshold x periodSeconds) than the livenessProbe with the pod's terminationGracePeriodSeconds, which restarts the container before it fails"
        : ""
    }`,
  }));
}

/** Seconds without an answer, between two checkpoints or under load, before a server is killed. */
const PATIENCE = 30;

const HOUR = 3600;

/** Why a liveness probe kills a server that only needs time, or never one that hangs; undefined when neither. */
function impatience(probe: unknown): { why: string; remedy: string } | undefined {
  if (!isMap(probe) || hasUnknown(probe)) return undefined;
  const asked = listAt(probe, "exec", "command").join(" ");
  if (/\bpg_isready\b/.test(asked) && !/\$\? (-le 1|-lt 2|-ne 2)\b/.test(asked)) {
    return {
      why: "takes pg_isready's 1, a server's answer in crash recovery, for a failure: the server is killed until it gives up",
      remedy: `exec.command: ["bash", "-c", "pg_isready -q -h 127.0.0.1 -t 3; [ $? -le 1 ]"], or tcpSocket`,
    };
  }
  const failures = Number(probe.failureThreshold ?? 3);
  const period = Number(probe.periodSeconds ?? 10);
  if (!(failures * period >= PATIENCE) || failures < 3) {
    return {
      why: `kills the server after ${failures} failures, ${failures * period} s; a busy disk alone takes longer, and so does the recovery after it`,
      remedy: `livenessProbe.failureThreshold of 3 or more, and with periodSeconds ${PATIENCE} s or more`,
    };
  }
  if (!(failures * period <= HOUR)) {
    return {
      why: `leaves a hanging server alone for ${failures * period} s`,
      remedy: `livenessProbe.failureThreshold x periodSeconds of ${HOUR} s or less`,
    };
  }
  const timeout = Number(probe.timeoutSeconds ?? 1);
  if (asked !== "" && !(timeout >= 3)) {
    return {
      why: `gives its command ${timeout} s, which starting it alone can take on a busy node`,
      remedy: "livenessProbe.timeoutSeconds of 3 or more",
    };
  }
  return undefined;
}

/** Why an action does not ask the server, or undefined when it does. */
function misdirected(name: string, probe: unknown): string | undefined {
  if (!isMap(probe) || hasUnknown(probe)) return undefined;
  const port = field(probe, "tcpSocket", "port");
  if (port !== undefined && name === "readinessProbe")
    return "asks only the port, which is open before the server accepts clients";
  if (port !== undefined && port !== POSTGRES_PORT && port !== "postgresql")
    return `asks port ${shown(port)}, which is not the server's`;
  if (probe.httpGet !== undefined || probe.grpc !== undefined)
    return "speaks a protocol that PostgreSQL does not";
  return undefined;
}

export const probes = podRule({
  name: "probes",
  asks: "readiness and liveness probes on what runs long; on the server also a startup probe, a readiness probe that waits until it accepts clients, and a liveness probe that crash recovery outlives",
  description:
    "Without probes clients are sent to a server that does not answer, and one that hangs is never restarted",
  level: "mandatory",
  check: (pod) => {
    if (!pod.longRunning) return [];
    const { subject } = pod.object;
    const withServer = pod.containers.some(isServer) || listAt(pod.spec, "containers").includes(UNKNOWN);
    return pod.containers.flatMap((container): Finding[] => {
      if (container.sort === "init" || container.sort === "ephemeral") return [];
      const server = isServer(container);
      if (withServer && !server)
        return nextToServer(subject, container, pod.spec.terminationGracePeriodSeconds);
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
      for (const name of server ? wanted : []) {
        const reason = misdirected(name, container.body[name]);
        if (reason === undefined) continue;
        findings.push({
          subject,
          why: `${containerText(container)}: its ${name} ${reason}`,
          remedy: `${name}.exec.command with pg_isready -h 127.0.0.1`,
        });
      }
      const impatient = server ? impatience(container.body.livenessProbe) : undefined;
      if (impatient) {
        findings.push({
          subject,
          why: `${containerText(container)}: its livenessProbe ${impatient.why}`,
          remedy: impatient.remedy,
        });
      }
      const command = listAt(container.body, "readinessProbe", "exec", "command");
      const ready = hasUnknown(command) ? "" : command.join(" ");
      if (
        server &&
        /\bpg_isready\b/.test(ready) &&
        !/(-h|--host)[ =]?(127\.0\.0\.1|::1|localhost)\b/.test(ready)
      ) {
        findings.push({
          subject,
          why: `${containerText(container)} runs pg_isready over the socket, where the temporary server of the first start answers too`,
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
          why: `${containerText(container)} is restarted when it has not answered after ${budget} s, crash recovery included`,
          remedy: "startupProbe.failureThreshold x periodSeconds of 60 or more; 3600 for a large database",
        });
      }
      return findings;
    });
  },
});
