/**
 * Applies a rendering as the engine would deploy it: in the order of dependency, waiting for workloads, Jobs and claims, and
 * deleting what is no longer in it. It knows kinds of Kubernetes objects, and none of the stack's capabilities.
 */
import { type ClaimObject, claimedSize } from "../../../cluster/volume-binding.ts";
import { type Manifest, objectId } from "../../evaluation/manifests.ts";
import type { MarkedRendering } from "../../evaluation/rendering.ts";
import type { LiveObject, Objects } from "./cluster-objects.ts";
import { isConfiguration, stepsOf } from "./order.ts";
import { canBeMadeAgain, OWN, stale } from "./ownership.ts";
import { isAwaited, progressOf } from "./progress.ts";
import { inForce } from "./values-in-force.ts";

/** Reports to the caller, and requests. */
export interface Watch {
  /** A line about what was done. */
  say(line: string): void;
  /** What the pods of a namespace are doing, and what blocks them. */
  pods(namespace: string): Promise<string>;
  /** Called once ConfigMaps and Secrets are applied, which running pods may have, before anything is waited for. */
  configured(): Promise<void>;
  /** Milliseconds between two checks of what is waited for. @default 500 */
  interval?: number;
  /** Milliseconds that any object but a Job may take; a Job has its own deadline. @default 15 minutes */
  limit?: number;
}

/** As for the server's resource in the program: long enough for a recovery. */
const LIMIT = 15 * 60_000;

/** One rendering on its way to one cluster. */
class Application {
  private readonly objects: Objects;
  private readonly watch: Watch;
  constructor(objects: Objects, watch: Watch) {
    this.objects = objects;
    this.watch = watch;
  }

  /** The objects, adapted so that they can be applied over the existing ones. */
  private fitted(objects: readonly Manifest[], live: ReadonlyMap<string, LiveObject>): Manifest[] {
    return objects.map((object) => {
      const there = live.get(objectId(object));
      if (object.kind !== "PersistentVolumeClaim" || there === undefined || !isAwaited(object)) return object;
      // A claim's first request cannot be changed and need not be: the volume has the size that its own object says.
      const storage = claimedSize(there as unknown as ClaimObject);
      const spec = object.spec as { resources?: { requests?: object } };
      if (storage === undefined) return object;
      const resources = { ...spec.resources, requests: { ...spec.resources?.requests, storage } };
      return { ...object, spec: { ...spec, resources } };
    });
  }

  /** Deletes an existing object that cannot be updated to the wanted one. */
  private async makeRoom(object: Manifest): Promise<boolean> {
    // An invalid manifest is not a reason to delete anything.
    if (!canBeMadeAgain(object) || (await this.objects.takesChange(object))) return false;
    if (!(await this.objects.takesNew(object))) return false;
    this.watch.say(`${object.kind} ${object.metadata.name}: replaced with the one in this configuration`);
    await this.objects.delete([object]);
    return true;
  }

  /** Deletes a Job that failed or has not ended, which would keep the new one from running. */
  private async makeRoomForJob(job: Manifest, live: LiveObject): Promise<void> {
    if ((await this.makeRoom(job)) || progressOf(live) === "ready" || !isAwaited(job)) return;
    await this.objects.delete([job]);
  }

  /** Applies objects, replacing those that cannot be updated. */
  private async put(objects: readonly Manifest[], live: ReadonlyMap<string, LiveObject>): Promise<void> {
    for (const object of objects) {
      const there = live.get(objectId(object));
      if (object.kind === "Job" && there) await this.makeRoomForJob(object, there);
    }
    const apply = async () => this.watch.say((await this.objects.apply(objects)).trimEnd());
    await apply().catch(async (error: unknown) => {
      let replaced = false;
      for (const object of objects)
        if (live.has(objectId(object))) replaced = (await this.makeRoom(object)) || replaced;
      if (!replaced) throw error;
      await apply();
    });
  }

  private async failure({ kind, metadata: { name } }: Manifest, live: LiveObject, why: string) {
    // The end of the pod's log says why a Job failed.
    const words = kind === "Job" ? `\n${await this.objects.logs(live).catch(String)}` : "";
    return new Error(`${kind} ${name} failed: ${why}${words}`);
  }

  /** Waits until objects are ready, reporting what the pods are doing. */
  private async settle(objects: readonly Manifest[]): Promise<void> {
    const { interval = 500, limit = LIMIT } = this.watch;
    const started = Date.now();
    let open = objects.filter(isAwaited);
    let said = "";
    for (;;) {
      const live = await this.objects.read(open);
      for (const object of open) {
        const there = live.get(objectId(object));
        const progress = progressOf(there);
        if (there && typeof progress === "object") throw await this.failure(object, there, progress.failed);
      }
      open = open.filter((object) => progressOf(live.get(objectId(object))) !== "ready");
      const [first] = open;
      if (first === undefined) return;
      const pods = await this.watch.pods(first.metadata.namespace ?? "");
      const names = open.map(({ kind, metadata: { name } }) => `${kind} ${name}`).join(", ");
      const now = `waiting for ${names}: ${pods}`;
      if (now !== said) this.watch.say(now);
      said = now;
      if (Date.now() - started > limit && open.some(({ kind }) => kind !== "Job"))
        throw new Error(`${names}: not ready after ${limit / 60_000} minutes: ${pods}`);
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
  }

  async run({ objects: rendered, generated }: MarkedRendering): Promise<void> {
    const live = await this.objects.read(rendered);
    const { objects, made } = inForce(rendered, generated, live);
    for (const { name, keys } of made) this.watch.say(`Secret ${name}: has a new ${keys.join(", ")}`);
    for (const step of stepsOf(this.fitted(objects, live))) {
      await this.put(step, live);
      if (step.some(isConfiguration)) await this.watch.configured();
      await this.settle(step);
    }
    await this.deleteStale(rendered);
  }

  private async deleteStale(rendered: readonly Manifest[]): Promise<void> {
    const namespaces = new Set(rendered.flatMap(({ metadata: { namespace } }) => namespace ?? []));
    const scopes = ["cluster" as const, ...[...namespaces].map((namespace) => ({ namespace }))];
    const there = (await Promise.all(scopes.map((scope) => this.objects.labelled(OWN, scope)))).flat();
    const gone = stale(there, rendered);
    for (const { kind, metadata } of gone)
      this.watch.say(`${kind} ${metadata.name}: deleted, it is no longer part of the stack`);
    await this.objects.delete(gone);
  }
}

/**
 * Applies a rendering and waits until the cluster has it.
 *
 * @throws when an object is refused, a Job fails (with the end of its log), or something is not ready in time
 */
export function applyRendering(objects: Objects, rendering: MarkedRendering, watch: Watch): Promise<void> {
  return new Application(objects, watch).run(rendering);
}
