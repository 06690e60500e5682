/** Which objects in the cluster an earlier rendering of the stack made. */
import { APPLICATION } from "../../../components/kubernetes/labels.ts";
import type { Manifest } from "../../evaluation/manifests.ts";
import { FIELD_MANAGER, type LiveObject } from "./cluster-objects.ts";
import { without } from "./order.ts";

/** Selects what has the labels of everything that the program registers (components/kubernetes/labels.ts). */
export const OWN = `app.kubernetes.io/part-of=${APPLICATION},app.kubernetes.io/managed-by=pulumi`;

/** Kinds whose objects hold data or other objects: an update never deletes them. */
const KEPT = new Set(["Namespace", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition"]);

/** Whether an object holds only what its manifest says, so that it can be deleted and created again. */
export const canBeMadeAgain = ({ kind }: Manifest) => !KEPT.has(kind);

/** Everything that deploys the stack: this program, the engine's provider, kubectl by hand. */
const DEPLOYERS = [FIELD_MANAGER, "pulumi-kubernetes", "kubectl"];

/**
 * Whether a deployment made an object with the stack's labels. Controllers copy labels to what they make: pods have an
 * owner, but Endpoints do not.
 */
export function isDeployed({ metadata: { ownerReferences = [], managedFields = [] } }: LiveObject): boolean {
  return (
    ownerReferences.length === 0 &&
    managedFields.some(({ manager = "" }) => DEPLOYERS.some((deployer) => manager.startsWith(deployer)))
  );
}

/** Kinds of objects from which a controller makes the Secret of the same name. */
const MAKES_SECRET = new Set(["ExternalSecret"]);

/** Whether objects have the same name in the same namespace. */
const isNamedLike = ({ metadata: one }: Manifest, { metadata: other }: Manifest) =>
  one.name === other.name && one.namespace === other.namespace;

/** Objects of an earlier rendering that this one lacks, if they may be deleted. A Secret is not, if one of them makes it. */
export function stale(live: readonly LiveObject[], rendered: readonly Manifest[]): LiveObject[] {
  const makers = rendered.filter(({ kind }) => MAKES_SECRET.has(kind));
  return without(live.filter(isDeployed).filter(canBeMadeAgain), rendered).filter(
    (object) => object.kind !== "Secret" || !makers.some((maker) => isNamedLike(maker, object)),
  );
}
