/** CI's identities in the cluster: made, proven, given a token, compared and removed, with the operator's rights. */
import { setTimeout as wait } from "node:timers/promises";
import { type ClusterContext, kubectl, KubectlError } from "../../cluster/kubectl.ts";
import { ANNOTATIONS } from "../../components/kubernetes/names.ts";
import { ClusterObjects } from "../dev/apply/cluster-objects.ts";
import { isDeployed, OWN } from "../dev/apply/ownership.ts";
import type { Manifest } from "../evaluation/manifests.ts";
import { differences, foreignBindings } from "./differences.ts";
import type { OperatorKubeconfig } from "./kubeconfig.ts";
import { ACCESS_LABEL, ACCESS_NAMESPACE, accessName, EXPIRES_ANNOTATION, userName } from "./names.ts";
import type { Access } from "./objects.ts";
import { type Use, USES } from "./rights.ts";

/** Owner of the fields that this command writes. */
const MANAGER = "transcript-pipeline-ci-access";

/** Milliseconds for one kubectl: it writes a dozen objects. */
const PATIENCE = 60_000;

interface ServiceAccount extends Manifest {
  metadata: Manifest["metadata"] & { annotations?: Record<string, string> };
}

/** The objects of a list. */
async function listed(cluster: ClusterContext, args: readonly string[]): Promise<Manifest[]> {
  const text = await kubectl(cluster, ["get", ...args, "-o", "json"], PATIENCE);
  if (text.trim() === "") return [];
  const answer = JSON.parse(text) as Manifest & { items?: Manifest[] };
  return answer.items ?? [answer];
}

async function serviceAccountOf(cluster: ClusterContext, use: Use): Promise<ServiceAccount | undefined> {
  const [found] = await listed(cluster, [
    ...["serviceaccount", accessName(use), "-n", ACCESS_NAMESPACE, "--ignore-not-found"],
  ]);
  return found;
}

/**
 * Creates an identity, or brings it up to date.
 *
 * @throws if another stack's identity is there
 */
export async function apply(
  cluster: ClusterContext,
  use: Use,
  identity: string,
  access: Access,
): Promise<void> {
  const holder = (await serviceAccountOf(cluster, use))?.metadata.annotations?.[ANNOTATIONS.identity];
  if (holder !== undefined && holder !== identity) {
    throw new Error(
      `the identity ${accessName(use)} of this cluster is for ${holder}, not for ${identity}. If that stack is gone, ` +
        `remove it: npm run ci:access -- --stack ${holder.split("/")[1]} remove ${use}`,
    );
  }
  const { namespace, objects } = access;
  // An existing one is left to the program.
  const [existing] = await listed(cluster, ["namespace", namespace.metadata.name, "--ignore-not-found"]);
  if (existing === undefined)
    await kubectl(cluster, ["create", "-f", "-"], PATIENCE, JSON.stringify(namespace));
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const apply = ["apply", "--server-side", "--force-conflicts", `--field-manager=${MANAGER}`, "-f", "-"];
  await kubectl(cluster, apply, PATIENCE, list);
}

/**
 * The objects that an `up` has deployed. What the program no longer registers is deleted by the next `up`, which needs
 * the rights to it.
 */
export async function deployedObjects(cluster: ClusterContext, namespace: string): Promise<Manifest[]> {
  const objects = new ClusterObjects(cluster);
  const found = await Promise.all([objects.labelled(OWN, { namespace }), objects.labelled(OWN, "cluster")]);
  return found.flat().filter(isDeployed);
}

/** Whether the API server would accept a patch of the namespace from an identity. */
async function accepts(
  cluster: ClusterContext,
  use: Use,
  { namespace }: Access,
  patch: object,
  flags: readonly string[],
): Promise<boolean> {
  const args = ["patch", "namespace", namespace.metadata.name, "--type=merge", "-p", JSON.stringify(patch)];
  try {
    await kubectl(cluster, [...args, "--as", userName(use), ...flags]);
    return true;
  } catch (error) {
    if (error instanceof KubectlError && error.answered) return false;
    throw error;
  }
}

/** Milliseconds within which an API server knows a new policy; usually one second. */
const POLICY_PATIENCE = 60_000;

/**
 * Waits until the API server enforces what bounds an identity: what may be done is accepted, and what may not is
 * refused. Changes nothing either way.
 *
 * @throws if it does not. The identity must then not be handed out
 */
export async function prove(cluster: ClusterContext, use: Use, access: Access): Promise<void> {
  const dryRun = ["--dry-run=server"];
  const written = { metadata: { labels: access.namespace.metadata.labels } };
  const privileged = { metadata: { labels: { "pod-security.kubernetes.io/enforce": "privileged" } } };
  // The empty patch of a preview is a write that writes nothing.
  const refused = use === "preview" ? { patch: {}, flags: [] } : { patch: privileged, flags: dryRun };
  const deadline = Date.now() + POLICY_PATIENCE;
  for (;;) {
    const allowed = await accepts(cluster, use, access, written, dryRun);
    if (allowed && !(await accepts(cluster, use, access, refused.patch, refused.flags))) return;
    if (Date.now() > deadline) {
      throw new Error(
        `the API server does not limit ${accessName(use)} as it should (${allowed ? "it accepts what must be refused" : "it refuses what must be allowed"}), ` +
          "so no token was made. Kubernetes 1.30 or newer is needed. See: kubectl get validatingadmissionpolicies",
      );
    }
    await wait(500);
  }
}

/** A token and when it expires. */
export interface Token {
  token: string;
  /** ISO 8601. */
  expires: string;
}

/** Asks for a token, which is in no command line and in no file, and notes when it expires. */
export async function requestToken(cluster: ClusterContext, use: Use, seconds: number): Promise<Token> {
  const path = `/api/v1/namespaces/${ACCESS_NAMESPACE}/serviceaccounts/${accessName(use)}/token`;
  const request = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: seconds },
  };
  const answer = await kubectl(
    cluster,
    ["create", "--raw", path, "-f", "-"],
    PATIENCE,
    JSON.stringify(request),
  );
  const { status } = JSON.parse(answer) as { status: { token: string; expirationTimestamp: string } };
  await kubectl(cluster, [
    ...["annotate", "serviceaccount", accessName(use), "-n", ACCESS_NAMESPACE, "--overwrite"],
    `${EXPIRES_ANNOTATION}=${status.expirationTimestamp}`,
  ]);
  return { token: status.token, expires: status.expirationTimestamp };
}

/** The operator's kubeconfig of this cluster. */
export async function operatorKubeconfig(cluster: ClusterContext): Promise<OperatorKubeconfig> {
  // `--minify` takes the current context, and ignores the global flag of another one in some versions.
  const text = await kubectl(cluster, ["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]);
  return JSON.parse(text) as OperatorKubeconfig;
}

/** An identity as it is in the cluster. */
export interface Found {
  /** Whether there is one. */
  exists: boolean;
  /** When its newest token expires. */
  expires?: string | undefined;
  differences: string[];
}

/** The kinds of an identity's objects, as kubectl names them. */
const KINDS = {
  cluster: [
    "clusterrolebindings",
    "clusterroles",
    "validatingadmissionpolicybindings",
    "validatingadmissionpolicies",
  ],
  namespaced: ["rolebindings", "roles", "serviceaccounts"],
};

/** Compares an identity with what a program needs. */
export async function compare(cluster: ClusterContext, use: Use, access: Access): Promise<Found> {
  const account = await serviceAccountOf(cluster, use);
  if (account === undefined) return { exists: false, differences: [] };
  const [inCluster, inNamespaces, namespaces, bindings] = await Promise.all([
    listed(cluster, [KINDS.cluster.join(), "-l", `${ACCESS_LABEL}=${use}`]),
    listed(cluster, [KINDS.namespaced.join(), "-A", "-l", `${ACCESS_LABEL}=${use}`]),
    listed(cluster, ["namespace", ACCESS_NAMESPACE, "--ignore-not-found"]),
    listed(cluster, ["clusterrolebindings,rolebindings", "-A"]),
  ]);
  return {
    exists: true,
    expires: account.metadata.annotations?.[EXPIRES_ANNOTATION],
    differences: [
      ...differences(access.objects, [...inCluster, ...inNamespaces, ...namespaces]),
      ...foreignBindings(use, bindings),
    ],
  };
}

/** Removes identities; their tokens are refused from then on. */
export async function remove(cluster: ClusterContext, uses: readonly Use[]): Promise<void> {
  for (const use of uses) {
    const of = ["-l", `${ACCESS_LABEL}=${use}`];
    // The rights first, then what limits them.
    await kubectl(cluster, ["delete", KINDS.namespaced.join(), "-A", ...of], PATIENCE);
    await kubectl(cluster, ["delete", KINDS.cluster.join(), ...of], PATIENCE);
  }
  const left = await Promise.all(USES.map((use) => serviceAccountOf(cluster, use)));
  if (left.every((account) => account === undefined)) {
    await kubectl(
      cluster,
      ["delete", "namespace", ACCESS_NAMESPACE, "--ignore-not-found", "--wait=false"],
      PATIENCE,
    );
  }
}
