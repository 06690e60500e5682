/** Who keeps the values of the stack's credentials, and the object that is registered for a Secret of each source. */
import type * as pulumi from "@pulumi/pulumi";
import type { SecretDescription, SecretOptions } from "./description.ts";
import { type ExternalStore, externalSecret } from "./external-secret.ts";
import { pulumiSecret, released } from "./pulumi-secret.ts";

/** Who keeps the values. */
export type SecretSource =
  /** The stack's state and its configuration. */
  | {
      kind: "pulumi";
      /** Runs before a Secret is created, or adopted: what a store has left must not write it again. @default nothing */
      beforeCreate?: pulumi.ResourceHook | undefined;
    }
  /** A store that the External Secrets Operator reads. */
  | ({ kind: "external-secrets" } & ExternalStore & Held);

/** What a store must take over. */
export interface Held {
  /** Names of Secrets in the cluster that the engine may have in its state. @default none */
  held?: readonly string[] | undefined;
}

/** Whether the program knows the values. Otherwise those that it is configured with, or generates, are not in force. */
export function knowsValues({ kind }: SecretSource): boolean {
  return kind === "pulumi";
}

/**
 * Registers the object that makes a Secret.
 *
 * @returns the Secret's name, once that object is there
 */
export function secretFrom(
  source: SecretSource,
  description: SecretDescription,
  options: SecretOptions,
): pulumi.Output<string> {
  switch (source.kind) {
    case "pulumi":
      return pulumiSecret(description, { ...options, beforeCreate: source.beforeCreate });
    case "external-secrets":
      return externalSecret(description, source, {
        ...options,
        after: source.held?.includes(description.name) === true ? [released(description, options)] : [],
      });
  }
}
