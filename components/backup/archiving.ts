/** How archiving reaches into the server: its settings, and the script that asks the backup agent. */
import { BACKUP_NAME, SERVER_CONTAINER } from "../kubernetes/names.ts";
import type { ServerExtension } from "../server/extension.ts";

/** The ConfigMap with the scripts that the server runs. */
export const ARCHIVING_SCRIPTS_NAME = `${BACKUP_NAME}-archiving`;
/** Where it is mounted. */
export const ARCHIVING_SCRIPTS_PATH = "/usr/local/lib/transcript-pipeline-backup";

/** Arguments of {@link archiving}. */
export interface ArchivingArgs {
  /** Seconds after which a segment that is not full is archived. */
  archiveTimeout: number;
  /** Seconds that the server has to shut down. */
  terminationGracePeriod: number;
  /** From where an empty directory is filled. @default a new database is made */
  restore?: { repository: number; time?: string | undefined } | undefined;
}

/**
 * Seconds for which one attempt to archive a segment goes on. PostgreSQL makes three before it waits for a minute
 * (pgarch.c: NUM_ARCHIVE_RETRIES), at a shutdown too: those take half of its time at most.
 */
export function archivingPatience(terminationGracePeriod: number): number {
  return Math.max(5, Math.min(50, Math.floor(terminationGracePeriod / 6)));
}

/**
 * Archiving of WAL by the backup agent, which has a pod of its own: an image that cannot be pulled, a share that hangs or
 * a missing Secret then keeps that pod from working, and never the server from starting or stopping.
 */
export function archiving(args: ArchivingArgs): ServerExtension {
  const script = `bash ${ARCHIVING_SCRIPTS_PATH}`;
  const { restore } = args;
  return {
    name: "backup",
    settings: {
      archive_mode: "on",
      archive_timeout: `${args.archiveTimeout}s`,
      archive_command: `${script}/pgbackrest-wal.sh push %f ${archivingPatience(args.terminationGracePeriod)}`,
    },
    volumes: [
      {
        name: "archiving-scripts",
        source: { configMap: { name: ARCHIVING_SCRIPTS_NAME, optional: true } },
        mounts: { [SERVER_CONTAINER]: { path: ARCHIVING_SCRIPTS_PATH, readOnly: true } },
      },
    ],
    ...(restore && {
      initialization: [
        ...["bash", `${ARCHIVING_SCRIPTS_PATH}/restore-database.sh`],
        String(restore.repository),
        ...(restore.time === undefined ? [] : [restore.time]),
      ],
    }),
  };
}
