/**
 * A Secret that is about to be sealed: what `render --seal` evaluates the program for, which nothing deploys. Its values
 * are by their names instead of in the texts that contain them.
 */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { isLeaf, leavesOf, type SecretDescription, type SecretOptions, type Text } from "./description.ts";
import { type NamedTexts, SEALED_TEXTS } from "./sealed-secret.ts";

/** Texts with names instead of values. */
export function namedTexts(texts: Readonly<Record<string, Text>>): NamedTexts {
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [
      key,
      text.map((part) => (isLeaf(part) ? { leaf: part.leaf } : part)),
    ]),
  );
}

/** Registers it. */
export function unsealedSecret(
  { name, namespace, labels, texts }: SecretDescription,
  { parent }: Pick<SecretOptions, "parent">,
): pulumi.Output<string> {
  const annotations = { [SEALED_TEXTS]: JSON.stringify(namedTexts(texts)) };
  const values = leavesOf({ texts }).flatMap(({ leaf, value }) =>
    value === undefined ? [] : [[leaf, pulumi.secret(value)] as const],
  );
  return new k8s.core.v1.Secret(
    name,
    {
      metadata: { name, namespace, labels, annotations },
      type: "Opaque",
      stringData: Object.fromEntries(values),
    },
    { parent },
  ).metadata.name;
}
