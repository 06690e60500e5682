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

/** Registers it. */
export function pulumiSecret(
  { name, namespace, labels, texts }: SecretDescription,
  { parent, afterChange }: SecretOptions,
): pulumi.Output<string> {
  return new k8s.core.v1.Secret(
    name,
    {
      metadata: { name, namespace, labels },
      type: "Opaque",
      stringData: Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, written(text)])),
    },
    { parent, deleteBeforeReplace: true, ...hooked({ afterUpdate: afterChange }) },
  ).metadata.name;
}
