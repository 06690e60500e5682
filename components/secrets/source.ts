/** Who keeps the values of the stack's credentials, and the object that is registered for a Secret of each source. */
import type * as pulumi from "@pulumi/pulumi";
import type { SecretDescription, SecretOptions } from "./description.ts";
import { type ExternalStore, externalSecret } from "./external-secret.ts";
import { pulumiSecret, released } from "./pulumi-secret.ts";
import { type SealedObjects, sealedSecretFrom } from "./sealed-source.ts";
import { unsealedSecret } from "./unsealed-secret.ts";

/** Who keeps the values. */
export type SecretSource =
  /** The stack's state and its configuration. */
  | {
      kind: "pulumi";
      /** Runs before a Secret is created, or adopted: what a store has left must not write it again. @default nothing */
      beforeCreate?: pulumi.ResourceHook | undefined;
      /** Runs after it: what a store has left in it must go. @default nothing */
      afterCreate?: pulumi.ResourceHook | undefined;
    }
  /** A store that the External Secrets Operator reads. */
  | ({ kind: "external-secrets" } & ExternalStore & Held)
  /** The project's repository: encrypted values, which the Sealed Secrets controller opens. */
  | ({ kind: "sealed-secrets" } & SealedObjects & Held)
  /** Nobody yet: they are about to be sealed, and nothing is deployed. */
  | { kind: "unsealed" };

/** What a store must take over. */
export interface Held {
  /** Names of Secrets in the cluster that the engine may have in its state. @default none */
  held?: readonly string[] | undefined;
}

/** Whether the program knows the values. Otherwise those that it is configured with, or generates, are not in force. */
export function knowsValues({ kind }: SecretSource): boolean {
  return kind === "pulumi" || kind === "unsealed";
}

/** Whether each key of a Secret is encrypted for itself, so that adding a value needs no other one. */
export function sealsEachKey({ kind }: SecretSource): boolean {
  return kind === "sealed-secrets" || kind === "unsealed";
}

/** What has let go of a Secret before a store takes it over. */
function letGo(source: Held, description: SecretDescription, options: SecretOptions): pulumi.Resource[] {
  return source.held?.includes(description.name) === true ? [released(description, options)] : [];
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
      return pulumiSecret(description, {
        ...options,
        beforeCreate: source.beforeCreate,
        afterCreate: source.afterCreate,
      });
    case "external-secrets":
      return externalSecret(description, source, {
        ...options,
        after: letGo(source, description, options),
      });
    case "sealed-secrets":
      return sealedSecretFrom(description, source, {
        ...options,
        after: letGo(source, description, options),
      });
    case "unsealed":
      return unsealedSecret(description, options);
  }
}
