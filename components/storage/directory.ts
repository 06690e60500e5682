/** The directories on the node that a deployment owns: what each is for, and what belongs to it is called. */
import { CLAIM_NAME, VOLUME_NAME } from "../kubernetes/names.ts";

/** What a directory is for, and the names of what belongs to it. */
export interface DirectoryUse {
  /** Section of the configuration with its `path`, `mount` and `capacity`. */
  section: string;
  /** Name of its PersistentVolume. */
  volume: string;
  /** Name of the claim on it. */
  claim: string;
  /** Name of the file with the script that prepares it. */
  file: string;
  /** What follows the stack's identity in its marker, so that no directory is taken for another one of the same stack. */
  suffix: string;
  /** The page that says how to move it. */
  page: string;
  /** What is in it: a `database` in pgdata, which a server's first start creates, or the `repository` of backups. */
  holds: "database" | "repository";
}

/** The data directory. */
export const DATA_DIRECTORY: DirectoryUse = {
  section: "storage",
  volume: VOLUME_NAME,
  claim: CLAIM_NAME,
  file: "prepare-storage.sh",
  suffix: "",
  page: "docs/moving.md",
  holds: "database",
};

/** A directory of one deployment. */
export interface DirectoryFacts {
  path: string;
  /** Mount point that must be mounted. @default not checked */
  mount?: string | undefined;
  /** Kubernetes quantity. */
  capacity: string;
  /** The stack that it belongs to. */
  identity: string;
  /** @default the data directory */
  use?: DirectoryUse | undefined;
}

/** A directory whose use is known. */
export type Directory = DirectoryFacts & { use: DirectoryUse };
