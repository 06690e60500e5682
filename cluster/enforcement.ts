/**
 * Whether the cluster enforces the network policies that it accepts. Two looks: the server's own pod tries what no policy
 * allows it, and if it cannot, a new pod without access tries the database's port. The second is needed, because pods
 * that were protected stay protected when whatever enforces policies has ended, and new ones are not.
 */
import { labelsOf } from "../components/kubernetes/labels.ts";
import { JOB_LABEL, POLICY_PREFIX, SERVER_CONTAINER, SERVER_POD } from "../components/kubernetes/names.ts";
import { type Placement, placed, restrictedContainer, restrictedPod } from "../components/kubernetes/pods.ts";
import { withProxy } from "./api-proxy.ts";
import { type ClusterContext, kubectl, KubectlError } from "./kubectl.ts";
import { type PodObject, podsPath } from "./pod-troubles.ts";

/** What was found. `new pods`: not enforced for those alone. */
export type Enforcement =
  { enforced: true } | { enforced: false; pods: "all" | "new" } | { enforced: undefined; why: string };

/**
 * Tries a connection until it has failed twice in a row, or for so many seconds: a pod, or a policy, that is new is not
 * enforced for about a second. Prints `closed` or `open`.
 */
const TRY = `end=$((SECONDS + GRACE)) failed=0
while true; do
  if timeout 2 bash -c 'exec 3<>"/dev/tcp/$HOST/$PORT"' 2>/dev/null; then
    failed=0
    if ((SECONDS >= end)); then echo open; exit 0; fi
  else
    failed=$((failed + 1))
    if ((failed > 1)); then echo closed; exit 0; fi
  fi
  sleep 0.2
done`;

/** Seconds for which a new pod's connection may succeed: kube-router, and K3s with it, takes about one. */
const GRACE = 10;
/** Seconds that the new pod has, including its start. */
const DEADLINE = 30;
/** Milliseconds between two looks at it. */
const INTERVAL = 300;

const CHECK = "network-check";

/** Arguments of {@link lookAtEnforcement}. */
export interface EnforcementArgs {
  namespace: string;
  /** The database's port. */
  port: number;
  /** An image with bash that the node has: the server's. */
  image: string;
  /** The server's. */
  placement: Placement;
  /** Seconds for which the server's connection may succeed: policies or a pod that are new. */
  grace: number;
}

/** The Job of the new pod. It has no label that gives access, removes itself, and nobody waits for it. */
export function checkJob({ namespace, port, image, placement }: EnforcementArgs, host: string): object {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { generateName: `${POLICY_PREFIX}check-`, namespace, labels: labelsOf(CHECK) },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: DEADLINE,
      ttlSecondsAfterFinished: 60,
      template: {
        metadata: { labels: labelsOf(CHECK) },
        spec: {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: 0,
          ...placed(placement),
          ...restrictedPod(),
          containers: [
            {
              name: CHECK,
              image,
              command: ["bash", "-c", `{ ${TRY}; } >/dev/termination-log`],
              env: [
                { name: "HOST", value: host },
                { name: "PORT", value: String(port) },
                { name: "GRACE", value: String(GRACE) },
              ],
              resources: {
                requests: { cpu: "10m", memory: "16Mi" },
                limits: { cpu: "200m", memory: "32Mi" },
              },
              ...restrictedContainer,
            },
          ],
        },
      },
    },
  };
}

/** What a pod that has ended wrote, or undefined while it runs. */
export function wordOf({ status }: PodObject): string | undefined {
  const terminated = status?.containerStatuses?.[0]?.state?.terminated;
  if (terminated) return terminated.message?.trim() ?? `it exited with ${terminated.exitCode}`;
  return status?.phase === "Failed" ? (status.reason ?? "it failed") : undefined;
}

const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Whether the server's pod reaches the API server, which no policy allows it; and the pod's address. */
async function fromServer(
  cluster: ClusterContext,
  { namespace, grace }: EnforcementArgs,
): Promise<{ word: string; address: string }> {
  const script = `getent hosts "$HOSTNAME"; HOST=$KUBERNETES_SERVICE_HOST PORT=$KUBERNETES_SERVICE_PORT GRACE=${grace}
export HOST PORT; ${TRY}`;
  const exec = ["exec", "-n", namespace, SERVER_POD, "-c", SERVER_CONTAINER, "--", "bash", "-c", script];
  const [hosts = "", word = ""] = (await kubectl(cluster, exec)).trim().split("\n");
  return { word, address: hosts.split(/\s/)[0] ?? "" };
}

/** Whether a new pod without access reaches the database. */
async function fromNewPod(cluster: ClusterContext, args: EnforcementArgs, address: string): Promise<string> {
  const { namespace } = args;
  const input = JSON.stringify(checkJob(args, address));
  const created = await kubectl(cluster, ["create", "-o", "name", "-f", "-"], undefined, input);
  const job = created.trim().replace(/^.*\//, "");
  try {
    return await withProxy(cluster, async (read) => {
      const path = `${podsPath(namespace)}?labelSelector=${encodeURIComponent(`${JOB_LABEL}=${job}`)}`;
      for (const end = Date.now() + (DEADLINE + 5) * 1000; Date.now() < end; await later(INTERVAL)) {
        const word = (await read<{ items: PodObject[] }>(path))?.items.map(wordOf)[0];
        if (word !== undefined) return word;
      }
      return `its pod has not ended within ${DEADLINE} s`;
    });
  } finally {
    await kubectl(cluster, ["delete", "job", job, "-n", namespace, "--wait=false"]).catch(() => undefined);
  }
}

/**
 * Finds out whether policies are enforced, in two to four seconds; in up to {@link GRACE} more if they are not.
 *
 * It cannot tell a policy from anything else that stands in the way of both connections, such as a firewall on the node;
 * and it says nothing about other nodes than the server's.
 */
export async function lookAtEnforcement(
  cluster: ClusterContext,
  args: EnforcementArgs,
): Promise<Enforcement> {
  const unknown = (why: string): Enforcement => ({ enforced: undefined, why });
  try {
    const { word, address } = await fromServer(cluster, args);
    if (word === "open") return { enforced: false, pods: "all" };
    if (word !== "closed") return unknown(`the server's pod said "${word}"`);
    const seen = await fromNewPod(cluster, args, address);
    if (seen === "open") return { enforced: false, pods: "new" };
    return seen === "closed" ? { enforced: true } : unknown(seen);
  } catch (error) {
    if (error instanceof KubectlError) return unknown(error.message);
    throw error;
  }
}

/** The finding in a line, and whether it is a warning. */
export function sayEnforcement(found: Enforcement): { text: string; warning: boolean } {
  if (found.enforced === undefined)
    return { text: `whether network policies are enforced is not known: ${found.why}`, warning: false };
  if (found.enforced)
    return {
      text: "network policies are enforced: a pod without access could not reach the database",
      warning: false,
    };
  return {
    text:
      found.pods === "all"
        ? "this cluster accepts network policies and does not enforce them: the server's pod reached the API server, which none allows. " +
          "Every pod in the cluster can reach the database, and only its password is in the way. docs/network-policies.md"
        : "network policies are not enforced for new pods: one without access reached the database, while the server's pod is still " +
          "protected. What enforces them does not run: docs/network-policies.md",
    warning: true,
  };
}
