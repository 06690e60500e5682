/** A Secret whose values the program knows. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { hooked } from "../kubernetes/hooks.ts";
import { isLeaf, type SecretDescription, type SecretOptions, type Text } from "./description.ts";

/** A text with its values; empty without one of them, which the checks of the configuration refuse. */
function written(text: Text): pulumi.Input<string> {
  const [first = "", ...others] = text;
  if (text.length === 1 && !isLeaf(first)) return first;
  if (text.length === 1 && isLeaf(first)) return pulumi.secret(first.value ?? "");
  const parts = [first, ...others].map((part) => (isLeaf(part) ? part.value : part));
  return pulumi.secret(
    parts.includes(undefined) ? "" : pulumi.all(parts as string[]).apply((known) => known.join("")),
  );
}

/**
 * Registers it.
 *
 * @param options with what runs before it is created. @default nothing
 */
export function pulumiSecret(
  { name, namespace, labels, texts }: SecretDescription,
  { parent, afterChange, beforeCreate }: SecretOptions & { beforeCreate?: pulumi.ResourceHook | undefined },
): pulumi.Output<string> {
  return new k8s.core.v1.Secret(
    name,
    {
      metadata: { name, namespace, labels },
      type: "Opaque",
      stringData: Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, written(text)])),
    },
    { parent, deleteBeforeReplace: true, ...hooked({ afterUpdate: afterChange, beforeCreate }) },
  ).metadata.name;
}

/**
 * Has the engine let go of a Secret that is in its state, without deleting it: it only reads what it created. The next
 * deployment, which does not read it any more, forgets it.
 *
 * @returns what must have happened before anything else takes the Secret over
 */
export function released(
  { name, namespace }: Pick<SecretDescription, "name" | "namespace">,
  { parent }: Pick<SecretOptions, "parent">,
): pulumi.Resource {
  return k8s.core.v1.Secret.get(name, pulumi.interpolate`${namespace}/${name}`, { parent });
}
