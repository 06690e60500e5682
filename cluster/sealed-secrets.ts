/**
 * SealedSecrets in the cluster: whether it has the kind, which Secrets have one, and which of them the controller has not
 * opened, in its own words. And what the controller must not do, or must be allowed to do, when the source changes.
 */
import { APPLICATION } from "../components/kubernetes/labels.ts";
import { isKeyOfForm, LOGINS_KEY } from "../components/credentials/logins.ts";
import { LOGINS_SECRET } from "../components/kubernetes/names.ts";
import type { Read } from "./api-proxy.ts";
import { type ClusterContext, kubectl, KubectlError } from "./kubectl.ts";

/** API group of Sealed Secrets, and the version that the program uses. */
const GROUP = "bitnami.com";
const VERSION = "v1alpha1";
const RESOURCE = `sealedsecrets.${GROUP}`;

/** The annotation of a Secret that the controller may change, and has changed. */
const MANAGED = "sealedsecrets.bitnami.com/managed";

/** The parts of metadata that are read. */
interface Metadata {
  name: string;
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  creationTimestamp?: string;
}

/** The parts of a SealedSecret that are read. */
export interface SealedSecretObject {
  metadata: Metadata;
  status?: {
    observedGeneration?: number;
    conditions?: { type: string; status: string; message?: string; lastTransitionTime?: string }[];
  };
}

/** What the cluster has of Sealed Secrets. */
export interface SealedState {
  /** Whether it knows the kind. */
  isInstalled: boolean;
  /** The stack's objects. */
  objects: readonly SealedSecretObject[];
  /** The stack's Secrets by name, and whether the controller has written them. */
  secrets: Readonly<Record<string, { isStored: boolean }>>;
}

const OWN: Readonly<Record<string, string>> = {
  "app.kubernetes.io/part-of": APPLICATION,
  "app.kubernetes.io/managed-by": "pulumi",
};
const isOwn = ({ metadata: { labels = {} } }: { metadata: Metadata }) =>
  Object.entries(OWN).every(([name, value]) => labels[name] === value);

/** Without the values, which nobody needs to see. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/**
 * Asks the cluster.
 *
 * @param isSealed whether the credentials are sealed. Otherwise only what is left of that is looked for, as far as it may be
 */
export async function lookAtSealed(read: Read, namespace: string, isSealed: boolean): Promise<SealedState> {
  // Of a group that it does not have, the API server answers as of any unknown page.
  const known = await read<{ groups: { name: string; versions: { version: string }[] }[] }>("/apis");
  const isInstalled =
    known?.groups.some(
      ({ name, versions }) => name === GROUP && versions.some(({ version }) => version === VERSION),
    ) === true;
  if (!isInstalled) return { isInstalled, objects: [], secrets: {} };
  const objects = read<{ items: SealedSecretObject[] }>(
    `/apis/${GROUP}/${VERSION}/namespaces/${namespace}/sealedsecrets`,
  );
  if (!isSealed) {
    // Whoever may not see them has deployed none.
    const left = await objects.catch((error: unknown) => {
      if (error instanceof KubectlError && error.answered) return undefined;
      throw error;
    });
    return { isInstalled, objects: left?.items.filter(isOwn) ?? [], secrets: {} };
  }
  const [all, secrets] = await Promise.all([
    objects,
    read<{ items: { metadata: Metadata }[] }>(`/api/v1/namespaces/${namespace}/secrets`, METADATA_ONLY),
  ]);
  return {
    isInstalled,
    objects: all?.items.filter(isOwn) ?? [],
    secrets: Object.fromEntries(
      (secrets?.items ?? [])
        .filter(isOwn)
        .map(({ metadata: { name, annotations = {} } }) => [
          name,
          { isStored: annotations[MANAGED] === "true" },
        ]),
    ),
  };
}

/** Words of others on one line, and no more of them than anybody reads. */
const words = (text: string) =>
  text
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .slice(0, 500);

const syncedOf = ({ status }: SealedSecretObject) =>
  status?.conditions?.find(({ type }) => type === "Synced");

/** Whether the controller has said nothing yet of an object as it is now. */
export const isUnread = (object: SealedSecretObject) =>
  syncedOf(object) === undefined || object.status?.observedGeneration !== object.metadata.generation;

/** What to do about a reason of the controller's. */
function remedy(why: string): string {
  if (why.includes("no key could decrypt"))
    return (
      "It is sealed for another name, another namespace or another cluster, or the controller has lost the key: seal it " +
      "again with this cluster's certificate, see docs/sealed-secrets.md"
    );
  if (why.includes("already exists"))
    return "Let the controller change the Secret, as docs/sealed-secrets.md says";
  return "See docs/sealed-secrets.md";
}

/** A sentence for each object that the controller has not opened. */
export function notOpened({ objects, secrets }: Pick<SealedState, "objects" | "secrets">): string[] {
  return objects.flatMap((object) => {
    const { name, creationTimestamp } = object.metadata;
    const synced = syncedOf(object);
    if (synced?.status === "True" && !isUnread(object)) return [];
    const effect = secrets[name]
      ? "The Secret stays as it is"
      : "There is no Secret yet, and the pods that need it wait";
    if (isUnread(object))
      return [
        `SealedSecret ${name} is not opened since ${creationTimestamp ?? "an unknown time"}: the controller has not looked ` +
          `at it yet: kubectl get pods -A -l app.kubernetes.io/name=sealed-secrets. ${effect}`,
      ];
    const why = words(synced?.message ?? "no reason");
    return [
      `SealedSecret ${name} is not opened since ${synced?.lastTransitionTime ?? "an unknown time"}: ${why}. ` +
        `${effect}. ${remedy(why)}`,
    ];
  });
}

/** The Secrets in the cluster that no SealedSecret makes. */
function withoutObject({ objects, secrets }: Pick<SealedState, "objects" | "secrets">): string[] {
  const made = new Set(objects.map(({ metadata }) => metadata.name));
  return Object.keys(secrets).filter((name) => !made.has(name));
}

/** Secrets that the controller is about to take over, and that the engine may have in its state. */
export function heldFromSealed(
  state: Pick<SealedState, "objects" | "secrets">,
  sealed: readonly string[],
): string[] {
  return withoutObject(state).filter((name) => sealed.includes(name));
}

/**
 * Secrets that the controller made and that nobody wants any more, such as a removed login's: it leaves them.
 *
 * @param wanted all of the stack's, sealed or not
 */
export function leftFromSealed(
  state: Pick<SealedState, "objects" | "secrets">,
  wanted: readonly string[],
): string[] {
  return withoutObject(state).filter(
    (name) => !wanted.includes(name) && state.secrets[name]?.isStored === true,
  );
}

/** What happens to the Secrets of a server when the controller takes them over. */
export function sayHandoverToSealed(held: readonly string[]): string {
  return (
    `secretStore.source is sealed-secrets: the controller takes over the Secrets ${held.join(", ")}, none of which is ` +
    "deleted. A value that was sealed as another one than the cluster has is in force at once; open sessions stay, and " +
    "nothing restarts: docs/sealed-secrets.md"
  );
}

/** What happens when the source is another one again. */
export function sayReturnFromSealed(names: readonly string[], source: string): string {
  return (
    `secretStore.source is ${source}, and the Secrets ${names.join(", ")} were sealed: none of them is deleted, and they ` +
    `get ${source === "pulumi" ? "the stack's own values again, which are those from before they were sealed unless they were configured since" : "the store's values"}. Open sessions stay`
  );
}

/**
 * Lets the controller change a Secret that is there: it refuses one that it has not made.
 *
 * @throws KubectlError if that may not be done
 */
export async function handOver(cluster: ClusterContext, namespace: string, name: string): Promise<void> {
  await kubectl(cluster, [
    ...["annotate", "secret", name, "-n", namespace, "--overwrite", `${MANAGED}=true`],
  ]).catch((error: unknown) => {
    // A new one.
    if (!(error instanceof KubectlError && error.notFound)) throw error;
  });
}

/**
 * Deletes a SealedSecret, so that the controller does not write its Secret again. The Secret stays: before, what would
 * delete it with its owner is removed, which controllers before 0.22 set.
 *
 * @throws KubectlError if that may not be done
 */
export async function deleteSealed(cluster: ClusterContext, namespace: string, name: string): Promise<void> {
  const patch = JSON.stringify({
    metadata: { ownerReferences: null, annotations: { [MANAGED]: null } },
  });
  await kubectl(cluster, ["patch", "secret", name, "-n", namespace, "--type=merge", "-p", patch]).catch(
    (error: unknown) => {
      if (!(error instanceof KubectlError && error.notFound)) throw error;
    },
  );
  await kubectl(cluster, [
    ...["delete", RESOURCE, name, "-n", namespace],
    ...["--ignore-not-found", "--wait=true", "--timeout=10s"],
  ]);
}

/**
 * Removes from the logins' Secret the keys that only its sealed form has: whoever applies the other form leaves them, and
 * a login that is removed later would come back.
 *
 * @throws KubectlError if that may not be done
 */
export async function removeSealedForm(cluster: ClusterContext, namespace: string): Promise<void> {
  const { data = {} } = JSON.parse(
    await kubectl(cluster, ["get", "secret", LOGINS_SECRET, "-n", namespace, "-o", "json"]),
  ) as { data?: Record<string, string> };
  // Without the other form, it would be empty.
  if (data[LOGINS_KEY] === undefined) return;
  const left = Object.keys(data).filter(isKeyOfForm);
  if (left.length === 0) return;
  const patch = JSON.stringify({ data: Object.fromEntries(left.map((key) => [key, null])) });
  await kubectl(cluster, ["patch", "secret", LOGINS_SECRET, "-n", namespace, "--type=merge", "-p", patch]);
}
