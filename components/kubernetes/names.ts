/** Names of the deployment's objects, annotations and labels. The guide's commands use most of them. */

/** The StatefulSet of the server, and the Service that clients use. */
export const SERVER_NAME = "postgres";
/** The server's pod. */
export const SERVER_POD = `${SERVER_NAME}-0`;
/** The StatefulSet's headless Service. */
export const HEADLESS_NAME = `${SERVER_NAME}-headless`;
/** The server's container. */
export const SERVER_CONTAINER = "postgres";
/** The container next to the server that keeps roles and passwords as the Secrets have them. */
export const RECONCILER_CONTAINER = "reconcile";
/** The ConfigMap with the server's configuration files. */
export const CONFIG_NAME = "postgres-config";
/** The ConfigMap with the scripts of the server's pod. */
export const SCRIPTS_NAME = "postgres-scripts";

/** The PersistentVolume. */
export const VOLUME_NAME = "postgres-pv";
/** The PersistentVolumeClaim. */
export const CLAIM_NAME = "postgres-pvc";

/** The Secret with the owner's login. */
export const OWNER_SECRET = "postgres-secret";
/** The Secret with the superuser's password. */
export const SUPERUSER_SECRET = "postgres-superuser";
/** The Secret with every login. The reconciler alone mounts it: no login is part of the pod's template. */
export const LOGINS_SECRET = "postgres-logins";
/** What the names of the consumers' Secrets begin with. */
export const LOGIN_SECRET_PREFIX = "postgres-login-";

/** The Job that tries image and settings before the server gets them. */
export const SETTINGS_JOB_NAME = "postgres-settings";
/** The container of that Job which starts a server with the settings. */
export const SETTINGS_CONTAINER = "settings";
/** The Job that brings an existing database to another image. */
export const UPGRADE_JOB_NAME = "postgres-upgrade";
/** The init Job: bootstrap and migrations. */
export const INIT_JOB_NAME = "postgres-init";

/** The StatefulSet of the backup agent, and what the names of what belongs to it begin with. */
export const BACKUP_NAME = "postgres-backup";
/** The Job that makes the first backup in each repository. */
export const FIRST_BACKUP_JOB = "postgres-backup-first";

/** Label by which pods and volumes are bound to a node. It need not be the node's name. */
export const HOSTNAME_LABEL = "kubernetes.io/hostname";

const PREFIX = "transcript-pipeline";

/** Annotations of the objects. */
export const ANNOTATIONS = {
  /** Whose data it is: project and stack. Of the volume and the StatefulSet. */
  identity: `${PREFIX}/identity`,
  /** The database's name. Of the volume and the StatefulSet. */
  database: `${PREFIX}/database`,
  /** The name of the database's owner. Of the volume and the StatefulSet. */
  owner: `${PREFIX}/owner`,
  /** Checksum of the settings that take a restart. Of the server's pod. */
  restartSettings: `${PREFIX}/restart-settings`,
  /** Checksum of the scripts. Of the server's pod. */
  scripts: `${PREFIX}/scripts`,
  /** Checksum of every reason for which a Job runs again. Of its pod. */
  files: `${PREFIX}/files`,
  /** When the kubelet was last asked to look at the pod. Of the server's pod. */
  lookedAt: `${PREFIX}/looked-at`,
} as const;

/** What the database and its owner are called. */
export interface DatabaseNames {
  database: string;
  owner: string;
}

/** Annotations with these names: of the volume, which outlives everything else, and of the StatefulSet. */
export function nameAnnotations({ database, owner }: DatabaseNames): Record<string, string> {
  return { [ANNOTATIONS.database]: database, [ANNOTATIONS.owner]: owner };
}

/** Whose data it is: written into the data's directory once, and compared at every start. */
export function identityOf(project: string, stack: string): string {
  return `${project}/${stack}`;
}
