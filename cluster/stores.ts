/** What is looked at, said and done about a secret store during a deployment, whichever store it is. */
import * as pulumi from "@pulumi/pulumi";
import { APPLICATION } from "../components/kubernetes/labels.ts";
import { AUTHORITY_NAME, LOGINS_SECRET } from "../components/kubernetes/names.ts";
import { readSealed } from "../components/secrets/sealed-folder.ts";
import type { Settings } from "../config.ts";
import { sealedDirectory } from "../config/secret-store.ts";
import type { Live } from "../live.ts";
import { withProxy } from "./api-proxy.ts";
import type { ClusterState } from "./cluster-state.ts";
import { reasonOf } from "./preflight.ts";
import {
  deleteSealed,
  handOver,
  heldFromSealed,
  isUnread,
  leftFromSealed,
  lookAtSealed,
  notOpened,
  removeSealedForm,
  sayHandoverToSealed,
  sayReturnFromSealed,
  type SealedState,
} from "./sealed-secrets.ts";
import {
  deleteLeftSecrets,
  deleteStoreObjects,
  heldSecrets,
  isPending,
  leftSecrets,
  lookAtStore,
  notSynced,
  sayHandover,
  sayReturn,
  type StoreState,
  wantedSecrets,
} from "./secret-stores.ts";

/** The Secrets that are about to be taken over. */
export function heldIn({ store, sealed }: ClusterState, settings: Settings): string[] {
  switch (settings.secretStore.source) {
    case "external-secrets":
      return store ? heldSecrets(store, wantedSecrets(settings)) : [];
    case "sealed-secrets":
      return sealed ? heldFromSealed(sealed, sealedNames(settings)) : [];
    case "pulumi":
      return [];
  }
}

/** Names of the Secrets that are sealed. */
const sealedNames = (settings: Settings) => [...readSealed(sealedDirectory(settings)).keys()];

/** Says what is wrong in a store, and what a change of the source means. */
export async function sayStores(settings: Settings, { store, sealed }: ClusterState): Promise<void> {
  if (store) await sayStore(settings, store);
  if (sealed) await saySealed(settings, sealed);
}

/** Says which SealedSecrets are not opened, and what a change of the source means. */
async function saySealed(settings: Settings, sealed: SealedState): Promise<void> {
  const { source } = settings.secretStore;
  if (source === "sealed-secrets") {
    for (const trouble of notOpened(sealed)) await pulumi.log.warn(trouble);
    const held = heldFromSealed(sealed, sealedNames(settings));
    if (held.length > 0) await pulumi.log.warn(sayHandoverToSealed(held));
  } else if (sealed.objects.length > 0)
    await pulumi.log.warn(
      sayReturnFromSealed(
        sealed.objects.map(({ metadata }) => metadata.name),
        source,
      ),
    );
}

/** Says what a secret store does: which of its objects are not synced, and what a change of the source means. */
async function sayStore(settings: Settings, store: StoreState): Promise<void> {
  for (const trouble of notSynced(store, Date.now())) await pulumi.log.warn(trouble);
  const isStored = settings.secretStore.source === "external-secrets";
  const held = isStored ? heldSecrets(store, wantedSecrets(settings)) : [];
  if (held.length > 0) await pulumi.log.warn(sayHandover(held));
  if (!isStored && store.objects.length > 0)
    await pulumi.log.warn(sayReturn(store.objects.map(({ metadata }) => metadata.name)));
}

/** Milliseconds that the operator has for its first look at a new object, and between two looks. */
const FIRST_LOOK = 15_000;
const LOOK_AGAIN = 1000;

/** Milliseconds between two looks while the engine waits for a server. */
const LOOK_SELDOM = 10_000;

/** What there is of the store that is configured. */
interface StoreView {
  /** Whether its controller has said nothing about an object yet. */
  isPending: boolean;
  /** What is wrong with an object, by its name. */
  troubles: ReadonlyMap<string, string>;
  /** Secrets of it that are not part of the stack any more. */
  left: string[];
}

/** Looks at it. */
async function viewOf(settings: Settings): Promise<StoreView> {
  const { cluster, secretStore } = settings;
  const wanted = wantedSecrets(settings);
  if (secretStore.source === "sealed-secrets") {
    const sealed = await withProxy(cluster, (read) => lookAtSealed(read, APPLICATION, true));
    return {
      isPending: sealed.objects.some(isUnread),
      troubles: troublesBy(sealed.objects, (object) => notOpened({ ...sealed, objects: [object] })),
      // The authority's can be the stack's own.
      left: leftFromSealed(sealed, [...sealedNames(settings), ...wanted, AUTHORITY_NAME]),
    };
  }
  const store = await withProxy(cluster, (read) => lookAtStore(read, APPLICATION, true));
  const objects = store.objects.filter(({ metadata }) => wanted.includes(metadata.name));
  return {
    isPending: store.objects.some(isPending),
    troubles: troublesBy(objects, (object) => notSynced({ ...store, objects: [object] }, Date.now())),
    left: leftSecrets(store, wanted),
  };
}

/** The sentence about each object that has one. */
function troublesBy<Stored extends { metadata: { name: string } }>(
  objects: readonly Stored[],
  troublesOf: (object: Stored) => readonly string[],
): Map<string, string> {
  return new Map(
    objects.flatMap((object) =>
      troublesOf(object).map((trouble) => [object.metadata.name, trouble] as const),
    ),
  );
}

/** Reports each object once that keeps a new server's pods waiting. */
export function sayWaiting(settings: Settings): () => Promise<void> {
  const said = new Set<string>();
  let last = Date.now();
  return async () => {
    if (Date.now() - last < LOOK_SELDOM) return;
    last = Date.now();
    for (const [name, trouble] of (await viewOf(settings)).troubles) {
      if (said.has(name)) continue;
      said.add(name);
      await pulumi.log.warn(trouble);
    }
  };
}

/**
 * Reports what the store's controller could not do, once it has looked at every object, and deletes the Secrets that it
 * leaves behind.
 */
export async function reportStores(settings: Settings): Promise<void> {
  if (settings.secretStore.source === "pulumi") return;
  const deadline = Date.now() + FIRST_LOOK;
  try {
    let view = await viewOf(settings);
    while (view.isPending && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
      view = await viewOf(settings);
    }
    for (const trouble of view.troubles.values()) await pulumi.log.warn(trouble);
    await deleteLeftSecrets(settings.cluster, APPLICATION, view.left);
    if (view.left.length > 0)
      await pulumi.log.info(
        `deleted, as they are not part of the stack any more: the Secrets ${view.left.join(", ")}`,
      );
  } catch (error) {
    await pulumi.log.warn(
      `could not check whether the Secrets of the store are in the cluster: ${reasonOf(error)}`,
    );
  }
}

/** Whether a store, or the controller of what is sealed, has an object for a Secret. */
const has = (state: { objects: readonly { metadata: { name: string } }[] } | undefined, name: string) =>
  state?.objects.some(({ metadata }) => metadata.name === name) === true;

/** What an `up` does to a Secret that a store has, or gets. */
export function storeHooks(
  { cluster }: Settings,
  state: ClusterState | undefined,
): Pick<Live, "beforeSecret" | "afterSecret" | "handOverSecret"> {
  return {
    // On the way back from a store: what writes its values would do so once more.
    beforeSecret: new pulumi.ResourceHook("release-from-store", async ({ newInputs }) => {
      const { name } = (newInputs as { metadata: { name: string } }).metadata;
      if (has(state?.store, name)) await deleteStoreObjects(cluster, APPLICATION, [name]);
      if (has(state?.sealed, name)) await deleteSealed(cluster, APPLICATION, name);
    }),
    afterSecret: new pulumi.ResourceHook("remove-sealed-form", async ({ newInputs }) => {
      const { name } = (newInputs as { metadata: { name: string } }).metadata;
      if (name === LOGINS_SECRET && has(state?.sealed, name)) await removeSealedForm(cluster, APPLICATION);
    }),
    handOverSecret: new pulumi.ResourceHook("hand-over-to-controller", async ({ newInputs }) => {
      const { name } = (newInputs as { metadata: { name: string } }).metadata;
      // It would overwrite once more what the controller writes once.
      if (has(state?.store, name)) await deleteStoreObjects(cluster, APPLICATION, [name]);
      await handOver(cluster, APPLICATION, name);
    }),
  };
}
