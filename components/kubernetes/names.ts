/** Names of the deployment's objects, annotations and labels. The guide's commands use most of them. */

/** The StatefulSet of the server, and the Service that clients use. */
export const SERVER_NAME = "postgres";
/** The server's pod. */
export const SERVER_POD = `${SERVER_NAME}-0`;
/** The StatefulSet's headless Service. */
export const HEADLESS_NAME = `${SERVER_NAME}-headless`;
/** The server's container. */
export const SERVER_CONTAINER = "postgres";
/** The container next to the server that keeps roles and passwords in line with the Secrets. */
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
/** The Secret with every login. Only the reconciler mounts it, so logins are not part of the pod's template. */
export const LOGINS_SECRET = "postgres-logins";
/** Prefix of the consumers' Secrets. */
export const LOGIN_SECRET_PREFIX = "postgres-login-";

/** The Job that tries image and settings before the server gets them. */
export const SETTINGS_JOB_NAME = "postgres-settings";
/** That Job's container that starts a server with the settings. */
export const SETTINGS_CONTAINER = "settings";
/** The Job that upgrades an existing database to another image. */
export const UPGRADE_JOB_NAME = "postgres-upgrade";
/** The init Job: bootstrap and migrations. */
export const INIT_JOB_NAME = "postgres-init";

/** The ConfigMap with the scripts of the server's certificate, and with its names. */
export const TLS_NAME = "postgres-tls-scripts";
/** The Secret with the key of the authority that signs it, and the ConfigMap with what clients trust. */
export const AUTHORITY_NAME = "postgres-ca";
/** The Secret with the server's certificate, if it is not signed in the pod; and cert-manager's object for it. */
export const CERTIFICATE_SECRET = "postgres-tls";
/** The container that keeps the server's certificate valid. */
export const CERTIFICATE_CONTAINER = "certificate";

/** The StatefulSet of the backup agent, and what the names of what belongs to it begin with. */
export const BACKUP_NAME = "postgres-backup";
/** The Job that makes the first backup in each repository, and restores it. */
export const FIRST_BACKUP_JOB = "postgres-backup-first";
/** The CronJobs of the backups. */
export const BACKUP_CRON_JOBS = {
  full: `${BACKUP_NAME}-full`,
  incremental: `${BACKUP_NAME}-incremental`,
  drill: `${BACKUP_NAME}-drill`,
  dump: `${BACKUP_NAME}-dump`,
} as const;
/** The container that runs pgBackRest: the agent's, and that of each Job that makes backups. */
export const BACKUP_CONTAINER = "pgbackrest";
/** The Job that holds a copy of the database as it was at a moment, if somebody asked for one. */
export const COPY_JOB = `${BACKUP_NAME}-copy`;
/** The container of a restore drill. */
export const DRILL_CONTAINER = "drill";
/** The container that makes a logical dump. */
export const DUMP_CONTAINER = "dump";

/** The StatefulSet that tells people what is wrong, and its Secret, ConfigMap and Service. */
export const NOTIFIER_NAME = "postgres-notify";
/** The container that looks at the figures, and the one that sends. */
export const NOTIFIER_CONTAINERS = { look: "look", send: "send" } as const;

/** The StatefulSet of the exporters, and its ConfigMap and Service. */
export const EXPORTER_NAME = "postgres-exporter";
/** Its containers: one for the figures of the server and its node, one for the application's database. */
export const EXPORTER_CONTAINERS = { figures: "figures", database: "database" } as const;
/** Their ports. The first is postgres_exporter's own (https://github.com/prometheus/prometheus/wiki/Default-port-allocations). */
export const EXPORTER_PORTS = { figures: 9187, database: 9188 } as const;
/** The ConfigMap with the alerts, or the operator's PrometheusRule. */
export const ALERTS_NAME = "postgres-alerts";
/** The ConfigMap with the dashboards. */
export const DASHBOARDS_NAME = "postgres-dashboards";
/** The bundled Prometheus: StatefulSet, ConfigMap and Service. */
export const PROMETHEUS_NAME = "postgres-prometheus";
export const PROMETHEUS_PORT = 9090;

/** What the names of the network policies begin with. */
export const POLICY_PREFIX = `${SERVER_NAME}-network-`;
/** The policy that denies what no other one allows. */
export const DEFAULT_DENY_NAME = `${POLICY_PREFIX}default-deny`;

/** Label that binds pods and volumes to a node. It can differ from the node's name. */
export const HOSTNAME_LABEL = "kubernetes.io/hostname";

const PREFIX = "transcript-pipeline";

/** The label of pods in the namespace that may reach the database, where no clients are configured. */
export const ACCESS_LABEL = { [`${PREFIX}/database-access`]: "true" } as const;

/** The label that the Job controller puts on a Job's pods. */
export const JOB_LABEL = "batch.kubernetes.io/job-name";

/** Annotations of the objects. */
export const ANNOTATIONS = {
  /** The project and stack that the data belongs to. On the volume and the StatefulSet. */
  identity: `${PREFIX}/identity`,
  /** The database's name. On the volume and the StatefulSet. */
  database: `${PREFIX}/database`,
  /** The name of the database's owner. On the volume and the StatefulSet. */
  owner: `${PREFIX}/owner`,
  /** Checksum of the settings that require a restart. On the server's pod. */
  restartSettings: `${PREFIX}/restart-settings`,
  /** Checksum of the scripts. On the server's pod. */
  scripts: `${PREFIX}/scripts`,
  /** Checksum of every reason to run a Job again. On its pod. */
  files: `${PREFIX}/files`,
  /** Whether network policies are deployed: `enforced` or `none`. On the StatefulSet. */
  networkPolicies: `${PREFIX}/network-policies`,
  /** When the kubelet was last made to sync the pod. On the server's pod. */
  lookedAt: `${PREFIX}/looked-at`,
} as const;

/** Whether the namespace has network policies: the value of {@link ANNOTATIONS.networkPolicies}. */
export type NetworkPolicies = "enforced" | "none";

/** The names of the database and its owner. */
export interface DatabaseNames {
  database: string;
  owner: string;
}

/** Annotations with these names, on the volume, which outlives everything else, and on the StatefulSet. */
export function nameAnnotations({ database, owner }: DatabaseNames): Record<string, string> {
  return { [ANNOTATIONS.database]: database, [ANNOTATIONS.owner]: owner };
}

/** The stack that the data belongs to: written into the data directory once, and compared at every start. */
export function identityOf(project: string, stack: string): string {
  return `${project}/${stack}`;
}
