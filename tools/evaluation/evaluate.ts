/** Evaluates the program in this process: no CLI, no cluster, and the same objects that the engine would register. */
import { readConfig } from "../../config.ts";
import { identityOf } from "../../components/kubernetes/names.ts";
import type { SecretSource } from "../../components/secrets/source.ts";
import type { Directory } from "../../components/storage/directory.ts";
import type { NetworkValues } from "../../config/network.ts";
import { sealedDirectory } from "../../config/secret-store.ts";
import { directoriesOf } from "../../directories.ts";
import type { Live } from "../../live.ts";
import { program } from "../../program.ts";
import { PROJECT } from "../stack-file/document.ts";
import { recorded, type Registration } from "./recorder.ts";

/** The result. */
export interface Evaluation {
  /** All resources, components included. */
  registrations: Registration[];
  /** The directories on the node, the data's first. */
  directories: [Directory, ...Directory[]];
  /** Warnings about the configuration. */
  warnings: string[];
  /** What is configured of the network. */
  network: NetworkValues;
  /** Who is configured to keep the credentials, and the folder with what is sealed. */
  secretStore: { source: string; directory: string };
}

/**
 * Evaluates the program for a stack.
 *
 * @param config the stack's configuration, by full key
 * @param secretKeys the keys that hold secrets
 * @param live @default there is no cluster to look at
 * @param source who keeps the credentials. @default as configured
 * @throws ConfigurationError with all problems at once
 */
export async function evaluate(
  stack: string,
  config: Readonly<Record<string, string>>,
  secretKeys: readonly string[] = [],
  live: Live = {},
  source?: SecretSource,
): Promise<Evaluation> {
  const { settings, warnings } = readConfig(stack, PROJECT, config, (key) => secretKeys.includes(key));
  const registrations = await recorded(PROJECT, stack, () => program(settings, live, source));
  return {
    registrations,
    directories: directoriesOf(settings, identityOf(PROJECT, stack)),
    warnings,
    network: settings.network,
    secretStore: { source: settings.secretStore.source, directory: sealedDirectory(settings) },
  };
}
