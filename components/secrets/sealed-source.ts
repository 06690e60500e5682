/** A Secret whose values are encrypted in the repository, for the Sealed Secrets controller of one cluster alone. */
import { isDeepStrictEqual } from "node:util";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { shellWord } from "../../shell-words.ts";
import { hooked } from "../kubernetes/hooks.ts";
import type { SecretDescription, SecretOptions } from "./description.ts";
import { sealedFile } from "./sealed-folder.ts";
import { type SealedSecret, sealedTexts } from "./sealed-secret.ts";
import { namedTexts } from "./unsealed-secret.ts";

/** What is sealed. */
export interface SealedObjects {
  /** The folder that it is in, for messages. */
  directory: string;
  /** The stack, for messages. */
  stack: string;
  /** By name. */
  objects: ReadonlyMap<string, SealedSecret>;
  /** Runs before such an object is created: lets the controller change the Secret that is there. @default nothing */
  handOver?: pulumi.ResourceHook | undefined;
}

/** The command that seals what is missing. */
export const sealCommand = (stack: string) =>
  `npm run render -- --stack ${shellWord(stack)} --seal <certificate>`;

/** Why an object does not give the Secret, or undefined if it does. */
export function objectionToSealed(
  { name, labels, texts }: Pick<SecretDescription, "name" | "labels" | "texts">,
  { directory, stack, objects }: Pick<SealedObjects, "directory" | "stack" | "objects">,
): string | undefined {
  const object = objects.get(name);
  const file = `${directory}/${sealedFile(name)}`;
  const seal = `Seal it: ${sealCommand(stack)}`;
  if (object === undefined) return `secretStore.source is sealed-secrets, and there is no ${file}. ${seal}`;
  const wanted = namedTexts(texts);
  const there = sealedTexts(object) ?? {};
  const differing = [...new Set([...Object.keys(wanted), ...Object.keys(there)])]
    .filter((key) => !isDeepStrictEqual(wanted[key], there[key]))
    .sort();
  if (differing.length > 0)
    return `${file} holds something else than the configuration asks for (${differing.join(", ")}). ${seal}`;
  if (!isDeepStrictEqual(object.spec.template.metadata.labels, labels))
    return `${file} has other labels than this version gives the Secret. ${seal}`;
  return undefined;
}

/**
 * Registers it.
 *
 * @param options with what must have happened before
 * @throws RunError if it is not sealed, or something else is
 */
export function sealedSecretFrom(
  description: SecretDescription,
  sealed: SealedObjects,
  { parent, after }: Pick<SecretOptions, "parent"> & { after: pulumi.Resource[] },
): pulumi.Output<string> {
  const { name, namespace } = description;
  const objection = objectionToSealed(description, sealed);
  const object = sealed.objects.get(name);
  if (objection !== undefined || object === undefined) throw new pulumi.RunError(objection ?? name);
  const { apiVersion, kind, metadata, spec } = object;
  const { labels, annotations } = metadata;
  return new k8s.apiextensions.CustomResource(
    name,
    { apiVersion, kind, metadata: { name, namespace, labels, annotations }, spec },
    { parent, dependsOn: after, ...hooked({ beforeCreate: sealed.handOver }) },
  ).metadata.apply(() => name);
}
