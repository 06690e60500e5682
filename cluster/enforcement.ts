/**
 * Whether the cluster enforces the network policies that it accepts. Two looks: the server's own pod tries what no policy
 * allows it, and if it cannot, a new pod without access tries the same, and the database's port. The second look is
 * needed, because pods that were protected stay so when whatever enforces policies has ended, and new ones never are.
 */
import { labelsOf } from "../components/kubernetes/labels.ts";
import { JOB_LABEL, POLICY_PREFIX, SERVER_CONTAINER, SERVER_POD } from "../components/kubernetes/names.ts";
import { type Placement, placed, restrictedContainer, restrictedPod } from "../components/kubernetes/pods.ts";
import { withProxy } from "./api-proxy.ts";
import { type ClusterContext, kubectl } from "./kubectl.ts";
import { type PodObject, podsPath } from "./pod-troubles.ts";

/** What was found, and if policies are not enforced, who reached what. */
export type Enforcement =
  | { enforced: true }
  | { enforced: false; seen: "server reached API" | "new pod reached API" | "new pod reached database" }
  | { enforced: undefined; why: string };

/**
 * `try <host> <port>`: connects until that has failed twice in a row, or for so many seconds: what is new, a pod or a
 * policy, is not enforced for about a second. Prints `closed` or `open`.
 */
const TRY = `try() {
  local end=$((SECONDS + GRACE)) failed=0
  while true; do
    if timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; then
      failed=0
      if ((SECONDS >= end)); then echo open; return; fi
    else
      failed=$((failed + 1))
      if ((failed > 1)); then echo closed; return; fi
    fi
    sleep 0.2
  done
}`;

/** The API server: it answers every pod of a cluster without policies, which have no other way to it. */
const TRY_API = 'try "$KUBERNETES_SERVICE_HOST" "$KUBERNETES_SERVICE_PORT"';

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
              command: [
                "bash",
                "-c",
                `${TRY}\necho "$(${TRY_API}) $(try "$HOST" "$PORT")" >/dev/termination-log`,
              ],
              env: [
                { name: "HOST", value: host },
                { name: "PORT", value: String(port) },
                { name: "GRACE", value: String(GRACE) },
              ],
              resources: {
                requests: { cpu: "10m", memory: "16Mi" },
                limits: { cpu: "1", memory: "32Mi" },
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
  const script = `GRACE=${grace}\n${TRY}\ngetent hosts "$HOSTNAME" && ${TRY_API}`;
  const exec = ["exec", "-n", namespace, SERVER_POD, "-c", SERVER_CONTAINER, "--", "bash", "-c", script];
  const [hosts = "", word = ""] = (await kubectl(cluster, exec)).trim().split("\n");
  return { word, address: hosts.split(/\s/)[0] ?? "" };
}

/** Whether a new pod without access reaches the API server, and the database: two words. */
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
 * Finds out whether policies are enforced, in two to four seconds; in up to {@link GRACE} more if new pods are open.
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
    if (word === "open") return { enforced: false, seen: "server reached API" };
    if (word !== "closed") return unknown(`the server's pod said "${word}"`);
    const said = await fromNewPod(cluster, args, address);
    const [api, database, ...more] = said.split(" ");
    if (more.length > 0 || ![api, database].every((one) => one === "open" || one === "closed"))
      return unknown(said);
    if (database === "open") return { enforced: false, seen: "new pod reached database" };
    return api === "open" ? { enforced: false, seen: "new pod reached API" } : { enforced: true };
  } catch (error) {
    // Nobody waits for it at first, and whatever goes wrong with it stops no deployment.
    return unknown(error instanceof Error ? error.message : String(error));
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
  return { text: UNENFORCED[found.seen], warning: true };
}

const OPEN =
  "Every pod in the cluster can reach the database, and only its password is in the way. docs/network-policies.md";

/** What is said when policies are not enforced. */
const UNENFORCED = {
  "server reached API": `this cluster accepts network policies and does not enforce them: the server's pod reached the API server, which none allows. ${OPEN}`,
  "new pod reached database": `this cluster accepts network policies and does not enforce them: a pod without access reached the database. ${OPEN}`,
  "new pod reached API":
    "network policies are not enforced for new pods: one reached the API server, which none allows. The pods from before stay protected; " +
    "the server is open once its pod has started again, and new clients are refused. What enforces policies does not run: docs/network-policies.md",
} as const;
