/**
 * A Secret whose values the External Secrets Operator reads from a store (https://external-secrets.io/latest/api/externalsecret/).
 * The program knows the names of the values, and nothing of what they are.
 */
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import {
  isLeaf,
  type Leaf,
  LEAVES,
  leavesOf,
  type SecretDescription,
  type SecretOptions,
  type Text,
} from "./description.ts";

/** Where the values are. */
export interface ExternalStore {
  store: { name: string; kind: "SecretStore" | "ClusterSecretStore" };
  /** What the name of each value begins with, its separator included. */
  prefix: string;
  /** How often the store is read, as Go writes a duration. */
  refreshInterval: string;
}

/** The API version of the ExternalSecret: v0.16 has it, and v0.17 and later have no other. */
export const EXTERNAL_SECRETS_VERSION = "external-secrets.io/v1";

/** The field of the stored object that holds the value. */
const PROPERTY = "value";

/** A leaf's name within the template, where a '-' would be an operator. */
const variable = ({ leaf }: Leaf) => leaf.replaceAll("-", "_");

/**
 * A text as a template of Go's (https://pkg.go.dev/text/template). What is written in it stays as it is: a `{` alone
 * could become the begin of an action with the next one.
 */
export function templateOf(text: Text): string {
  return text
    .map((part) => (isLeaf(part) ? `{{ .${variable(part)} }}` : part.replaceAll("{", '{{ "{" }}')))
    .join("");
}

/** The object's specification. */
export function externalSecretSpec(
  { name, labels, texts }: Pick<SecretDescription, "name" | "labels" | "texts">,
  { store, prefix, refreshInterval }: ExternalStore,
) {
  const leaves = leavesOf({ texts });
  return {
    refreshInterval,
    secretStoreRef: store,
    target: {
      name,
      // Whatever happens to this object, to the operator and to the store: the Secret that is there stays.
      creationPolicy: "Orphan",
      deletionPolicy: "Retain",
      template: {
        engineVersion: "v2",
        type: "Opaque",
        metadata: { labels: { ...labels } },
        data: Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, templateOf(text)])),
      },
    },
    // Of a Secret without any value of the store, the operator makes none: one is named, and not used.
    data: (leaves.length > 0 ? leaves : [{ leaf: LEAVES.owner, value: undefined }]).map((leaf) => ({
      secretKey: variable(leaf),
      remoteRef: { key: prefix + leaf.leaf, property: PROPERTY },
    })),
  };
}

/**
 * Registers it.
 *
 * @param options with what must have happened before
 */
export function externalSecret(
  description: SecretDescription,
  store: ExternalStore,
  { parent, after }: Pick<SecretOptions, "parent"> & { after: pulumi.Resource[] },
): pulumi.Output<string> {
  const { name, namespace, labels } = description;
  const { metadata } = new k8s.apiextensions.CustomResource(
    name,
    {
      apiVersion: EXTERNAL_SECRETS_VERSION,
      kind: "ExternalSecret",
      metadata: { name, namespace, labels },
      spec: externalSecretSpec(description, store),
    },
    { parent, dependsOn: after },
  );
  return metadata.apply(() => name);
}
