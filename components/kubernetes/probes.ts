/** Probes of containers whose process 1 is keep-running.sh. */
import type * as k8s from "@pulumi/kubernetes";

type Probe = k8s.types.input.core.v1.Probe;

/** Minutes without a look by keep-running.sh, which looks every 30 s, after which it counts as stuck. */
const STUCK = 4;

/**
 * Restarts a container whose script nobody watches any more. It asks keep-running.sh, which restarts its script itself:
 * without a restart of the container, that makes the whole pod unready for a second or two. It fails only if that is
 * known to be stuck: not before its first look, and not in an image without `find`.
 *
 * @param heartbeat the file that the script touches
 */
export function watchedProbe(heartbeat: string): Probe {
  return {
    exec: { command: ["bash", "-c", `[ -z "$(find ${heartbeat}.watched -mmin +${STUCK} 2>/dev/null)" ]`] },
    periodSeconds: 60,
    timeoutSeconds: 10,
    failureThreshold: 3,
  };
}

/**
 * Asks whether a script has touched a file within some minutes, and fails after a minute in which it has not.
 *
 * @param shell of the image: `bash` or `sh`
 */
export function recentProbe(shell: string, file: string, minutes: number) {
  return {
    exec: { command: [shell, "-c", `[ -n "$(find ${file} -mmin -${minutes})" ]`] },
    periodSeconds: 10,
    timeoutSeconds: 5,
    failureThreshold: 6,
  } satisfies Probe;
}

/**
 * Probes of a container next to the server. Every container's readiness is a part of its pod's, so this one's asks only
 * for what stays as it is: that the script is being looked after. It outlasts the liveness probe, and a grace period of an
 * hour, which a stuck process uses up. By itself, it never takes the server from its clients. Whether the server may
 * have clients yet, its own readiness probe asks.
 *
 * @param heartbeat the file that the script touches
 */
export function probesNextToServer(heartbeat: string): { livenessProbe: Probe; readinessProbe: Probe } {
  return {
    livenessProbe: watchedProbe(heartbeat),
    readinessProbe: {
      exec: { command: ["test", "-e", `${heartbeat}.watched`] },
      periodSeconds: 10,
      timeoutSeconds: 10,
      failureThreshold: 400,
    },
  };
}
