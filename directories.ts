/** The directories on the node that a stack owns: the one list that the program, `render` and the checks of a cluster share. */
import { repositoryDirectory } from "./components/backup/directory.ts";
import { DATA_DIRECTORY, type Directory, type DirectoryFacts } from "./components/storage/directory.ts";
import type { Settings } from "./config.ts";

/** The directory of a repository that is on the node, or undefined if it has none. */
export function directoryOf(
  { storage, backup }: Pick<Settings, "storage" | "backup">,
  name: string,
): Pick<DirectoryFacts, "path" | "mount" | "capacity"> | undefined {
  const { kind, path, mount, capacity = storage.capacity } = backup.repositories[name] ?? {};
  // The configuration's checks ask for a path.
  return kind === "directory" && path !== undefined ? { path, mount, capacity } : undefined;
}

/**
 * The directories of a stack. The first one is the data's.
 *
 * @param identity the stack that they belong to
 */
export function directoriesOf(
  settings: Pick<Settings, "storage" | "backup">,
  identity: string,
): [Directory, ...Directory[]] {
  const { path, mount, capacity } = settings.storage;
  const repositories = Object.keys(settings.backup.repositories).flatMap((name) => {
    const directory = directoryOf(settings, name);
    return directory ? [{ ...directory, identity, use: repositoryDirectory(name) }] : [];
  });
  return [{ path, mount, capacity, identity, use: DATA_DIRECTORY }, ...repositories];
}
