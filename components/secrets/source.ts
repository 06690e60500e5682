/** Who keeps the values of the stack's credentials, and the object that is registered for a Secret of each source. */
import type * as pulumi from "@pulumi/pulumi";
import type { SecretDescription, SecretOptions } from "./description.ts";
import { type ExternalStore, externalSecret } from "./external-secret.ts";
import { pulumiSecret } from "./pulumi-secret.ts";

/** Who keeps the values. */
export type SecretSource =
  /** The stack's state and its configuration. */
  | { kind: "pulumi" }
  /** A store that the External Secrets Operator reads. */
  | ({ kind: "external-secrets" } & ExternalStore);

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
      return pulumiSecret(description, options);
    case "external-secrets":
      return externalSecret(description, source, options);
  }
}
