/** The objects that make an identity of CI. */
import { labelsOf } from "../../components/kubernetes/labels.ts";
import { ANNOTATIONS } from "../../components/kubernetes/names.ts";
import type { Manifest } from "../evaluation/manifests.ts";
import { boundObjects, boundsFor } from "./bounds.ts";
import { ACCESS_LABEL, ACCESS_NAMESPACE, accessName } from "./names.ts";
import { rightsFor, rulesOf, type Use } from "./rights.ts";

const RBAC = "rbac.authorization.k8s.io";

/** What an identity is made of. */
export interface Access {
  /** The database's namespace, which must be there before a role can be in it. */
  namespace: Manifest;
  /** The objects, in the order in which they are created: what limits an identity comes before what gives it rights. */
  objects: Manifest[];
}

function labels(use?: Use): Record<string, string> {
  return {
    ...labelsOf("ci"),
    "app.kubernetes.io/managed-by": "ci-access",
    ...(use !== undefined && { [ACCESS_LABEL]: use }),
  };
}

/**
 * The objects of an identity.
 *
 * @param identity the stack
 * @param manifests the objects that its program registers
 * @param deployed objects of the stack that are in the cluster: one that the program no longer registers is deleted.
 *   @default none
 */
export function accessObjects(
  use: Use,
  identity: string,
  manifests: readonly Manifest[],
  deployed: readonly Manifest[] = [],
): Access {
  const namespace = manifests.find(({ kind }) => kind === "Namespace");
  if (namespace === undefined)
    throw new Error("the program registers no Namespace, in which it could be given rights");
  const name = accessName(use);
  const metadata = { name, labels: labels(use), annotations: { [ANNOTATIONS.identity]: identity } };
  const inDatabase = { ...metadata, namespace: namespace.metadata.name };
  const rights = rightsFor(use, use === "deploy" ? [...manifests, ...deployed] : manifests);
  const subjects = [{ kind: "ServiceAccount", name, namespace: ACCESS_NAMESPACE }];
  const rbac = { apiVersion: `${RBAC}/v1` };
  return {
    namespace,
    objects: [
      {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: {
          name: ACCESS_NAMESPACE,
          labels: { ...labels(), "pod-security.kubernetes.io/enforce": "restricted" },
        },
      },
      ...boundsFor(use, manifests).flatMap((bound) => boundObjects(use, bound, metadata)),
      {
        apiVersion: "v1",
        kind: "ServiceAccount",
        metadata: { ...metadata, namespace: ACCESS_NAMESPACE },
        automountServiceAccountToken: false,
      },
      { ...rbac, kind: "ClusterRole", metadata, rules: rulesOf(rights.cluster) },
      { ...rbac, kind: "Role", metadata: inDatabase, rules: rulesOf(rights.namespace) },
      {
        ...rbac,
        kind: "ClusterRoleBinding",
        metadata,
        roleRef: { apiGroup: RBAC, kind: "ClusterRole", name },
        subjects,
      },
      {
        ...rbac,
        kind: "RoleBinding",
        metadata: inDatabase,
        roleRef: { apiGroup: RBAC, kind: "Role", name },
        subjects,
      },
    ],
  };
}
