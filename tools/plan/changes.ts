/** Converts the engine's steps to changes: one per resource, whatever the number of its steps. */
import type { EventStep } from "../engine/events.ts";
import { list, quoted } from "./statements.ts";

/** What the plan does to one resource. */
export interface Change {
  kind: "create" | "update" | "replace" | "delete";
  type: string;
  /** Kind and logical name, as `StatefulSet postgres`. */
  name: string;
  logicalName: string;
  /** Paths of the properties that differ, with what happens to them. */
  paths: Map<string, string>;
  old: Record<string, unknown>;
  new: Record<string, unknown>;
}

const OPERATIONS: Readonly<Record<string, Change["kind"]>> = {
  create: "create",
  import: "create",
  update: "update",
  replace: "replace",
  "create-replacement": "replace",
  "delete-replaced": "replace",
  "import-replacement": "replace",
  delete: "delete",
};

function logicalNameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** Kind and logical name, for a sentence. */
export function nameOf({ urn, type }: Pick<EventStep, "urn" | "type">): string {
  const last = type.split(":").at(-1) ?? type;
  // A program can register any text as a type.
  const kind = /^[A-Za-z][\w-]{0,60}$/.test(last) ? last : quoted(last);
  return `${type.startsWith("pulumi:providers:") ? "provider " : ""}${kind} ${quoted(logicalNameOf(urn))}`;
}

/** The keys of a property path: `data["a.b"].c[0]` is data, a.b, c, 0. */
export function keysOf(path: string): string[] {
  return [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(
    ([, quotedKey, index, plain]) => quotedKey ?? index ?? plain ?? "",
  );
}

/** The value at a property path, or undefined. */
export function at(value: unknown, path: string): unknown {
  let found: unknown = value;
  for (const key of keysOf(path)) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

function pathsOf(step: EventStep): [string, string][] {
  if (step.detailedDiff)
    return Object.entries(step.detailedDiff).map(([path, { diffKind }]) => [path, diffKind]);
  return [...(step.keys ?? []), ...(step.diffs ?? [])].map((path) => [path, "update"]);
}

/** The plan's changes, one for each resource, in the order of the plan. */
export function changesOf(steps: readonly EventStep[]): Change[] {
  const changes = new Map<string, Change>();
  for (const step of steps) {
    const kind = OPERATIONS[step.op];
    if (kind === undefined) continue;
    const known = changes.get(step.urn);
    const change: Change = known ?? {
      kind,
      type: step.type,
      name: nameOf(step),
      logicalName: logicalNameOf(step.urn),
      paths: new Map(),
      old: {},
      new: {},
    };
    // A replacement consists of several steps; whichever comes first, it is one.
    if (kind === "replace") change.kind = kind;
    if (step.old?.inputs) change.old = step.old.inputs;
    if (step.new?.inputs) change.new = step.new.inputs;
    // The step that creates the new object names properties of it, not the reasons for it.
    if (step.op !== "create-replacement")
      for (const [path, how] of pathsOf(step)) change.paths.set(path, how);
    changes.set(step.urn, change);
  }
  return [...changes.values()];
}

/** Whether a resource is a Kubernetes object of one of these kinds. */
export const isKind =
  (...kinds: string[]) =>
  ({ type }: { type: string }): boolean =>
    type.startsWith("kubernetes:") && kinds.includes(type.split(":").at(-1) ?? "");

/** Components and the stack itself group resources and do not exist in the cluster. */
export const isGroup = ({ type }: { type: string }): boolean =>
  type === "pulumi:pulumi:Stack" || /^transcript-pipeline:index:/.test(type);

/** The files of a ConfigMap that differ, with what happens to them. */
export function filesOf({ paths }: Change): { file: string; how: string }[] {
  return [...paths].flatMap(([path, how]) => {
    const [root, file] = keysOf(path);
    return root === "data" && file !== undefined ? [{ file, how }] : [];
  });
}

/** A property before and after, for a sentence. */
export function fromTo(change: Change, path: string): string {
  const before = at(change.old, path);
  const after = at(change.new, path);
  if (before === undefined) return quoted(after);
  return after === undefined ? `${quoted(before)} is removed` : `${quoted(before)} → ${quoted(after)}`;
}

/** Which properties differ, in parentheses. */
export function because({ paths }: Change): string {
  return paths.size === 0 ? "" : ` (${list([...paths.keys()].map(quoted))})`;
}
