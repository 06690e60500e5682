/**
 * The objects by which a store's values become Secrets: whether the cluster has the kind, which Secrets have one, and which
 * of them are not synced, in the operator's own words.
 */
import { APPLICATION } from "../components/kubernetes/labels.ts";
import type { Read } from "./api-proxy.ts";
import { loginSecretName } from "../components/credentials/logins.ts";
import { ownLogins } from "../config/own-logins.ts";
import {
  BACKUP_NAME,
  LOGINS_SECRET,
  NOTIFIER_NAME,
  OWNER_SECRET,
  SUPERUSER_SECRET,
} from "../components/kubernetes/names.ts";
import { type ClusterContext, kubectl, KubectlError } from "./kubectl.ts";

/** API group of the External Secrets Operator, and the version that the program uses. */
const GROUP = "external-secrets.io";
const VERSION = "v1";

/** The parts of metadata that are read. */
interface Metadata {
  name: string;
  labels?: Record<string, string>;
  creationTimestamp?: string;
}

/** The parts of an ExternalSecret that are read. */
export interface ExternalSecretObject {
  metadata: Metadata;
  spec?: { refreshInterval?: string; secretStoreRef?: { kind?: string; name?: string } };
  status?: {
    conditions?: {
      type: string;
      status: string;
      reason?: string;
      message?: string;
      lastTransitionTime?: string;
    }[];
    /** Of the last time that the store was read. */
    refreshTime?: string;
  };
}

/** The parts of an event that are read. */
export interface EventObject {
  type?: string;
  message?: string;
  involvedObject: { kind?: string; name?: string };
  lastTimestamp?: string | null;
  eventTime?: string | null;
}

/** What the cluster has of a store. */
export interface StoreState {
  /** The versions of the operator's API. Empty: it is not installed. */
  versions: readonly string[];
  /** The stack's objects. */
  objects: readonly ExternalSecretObject[];
  /** The stack's Secrets by name, and whether the operator has written them. */
  secrets: Readonly<Record<string, { isStored: boolean }>>;
  /** Warnings of the namespace's objects. */
  events: readonly EventObject[];
}

const OWN: Readonly<Record<string, string>> = {
  "app.kubernetes.io/part-of": APPLICATION,
  "app.kubernetes.io/managed-by": "pulumi",
};
const isOwn = ({ metadata: { labels = {} } }: { metadata: Metadata }) =>
  Object.entries(OWN).every(([name, value]) => labels[name] === value);

/** The operator's label on each Secret that it writes. */
const MANAGED = `reconcile.${GROUP}/managed`;

/** Without the values, which nobody needs to see. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/**
 * Asks the cluster.
 *
 * @param isStored whether a store keeps the values. Otherwise only what is left of one is looked for, as far as it may be
 */
export async function lookAtStore(read: Read, namespace: string, isStored: boolean): Promise<StoreState> {
  // Of a group that it does not have, the API server answers as of any unknown page.
  const groups = await read<{ groups: { name: string; versions: { version: string }[] }[] }>("/apis");
  const versions =
    groups?.groups.find(({ name }) => name === GROUP)?.versions.map(({ version }) => version) ?? [];
  const nothing: StoreState = { versions, objects: [], secrets: {}, events: [] };
  if (!versions.includes(VERSION)) return nothing;
  const objects = read<{ items: ExternalSecretObject[] }>(
    `/apis/${GROUP}/${VERSION}/namespaces/${namespace}/externalsecrets`,
  );
  if (!isStored) {
    // Whoever may not see them has deployed none.
    const left = await objects.catch((error: unknown) => {
      if (error instanceof KubectlError && error.answered) return undefined;
      throw error;
    });
    return { ...nothing, objects: left?.items.filter(isOwn) ?? [] };
  }
  const [all, secrets, events] = await Promise.all([
    objects,
    read<{ items: { metadata: Metadata }[] }>(`/api/v1/namespaces/${namespace}/secrets`, METADATA_ONLY),
    read<{ items: EventObject[] }>(`/api/v1/namespaces/${namespace}/events?fieldSelector=type%3DWarning`),
  ]);
  return {
    versions,
    objects: all?.items.filter(isOwn) ?? [],
    secrets: Object.fromEntries(
      (secrets?.items ?? [])
        .filter(isOwn)
        .map(({ metadata: { name, labels = {} } }) => [name, { isStored: labels[MANAGED] === "true" }]),
    ),
    events: events?.items ?? [],
  };
}

/** The Secrets with credentials that a stack wants. */
export function wantedSecrets({
  database,
  backup,
  notify,
  monitoring,
}: Parameters<typeof ownLogins>[0] & {
  database: { logins: Readonly<Record<string, unknown>> };
  backup: { repositories: Readonly<Record<string, unknown>> };
}): string[] {
  return [
    ...[OWNER_SECRET, SUPERUSER_SECRET, LOGINS_SECRET],
    ...[...Object.keys(database.logins), ...ownLogins({ notify, monitoring })].map(loginSecretName),
    ...(Object.keys(backup.repositories).length > 0 ? [BACKUP_NAME] : []),
    ...(Object.keys(notify.sinks).length > 0 ? [NOTIFIER_NAME] : []),
  ];
}

/**
 * Secrets that a store is about to take over, because no object of it makes them yet: the engine may have them in its
 * state, and would delete what the program no longer registers.
 */
export function heldSecrets({ objects, secrets }: StoreState, wanted: readonly string[]): string[] {
  const made = new Set(objects.map(({ metadata }) => metadata.name));
  return Object.keys(secrets).filter((name) => wanted.includes(name) && !made.has(name));
}

/** Secrets that a store made and that nobody wants any more, such as a removed login's: the operator leaves them. */
export function leftSecrets({ secrets }: StoreState, wanted: readonly string[]): string[] {
  return Object.entries(secrets)
    .filter(([name, { isStored }]) => isStored && !wanted.includes(name))
    .map(([name]) => name);
}

/** Milliseconds of a duration as Go writes it, such as `1m0s`; undefined if it has none. */
export function millisecondsOf(duration: string): number | undefined {
  const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000 };
  if (!/^(\d+(\.\d+)?[hms])+$/.test(duration)) return undefined;
  return [...duration.matchAll(/(\d+(?:\.\d+)?)([hms])/g)].reduce(
    (sum, [, number = "0", unit = ""]) => sum + Number(number) * (units[unit] ?? 0),
    0,
  );
}

/** What an operator that runs may be late, in milliseconds: it retries after as much. */
const LATE = 120_000;

/** Words of others on one line, and no more of them than anybody reads. */
const words = (text: string) =>
  text
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .slice(0, 500);

/** What the operator says of an object once it has found the store itself unusable: the reason is in what it said before. */
const CONSEQUENCE = /\bis not ready$/;

/** How much earlier than the state that follows from it an event may be, in milliseconds: both have whole seconds. */
const EARLIER = 5000;

/**
 * What the operator last said of an object, or of its store; a reason rather than a consequence.
 *
 * @param since when the present state began: a reason from before is one of another trouble
 */
function lastEvent({ metadata, spec }: ExternalSecretObject, events: readonly EventObject[], since: string) {
  const timeOf = ({ lastTimestamp, eventTime }: EventObject) => lastTimestamp ?? eventTime ?? "";
  const store = spec?.secretStoreRef;
  // Those of a ClusterSecretStore are in another namespace.
  const abouts = [{ kind: "ExternalSecret", name: metadata.name }, store];
  const said = events
    .filter(({ involvedObject: { kind, name } }) =>
      abouts.some((about) => about !== undefined && about.kind === kind && about.name === name),
    )
    .sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1));
  const begun = Date.parse(since) - EARLIER;
  const reason = said.findLast(
    (event) => !CONSEQUENCE.test(event.message ?? "") && !(Date.parse(timeOf(event)) < begun),
  );
  if (reason !== undefined) return reason.message;
  const last = said.at(-1)?.message;
  if (last === undefined || !CONSEQUENCE.test(last) || store?.kind === undefined) return last;
  return `${last}: kubectl describe ${store.kind.toLowerCase()} ${store.name ?? ""}`;
}

/** Why an object is not synced, and since when; undefined if it is. */
function troubleOf(object: ExternalSecretObject, events: readonly EventObject[], now: number) {
  const { metadata, spec, status } = object;
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  if (ready === undefined)
    return {
      since: metadata.creationTimestamp,
      why: "the External Secrets Operator has not looked at it yet: kubectl get pods -A -l app.kubernetes.io/name=external-secrets",
    };
  if (ready.status !== "True") {
    const event = lastEvent(object, events, ready.lastTransitionTime ?? "");
    const said = [ready.message ?? ready.reason ?? "no reason", ...(event === undefined ? [] : [event])];
    return { since: ready.lastTransitionTime, why: words(said.join(": ")) };
  }
  const interval = millisecondsOf(spec?.refreshInterval ?? "") ?? 0;
  const read = Date.parse(status?.refreshTime ?? "");
  if (interval === 0 || Number.isNaN(read) || now - read <= 2 * interval + LATE) return undefined;
  return {
    since: status?.refreshTime,
    why: `the operator reads the store every ${spec?.refreshInterval} and has not done so: kubectl get pods -A -l app.kubernetes.io/name=external-secrets`,
  };
}

/** Whether the operator has said nothing of an object yet. */
export const isPending = ({ status }: ExternalSecretObject) =>
  !status?.conditions?.some(({ type }) => type === "Ready");

/**
 * A sentence for each object that is not synced.
 *
 * @param now in milliseconds since the epoch
 */
export function notSynced(
  { objects, secrets, events }: Pick<StoreState, "objects" | "secrets" | "events">,
  now: number,
): string[] {
  return objects.flatMap((object) => {
    const trouble = troubleOf(object, events, now);
    if (trouble === undefined) return [];
    const { name } = object.metadata;
    const effect = secrets[name]
      ? "The Secret stays as it is, and no change in the store arrives"
      : "There is no Secret yet, and the pods that need it wait";
    return [
      `ExternalSecret ${name} is not synced since ${trouble.since ?? "an unknown time"}: ${trouble.why}. ${effect}: docs/secret-stores.md`,
    ];
  });
}

/** What happens to the Secrets of a server when a store takes them over. */
export function sayHandover(held: readonly string[]): string {
  return (
    `secretStore.source is external-secrets: the store takes over the Secrets ${held.join(", ")}, none of which is deleted. ` +
    "A value that is another one in the store than in the cluster is in force within secretStore.refreshInterval; open sessions " +
    "stay, and nothing restarts. A value that the store does not have stays as it is: docs/secret-stores.md"
  );
}

/** What happens when the stack takes them back. */
export function sayReturn(names: readonly string[]): string {
  return (
    `secretStore.source is pulumi, and a store made the Secrets ${names.join(", ")}: none of them is deleted, and they get the ` +
    "stack's own values again, which are those from before the store unless they were configured since. Open sessions stay"
  );
}

/**
 * Deletes objects of a store, so that they do not write their Secrets again. The Secrets stay.
 *
 * @throws KubectlError if they may not be deleted
 */
export async function deleteStoreObjects(
  cluster: ClusterContext,
  namespace: string,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  await kubectl(cluster, [
    ...["delete", `externalsecrets.${GROUP}`, ...names, "-n", namespace],
    ...["--ignore-not-found", "--wait=true", "--timeout=10s"],
  ]);
}

/**
 * Deletes Secrets that a store made and that nobody wants any more. Their objects first, which the engine deletes only
 * when everything else is done: they would make the Secrets again.
 *
 * @throws KubectlError if they may not be deleted
 */
export async function deleteLeftSecrets(
  cluster: ClusterContext,
  namespace: string,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  await deleteStoreObjects(cluster, namespace, names);
  await kubectl(cluster, ["delete", "secret", ...names, "-n", namespace, "--ignore-not-found"]);
}
