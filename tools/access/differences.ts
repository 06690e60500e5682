/** How an identity in the cluster differs from what this version of the program needs. */
import { isDeepStrictEqual } from "node:util";
import type { Right } from "../../cluster/rights.ts";
import { isMap } from "../../policy/values.ts";
import { type Manifest, objectId } from "../evaluation/manifests.ts";
import { ACCESS_NAMESPACE, accessName, userName } from "./names.ts";
import { type PolicyRule, rightText, rightsIn, simplified, type Use } from "./rights.ts";

/** Fields that the API server fills in, with the value that changes nothing. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  matchPolicy: "Equivalent",
  namespaceSelector: {},
  objectSelector: {},
  scope: "*",
};

/** A value without the API server's defaults. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, entry]) => !(name in DEFAULTS && isDeepStrictEqual(DEFAULTS[name], entry)))
      .map(([name, entry]) => [name, withoutDefaults(entry)]),
  );
}

/** The fields that decide what an object does. Labels do so on a Namespace alone. */
function effective(manifest: Manifest): object {
  if (manifest.kind !== "Namespace") {
    const isData = ([name]: [string, unknown]) =>
      !["apiVersion", "kind", "metadata", "status"].includes(name);
    return withoutDefaults(Object.fromEntries(Object.entries(manifest).filter(isData))) as object;
  }
  const { labels = {} } = manifest.metadata as { labels?: Record<string, string> };
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name.startsWith("pod-security.")));
}

const shownObject = ({ kind, metadata }: Manifest) =>
  `${kind} ${metadata.name}${metadata.namespace === undefined ? "" : ` in namespace ${metadata.namespace}`}`;

/** The rights of the first that the second does not have. */
function missing(from: readonly Right[], than: readonly Right[]): string[] {
  const there = new Set(than.map(rightText));
  return from
    .filter((right) => !there.has(rightText(right)) && !there.has(rightText({ ...right, name: undefined })))
    .map(rightText);
}

function differenceOfRoles(wanted: Manifest, found: Manifest): string[] {
  const rightsOf = ({ rules }: Manifest) => simplified(rightsIn((rules ?? []) as Partial<PolicyRule>[]));
  const [needed, given] = [rightsOf(wanted), rightsOf(found)];
  const subject = shownObject(found);
  return [
    ...missing(needed, given).map((right) => `${subject} does not give "${right}", which is needed`),
    ...missing(given, needed).map((right) => `${subject} gives "${right}", which is not needed`),
    // Rights on paths, and those gathered from other roles, are no rights on resources.
    ...(isDeepStrictEqual(found.aggregationRule, wanted.aggregationRule)
      ? []
      : [`${subject} gathers the rights of other roles`]),
    ...((found.rules ?? []) as { nonResourceURLs?: string[] }[]).flatMap(({ nonResourceURLs = [] }) =>
      nonResourceURLs.map((path) => `${subject} gives the path ${path}, which is not needed`),
    ),
  ];
}

/**
 * The differences, one a line.
 *
 * @param wanted what the identity consists of
 * @param found what of it is in the cluster
 */
export function differences(wanted: readonly Manifest[], found: readonly Manifest[]): string[] {
  const byId = new Map(found.map((manifest) => [objectId(manifest), manifest]));
  return wanted.flatMap((manifest) => {
    const there = byId.get(objectId(manifest));
    if (there === undefined) return [`${shownObject(manifest)} is missing`];
    if (/Role$/.test(manifest.kind)) return differenceOfRoles(manifest, there);
    const isSame = isDeepStrictEqual(effective(there), effective(manifest));
    return isSame ? [] : [`${shownObject(manifest)} is not as this version writes it`];
  });
}

/** A subject of a binding. */
interface Subject {
  kind: string;
  name: string;
  namespace?: string;
}

/** Kubernetes' own bindings for everybody, without rights on objects. */
const BOOTSTRAPPING = "kubernetes.io/bootstrapping";

/** What else gives rights to an identity: each binding to it, or to a group that it is in, that is not its own. */
export function foreignBindings(use: Use, bindings: readonly Manifest[]): string[] {
  const groups = [
    "system:serviceaccounts",
    `system:serviceaccounts:${ACCESS_NAMESPACE}`,
    "system:authenticated",
  ];
  const isOurs = ({ kind, name, namespace }: Subject) =>
    (kind === "ServiceAccount" && name === accessName(use) && namespace === ACCESS_NAMESPACE) ||
    (kind === "User" && name === userName(use)) ||
    (kind === "Group" && groups.includes(name));
  return bindings.flatMap((binding) => {
    const { labels = {}, name } = binding.metadata as { name: string; labels?: Record<string, string> };
    if (name === accessName(use) || BOOTSTRAPPING in labels) return [];
    const subject = ((binding.subjects ?? []) as Subject[]).find(isOurs);
    if (subject === undefined) return [];
    const { kind, name: role } = binding.roleRef as { kind: string; name: string };
    return [`${shownObject(binding)} gives it ${kind} ${role} too, through ${subject.kind} ${subject.name}`];
  });
}

/** Seconds before a token's end in which its renewal is due. */
export const RENEWAL_DUE = 14 * 86_400;
