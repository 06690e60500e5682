/** The directory on the node that holds a repository: another disk, or a share that is mounted there. */
import { BACKUP_NAME } from "../kubernetes/names.ts";
import type { DirectoryUse } from "../storage/directory.ts";

/**
 * The use of a repository's directory.
 *
 * @param name the repository's name
 */
export function repositoryDirectory(name: string): DirectoryUse {
  return {
    section: `backup.repositories.${name}`,
    volume: `${BACKUP_NAME}-${name}-pv`,
    claim: `${BACKUP_NAME}-${name}-pvc`,
    file: `prepare-backup-${name}.sh`,
    // As repositories.sh has it.
    suffix: `.backup-${name}`,
    page: "docs/backup-directories.md",
    holds: "repository",
  };
}
