/** What a Secret with credentials holds, the same whoever keeps the values. */
import type * as pulumi from "@pulumi/pulumi";

/** One secret value: what a store keeps, and what is changed or sealed, as one. */
export interface Leaf {
  /** Its name, once in a stack: lower-case letters, digits and '-'. */
  readonly leaf: string;
  /** A secret. Undefined: only the store knows it. */
  readonly value: pulumi.Output<string> | undefined;
}

/** A text in order: what anybody may read, and secret values. */
export type Text = readonly (string | Leaf)[];

/** A Secret. */
export interface SecretDescription {
  /** Name of the object, and of the resource. */
  name: string;
  namespace: pulumi.Input<string>;
  labels: Readonly<Record<string, string>>;
  /** What is in it, by key. */
  texts: Readonly<Record<string, Text>>;
}

/** How a Secret is registered. */
export interface SecretOptions {
  parent: pulumi.Resource;
  /** Runs after a change of the Secret. @default nothing */
  afterChange?: pulumi.ResourceHook | undefined;
}

/** Names of leaves. Those of logins, repositories and sinks contain theirs. */
export const LEAVES = {
  owner: "owner",
  superuser: "superuser",
  // Names of logins have no '-', so no two of them become one.
  login: (login: string) => `login-${login.replaceAll("_", "-")}`,
  backupPassphrase: "backup-passphrase",
  accessKey: (repository: string) => `backup-${repository}-access-key`,
  secretKey: (repository: string) => `backup-${repository}-secret-key`,
  privateKey: (repository: string) => `backup-${repository}-private-key`,
  sink: (sink: string, part: "url" | "token" | "password") => `notify-${sink}-${part}`,
  authority: (name: string) => `authority-${name}`,
} as const;

export const isLeaf = (part: string | Leaf): part is Leaf => typeof part !== "string";

/** The leaves of a Secret, each once, in the order of their first use. */
export function leavesOf({ texts }: Pick<SecretDescription, "texts">): Leaf[] {
  const byName = new Map<string, Leaf>();
  for (const part of Object.values(texts).flat())
    if (isLeaf(part) && !byName.has(part.leaf)) byName.set(part.leaf, part);
  return [...byName.values()];
}
