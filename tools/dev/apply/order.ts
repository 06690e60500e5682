/** The order and the steps in which the objects of a rendering are applied. */
import { type Manifest, objectId } from "../../evaluation/manifests.ts";

/** Kinds that take effect only through the objects that use them. */
export const isConfiguration = ({ kind }: Manifest): boolean => kind === "ConfigMap" || kind === "Secret";

/** Whether a text occurs as a value anywhere in another value. */
function holds(value: unknown, text: string): boolean {
  if (typeof value !== "object" || value === null) return value === text;
  return Object.values(value).some((part) => holds(part, text));
}

/** Whether an object names another one. */
function names(object: Manifest, { metadata: { name } }: Manifest): boolean {
  return holds({ ...object, metadata: undefined }, name);
}

/**
 * The order of registration, with each ConfigMap and Secret just before the first object that names it. So what a
 * running pod mounts changes only after the Jobs before its workload, which may fail, have succeeded. Objects that
 * nothing names come last.
 */
export function inOrder(objects: readonly Manifest[]): Manifest[] {
  const waiting = new Set(objects.filter(isConfiguration));
  const ordered = objects
    .filter((object) => !isConfiguration(object))
    .flatMap((object) => {
      const used = [...waiting].filter((configuration) => names(object, configuration));
      for (const one of used) waiting.delete(one);
      return [...used, object];
    });
  return [...ordered, ...waiting];
}

/** Objects that are applied together and then waited for. */
export type Step = Manifest[];

/**
 * A Job is a separate step: it needs what precedes it to be ready, and what follows it needs its success. Everything
 * else is applied together, so that nothing waits for an object that comes a moment later.
 */
export function stepsOf(objects: readonly Manifest[]): Step[] {
  const steps: Step[] = [];
  let current: Step | undefined;
  for (const object of inOrder(objects)) {
    if (object.kind === "Job") {
      steps.push([object]);
      current = undefined;
    } else {
      if (current === undefined) steps.push((current = []));
      current.push(object);
    }
  }
  return steps;
}

/** The objects that are not among others. */
export function without<T extends Manifest>(objects: readonly T[], others: readonly Manifest[]): T[] {
  const ids = new Set(others.map(objectId));
  return objects.filter((object) => !ids.has(objectId(object)));
}
