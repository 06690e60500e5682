/** The rights of CI's identities: derived from the objects that a stack's program registers. */
import { type Right, type Rights, rightsForLooks } from "../../cluster/rights.ts";
import type { Manifest } from "../evaluation/manifests.ts";

/** The identities that CI has. */
export const USES = ["deploy", "preview"] as const;
export type Use = (typeof USES)[number];

/** A rule of a Role or a ClusterRole. */
export interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

/** The API group of an object's version; empty for the core. */
export function groupOf({ apiVersion }: Pick<Manifest, "apiVersion">): string {
  return apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
}

/** A kind's resource, by the rule with which Kubernetes makes names from kinds (meta.UnsafeGuessKindToResource). */
export function resourceOf(kind: string): string {
  const name = kind.toLowerCase();
  if (name === "endpoints") return name;
  if (/s$/.test(name)) return `${name}es`;
  return /[^aeiou]y$/.test(name) ? `${name.slice(0, -1)}ies` : `${name}s`;
}

/**
 * What Pulumi's Kubernetes provider (4.34) does with each object. It creates by server-side apply, which is a patch, and
 * needs `create` too where there is no object yet. A preview does the same as a dry run, for which Kubernetes asks for
 * the same rights.
 */
const VERBS: Readonly<Record<Use, readonly string[]>> = {
  preview: ["get", "create", "patch"],
  // It waits for the end of each deletion by listing and watching.
  deploy: ["get", "list", "watch", "create", "patch", "delete"],
};

/**
 * The namespace is created with the identities, before there is a role in it, and no `up` deletes it: its name never
 * changes.
 */
const NAMESPACE_VERBS: readonly string[] = ["get", "patch"];

/**
 * What the provider looks at while it waits for an object of a kind to be ready, next to the object itself. For each
 * object it also asks for events; for one outside of a namespace for those of the whole cluster, which are not
 * granted: they have only the words for a wait, and it waits as long without them.
 */
const WAITS: Readonly<Record<string, readonly string[]>> = {
  StatefulSet: ["pods"],
  Job: ["pods"],
  Service: ["endpoints"],
};

/** The rights that an identity needs for the objects of a program. */
export function rightsFor(use: Use, manifests: readonly Manifest[]): Rights {
  const isStored = manifests.some(({ kind }) => kind === "ExternalSecret");
  const looks = rightsForLooks(use, isStored);
  const cluster: Right[] = [...looks.cluster];
  const namespace: Right[] = [...looks.namespace];
  for (const manifest of manifests) {
    const { kind, metadata } = manifest;
    const of = { group: groupOf(manifest), resource: resourceOf(kind) };
    if (metadata.namespace === undefined) {
      const verbs = kind === "Namespace" ? NAMESPACE_VERBS : VERBS[use];
      cluster.push(...verbs.map((verb) => ({ ...of, verb, name: metadata.name })));
      continue;
    }
    namespace.push(...VERBS[use].map((verb) => ({ ...of, verb })));
    // A preview looks once, where it compares the cluster with the state.
    const [seen, verbs] =
      use === "preview"
        ? [WAITS[kind] ?? [], ["list"]]
        : [
            ["events", ...(WAITS[kind] ?? [])],
            ["list", "watch"],
          ];
    for (const resource of seen) namespace.push(...verbs.map((verb) => ({ group: "", resource, verb })));
  }
  return { cluster: simplified(cluster), namespace: simplified(namespace) };
}

/** A resource as kubectl names it, with its subresource at the end of the resource: `statefulsets.apps/scale`. */
export function fullResource({ group, resource }: Pick<Right, "group" | "resource">): string {
  const [name, ...sub] = resource.split("/");
  return [group === "" ? name : `${name}.${group}`, ...sub].join("/");
}

/** A right as text: `patch statefulsets.apps postgres`. */
export function rightText(right: Right): string {
  return [right.verb, fullResource(right), ...(right.name === undefined ? [] : [right.name])].join(" ");
}

/** Each right once, sorted, without those for one object that another gives for all. */
export function simplified(rights: readonly Right[]): Right[] {
  const byText = new Map(rights.map((right) => [rightText(right), right]));
  return [...byText.entries()]
    .filter(([, right]) => right.name === undefined || !byText.has(rightText({ ...right, name: undefined })))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, right]) => right);
}

/** Groups by a key, in the order of first appearance. */
function grouped<T>(values: readonly T[], keyOf: (value: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return [...groups.values()];
}

const sorted = (values: readonly string[]) => [...new Set(values)].sort();

/** The rules that grant exactly these rights. */
export function rulesOf(rights: readonly Right[]): PolicyRule[] {
  // A rule grants each of its verbs on each of its resources, under each of its names: only equals may be merged.
  const objects = grouped(rights, (right) => `${fullResource(right)} ${right.name ?? ""}`).map((group) => ({
    group: group[0]?.group ?? "",
    resource: group[0]?.resource ?? "",
    name: group[0]?.name,
    verbs: sorted(group.map(({ verb }) => verb)),
  }));
  const resources = grouped(
    objects,
    ({ verbs, name, ...of }) => `${fullResource(of)} ${name === undefined} ${verbs.join()}`,
  ).map((group) => ({
    group: group[0]?.group ?? "",
    resource: group[0]?.resource ?? "",
    verbs: group[0]?.verbs ?? [],
    names: sorted(group.flatMap(({ name }) => name ?? [])),
  }));
  return grouped(resources, ({ group, verbs, names }) => `${group} ${verbs.join()} ${names.join()}`).map(
    (group) => ({
      apiGroups: [group[0]?.group ?? ""],
      resources: sorted(group.map(({ resource }) => resource)),
      verbs: group[0]?.verbs ?? [],
      ...(group[0]?.names.length && { resourceNames: group[0].names }),
    }),
  );
}

/** The rights that rules grant; the inverse of {@link rulesOf}. A `*` is kept as it is. */
export function rightsIn(rules: readonly Partial<PolicyRule>[]): Right[] {
  return rules.flatMap(({ apiGroups = [], resources = [], verbs = [], resourceNames = [] }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb): Right[] =>
          resourceNames.length === 0
            ? [{ group, resource, verb }]
            : resourceNames.map((name) => ({ group, resource, verb, name })),
        ),
      ),
    ),
  );
}
