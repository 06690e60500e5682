/** Who keeps the values of the stack's credentials, and the object that is registered for a Secret of each source. */
import type * as pulumi from "@pulumi/pulumi";
import type { SecretDescription, SecretOptions } from "./description.ts";
import { type ExternalStore, externalSecret } from "./external-secret.ts";
import { pulumiSecret } from "./pulumi-secret.ts";
import { type SealedObjects, sealedSecretFrom } from "./sealed-source.ts";
import { unsealedSecret } from "./unsealed-secret.ts";

/** Who keeps the values. */
export type SecretSource =
  /** The stack's state and its configuration. */
  | { kind: "pulumi" }
  /** A store that the External Secrets Operator reads. */
  | ({ kind: "external-secrets" } & ExternalStore)
  /** The project's repository: encrypted values, which the Sealed Secrets controller opens. */
  | ({ kind: "sealed-secrets" } & SealedObjects)
  /** Nobody yet: they are about to be sealed, and nothing is deployed. */
  | { kind: "unsealed" };

/** Whether the program knows the values. Otherwise those that it is configured with, or generates, are not in force. */
export function knowsValues({ kind }: SecretSource): boolean {
  return kind === "pulumi" || kind === "unsealed";
}

/** Whether each key of a Secret is encrypted for itself, so that adding a value needs no other one. */
export function sealsEachKey({ kind }: SecretSource): boolean {
  return kind === "sealed-secrets" || kind === "unsealed";
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
      return pulumiSecret(description, options);
    case "external-secrets":
      return externalSecret(description, source, options);
    case "sealed-secrets":
      return sealedSecretFrom(description, source, options);
    case "unsealed":
      return unsealedSecret(description, options);
  }
}
