/**
 * What the program's own objects are declared to have, a table for each rule. A change of the program that the pack
 * refuses is a mistake or needs a line here. `*` matches anything without slash or space, `**` anything.
 */

const NAMESPACE = "transcript-pipeline";

/** The objects of the kinds in `kinds.ts`: declared-objects. */
export const OBJECTS: readonly string[] = [
  `Namespace/${NAMESPACE}`,
  "PersistentVolume/postgres-pv",
  // One for the directory of each repository that is on the node.
  "PersistentVolume/postgres-backup-*-pv",
  ...[
    "PersistentVolumeClaim/postgres-pvc",
    "PersistentVolumeClaim/postgres-backup-*-pvc",
    "StatefulSet/postgres",
    "Service/postgres",
    "Service/postgres-headless",
    "Service/postgres-backup",
    "Service/postgres-notify",
    "Job/postgres-settings",
    "Job/postgres-init",
    "Job/postgres-upgrade",
    "StatefulSet/postgres-backup",
    "StatefulSet/postgres-notify",
    ...["exporter", "prometheus"].flatMap((name) => [
      `StatefulSet/postgres-${name}`,
      `Service/postgres-${name}`,
    ]),
    "PrometheusRule/postgres-alerts",
    "ServiceMonitor/postgres-exporter",
    "CronJob/postgres-backup-full",
    "CronJob/postgres-backup-incremental",
    "CronJob/postgres-backup-drill",
    "CronJob/postgres-backup-dump",
    "Job/postgres-backup-first",
    "Certificate/postgres-tls",
    // One for each client in the namespace, as it is configured.
    ...[
      ...["default-deny", "database", "init", "client-*", "backup", "notify"],
      ...["metrics", "exporter", "prometheus", "prometheus-out", "scraper-*"],
    ].map((name) => `NetworkPolicy/postgres-network-${name}`),
    ...["Secret", "SealedSecret"].flatMap((kind) =>
      ["secret", "superuser", "logins", "login-*", "backup", "notify", "ca"].map(
        (name) => `${kind}/postgres-${name}`,
      ),
    ),
    // With a secret store, each makes the Secret of its name.
    ...["secret", "superuser", "logins", "login-*", "backup", "notify"].map(
      (name) => `ExternalSecret/postgres-${name}`,
    ),
    ...[
      "config",
      "scripts",
      "settings-files",
      "settings-scripts",
      "init-bootstrap",
      "init-migrations",
      "init-scripts",
      "upgrade-scripts",
      "upgrade-sql",
      "backup-config",
      "backup-scripts",
      "backup-archiving",
      "tls-scripts",
      "notify",
      "exporter",
      "alerts",
      "dashboards",
      "prometheus",
      "ca",
    ].map((name) => `ConfigMap/postgres-${name}`),
  ].map((subject) => `${subject} in ${NAMESPACE}`),
];

/** Keys of the program's own Secrets: declared-fields. */
export const SECRET_KEYS: Readonly<Record<string, readonly string[]>> = {
  "Secret/postgres-secret": ["POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"],
  "Secret/postgres-superuser": ["POSTGRES_USER", "POSTGRES_PASSWORD"],
  "Secret/postgres-logins": ["credentials"],
  "Secret/postgres-ca": ["tls.crt", "tls.key", "ca.crt"],
  "Secret/postgres-backup": [1, 2].flatMap((number) => [
    `repo${number}-passphrase.conf`,
    `repo${number}-keys.conf`,
    `repo${number}-keys.pem`,
  ]),
};

/** Files of the server's configuration, as fields of a ConfigMap. */
const CONFIGURATION_FILES = ["postgresql.conf", "sessions.conf", "pg_hba.conf", "pg_ident.conf"].map(
  (file) => `data["${file}"]`,
);

/** How Argo CD and Flux are told to replace a Job. */
const GITOPS_JOB = [
  'metadata.annotations["argocd.argoproj.io/hook"]: Sync',
  'metadata.annotations["argocd.argoproj.io/hook-delete-policy"]: BeforeHookCreation',
  'metadata.annotations["kustomize.toolkit.fluxcd.io/force"]: enabled',
];

/** What the network policies select the init Job's pod by. */
const LABELS_OF_INIT = [
  "spec.template.metadata.labels.app: postgres-init",
  'spec.template.metadata.labels["transcript-pipeline/database-access"]: true',
];

/** Fields of objects beyond those of their kind, by `<kind>/<name>`: declared-fields. */
export const OBJECT_FIELDS: Readonly<Record<string, readonly string[]>> = {
  // What is run in place of initdb: a restore.
  "ConfigMap/postgres-config": [...CONFIGURATION_FILES, "data.initialization", "data.preparation"],
  "ConfigMap/postgres-settings-files": [...CONFIGURATION_FILES, "data.preparation"],
  "ConfigMap/postgres-settings-scripts": ['data["*.sh"]', 'data["*.sql"]'],
  "ConfigMap/postgres-scripts": ['data["*.sh"]', 'data["*.sql"]'],
  "ConfigMap/postgres-init-scripts": ['data["*.sh"]', 'data["*.sql"]'],
  "ConfigMap/postgres-init-bootstrap": ['data["*.sql"]'],
  "ConfigMap/postgres-init-migrations": ['data["*.sql"]'],
  "ConfigMap/postgres-upgrade-scripts": ['data["*.sh"]', 'data["*.sql"]'],
  "ConfigMap/postgres-upgrade-sql": ['data["*.sql"]'],
  "ConfigMap/postgres-backup-config": [
    'data["pgbackrest.conf"]',
    'data["rclone.conf"]',
    'data["*.crt"]',
    'data["*.known-hosts"]',
    'data["*.rclone-known-hosts"]',
  ],
  "ConfigMap/postgres-backup-scripts": ['data["*.sh"]', 'data["*.sql"]'],
  "ConfigMap/postgres-backup-archiving": ['data["*.sh"]'],
  "ConfigMap/postgres-tls-scripts": ['data["*.sh"]', "data.names"],
  // The rules, who is told, and the authorities of their servers' certificates.
  "ConfigMap/postgres-notify": ['data["*.sh"]', 'data["*.awk"]', 'data["*.tsv"]', 'data["*.crt"]'],
  "ConfigMap/postgres-exporter": ['data["*.sh"]', 'data["*.yaml"]'],
  "ConfigMap/postgres-alerts": ['data["alerts.yaml"]'],
  "ConfigMap/postgres-dashboards": ['data["*.json"]', "metadata.labels.grafana_dashboard: 1"],
  "ConfigMap/postgres-prometheus": ['data["*.sh"]', 'data["prometheus.yml"]'],
  // By which a Prometheus that looks for it finds what to scrape.
  "Service/postgres-exporter": ['metadata.annotations["prometheus.io/scrape"]: true'],
  "ConfigMap/postgres-ca": ['data["ca.crt"]'],
  // With the schedule `never`.
  "CronJob/postgres-backup-dump": ["spec.suspend: true"],
  // Nobody waits for the first backup, and no `up` that comes meanwhile ends it.
  "Job/postgres-backup-first": ['metadata.annotations["pulumi.com/skipAwait"]: true', ...GITOPS_JOB],
  // The StatefulSet's readiness is the server's: there is nothing else to wait for.
  "Service/postgres": ['metadata.annotations["pulumi.com/skipAwait"]: true'],
  // It is bound before the StatefulSet is ready: there is nothing else to wait for.
  "PersistentVolumeClaim/postgres-pvc": ['metadata.annotations["pulumi.com/skipAwait"]: true'],
  "PersistentVolumeClaim/postgres-backup-*-pvc": ['metadata.annotations["pulumi.com/skipAwait"]: true'],
  // Names reach a starting server.
  "Service/postgres-headless": ["spec.publishNotReadyAddresses: true"],
  "StatefulSet/postgres": [
    'spec.template.metadata.annotations["kubectl.kubernetes.io/default-container"]: postgres',
  ],
  ...Object.fromEntries(
    ["Job/postgres-settings", "Job/postgres-init", "Job/postgres-upgrade"].map((job) => [
      job,
      [
        'metadata.annotations["pulumi.com/replaceUnready"]: true',
        ...GITOPS_JOB,
        ...(job === "Job/postgres-init" ? LABELS_OF_INIT : []),
      ],
    ]),
  ),
};

const SERVER = "StatefulSet/postgres";
/** The Job that tries what the server is about to get: settings-tried, init-job-after-server. */
export const SETTINGS_JOB = "Job/postgres-settings";
/** Its containers: one checks the image, one starts a server with the settings. */
const [IMAGE_CHECK, TRIAL] = [`${SETTINGS_JOB} image`, `${SETTINGS_JOB} settings`];
const SCRIPTS = "/usr/local/lib/transcript-pipeline";
/** The container that keeps the server's certificate valid, and where it is found. */
const CERTIFICATE = `${SERVER} certificate`;
const PREPARATION = "/usr/local/lib/transcript-pipeline-tls";
/** What clients trust: of a generated authority, or of the Secret that holds the certificate, that one key. */
const TRUST = ["configMap postgres-ca", "secret postgres-tls"];
/** The containers of the Jobs that run SQL, each with its ConfigMaps. */
const SQL_CONTAINERS = [
  {
    at: "Job/postgres-init bootstrap",
    superuser: true,
    sql: "postgres-init-bootstrap",
    scripts: "postgres-init-scripts",
  },
  {
    at: "Job/postgres-init migrate",
    superuser: false,
    sql: "postgres-init-migrations",
    scripts: "postgres-init-scripts",
  },
  {
    at: "Job/postgres-upgrade upgrade",
    superuser: true,
    sql: "postgres-upgrade-sql",
    scripts: "postgres-upgrade-scripts",
  },
];

/** The workloads that restore a copy as a test: each has an agent of its own, and a container that starts the copy. */
const DRILLS = ["CronJob/postgres-backup-drill", "Job/postgres-backup-first"];
const DRILL_AGENTS = DRILLS.map((workload) => `${workload} agent`);
const DRILL_CONTAINERS = DRILLS.map((workload) => `${workload} drill`);

/** The containers of a logical dump: one asks the server, the other one the repositories. */
const DUMP = "CronJob/postgres-backup-dump dump";
const DUMP_TRANSFER = "CronJob/postgres-backup-dump rclone";

/** The containers that make backups and archive. */
const BACKUP_CONTAINERS = [
  "StatefulSet/postgres-backup",
  "CronJob/postgres-backup-full",
  "CronJob/postgres-backup-incremental",
  "Job/postgres-backup-first",
].map((workload) => `${workload} pgbackrest`);

/** The containers that tell people what is wrong: one asks the database, the other one connects to the outside. */
const LOOK = "StatefulSet/postgres-notify look";
const SEND = "StatefulSet/postgres-notify send";

/** The containers that have metrics, and the bundled Prometheus. */
const EXPORTERS = ["figures", "database"].map((container) => `StatefulSet/postgres-exporter ${container}`);
const PROMETHEUS = "StatefulSet/postgres-prometheus prometheus";

/** What is mounted where: `<workload> <container> <path> <source>`: declared-mounts. */
export const MOUNTS: readonly string[] = [
  `${SERVER} postgres /var/lib/postgresql/data persistentVolumeClaim postgres-pvc`,
  // How much of the disk is left.
  `${SERVER} reconcile /var/lib/postgresql/data read-only persistentVolumeClaim postgres-pvc`,
  ...["postgres", "reconcile"].flatMap((container) => [
    `${SERVER} ${container} /etc/postgresql configMap postgres-config`,
    `${SERVER} ${container} ${SCRIPTS} configMap postgres-scripts`,
    `${SERVER} ${container} /var/run/postgresql emptyDir socket`,
    `${SERVER} ${container} /run/reconcile emptyDir reconcile-state`,
  ]),
  `${SERVER} postgres /dev/shm emptyDir shared-memory`,
  `${SERVER} postgres /tmp emptyDir tmp`,
  `${SERVER} reconcile /etc/credentials/owner secret postgres-secret`,
  `${SERVER} reconcile /etc/credentials/superuser secret postgres-superuser`,
  `${SERVER} reconcile /etc/credentials/logins secret postgres-logins`,
  // The key of the authority is in the certificate's container alone, which has no socket and no data.
  ...["postgres-ca", "postgres-tls"].map((secret) => `${CERTIFICATE} /etc/tls secret ${secret}`),
  ...TRUST.flatMap((trusted) => [
    `${CERTIFICATE} /etc/tls-trust ${trusted}`,
    `${SERVER} postgres /etc/postgres-ca ${trusted}`,
    `Job/postgres-init migrate /etc/postgres-ca ${trusted}`,
  ]),
  `${CERTIFICATE} ${SCRIPTS} configMap postgres-tls-scripts`,
  `${CERTIFICATE} /tmp emptyDir tls-tmp`,
  ...[`${SERVER} postgres`, TRIAL].flatMap((at) => [
    `${at} ${PREPARATION} configMap postgres-tls-scripts`,
    `${at} /run/tls emptyDir tls`,
  ]),
  ...[CERTIFICATE, `${SERVER} reconcile`].map((at) => `${at} /run/tls emptyDir tls`),
  ...[IMAGE_CHECK, TRIAL].map((at) => `${at} ${SCRIPTS} configMap postgres-settings-scripts`),
  `${TRIAL} /etc/postgresql configMap postgres-settings-files`,
  // Not the data: it starts a server of its own, on an empty directory.
  `${TRIAL} /scratch emptyDir scratch`,
  `${TRIAL} /var/run/postgresql emptyDir socket`,
  `${TRIAL} /tmp emptyDir tmp`,
  ...SQL_CONTAINERS.flatMap(({ at, superuser, sql, scripts }) => [
    `${at} /sql configMap ${sql}`,
    `${at} ${SCRIPTS} configMap ${scripts}`,
    `${at} /tmp emptyDir tmp`,
    // The superuser's SQL uses the server's own socket, on the volume: no Job has its password.
    superuser
      ? `${at} /var/lib/postgresql/data read-only persistentVolumeClaim postgres-pvc`
      : `${at} /etc/credentials secret postgres-secret`,
  ]),
  `${SERVER} postgres /usr/local/lib/transcript-pipeline-backup configMap postgres-backup-archiving`,
  ...[...BACKUP_CONTAINERS, ...DRILL_AGENTS].flatMap((at) => [
    // Written to: answers to the server, and what is restored.
    `${at} /var/lib/postgresql/data persistentVolumeClaim postgres-pvc`,
    // A share that is mounted again on the node is seen by the pods that run.
    `${at} /repository/* persistentVolumeClaim postgres-backup-*-pvc mountPropagation="HostToContainer"`,
    `${at} /etc/pgbackrest configMap postgres-backup-config`,
    `${at} /etc/pgbackrest-secrets secret postgres-backup`,
    `${at} ${SCRIPTS} configMap postgres-backup-scripts`,
    `${at} /run/backup emptyDir state`,
    `${at} /tmp emptyDir tmp`,
  ]),
  // For the live server's socket.
  `${DUMP} /var/lib/postgresql/data read-only persistentVolumeClaim postgres-pvc`,
  `${DUMP} ${SCRIPTS} configMap postgres-backup-scripts`,
  `${DUMP} /dump emptyDir handover`,
  `${DUMP} /tmp emptyDir dump-tmp`,
  // Where there is a repository in the volume.
  `${DUMP_TRANSFER} /var/lib/postgresql/data persistentVolumeClaim postgres-pvc`,
  `${DUMP_TRANSFER} /repository/* persistentVolumeClaim postgres-backup-*-pvc mountPropagation="HostToContainer"`,
  `${DUMP_TRANSFER} /etc/pgbackrest configMap postgres-backup-config`,
  `${DUMP_TRANSFER} /etc/pgbackrest-secrets secret postgres-backup`,
  `${DUMP_TRANSFER} ${SCRIPTS} configMap postgres-backup-scripts`,
  `${DUMP_TRANSFER} /dump emptyDir handover`,
  `${DUMP_TRANSFER} /tmp emptyDir transfer-tmp`,
  // A login of monitoring's is all that it has of the database's, and the one that sends has not even that.
  ...[LOOK, SEND].flatMap((at) => [
    `${at} ${SCRIPTS} configMap postgres-notify`,
    `${at} /etc/notify configMap postgres-notify`,
    `${at} /run/notify emptyDir state`,
  ]),
  `${LOOK} /etc/credentials secret postgres-login-notifier`,
  ...TRUST.map((trusted) => `${LOOK} /etc/postgres-ca ${trusted}`),
  `${LOOK} /tmp emptyDir look-tmp`,
  `${SEND} /etc/notify-secrets secret postgres-notify`,
  `${SEND} /tmp emptyDir send-tmp`,
  ...EXPORTERS.flatMap((at) => [
    `${at} ${SCRIPTS} configMap postgres-exporter`,
    `${at} /etc/exporter configMap postgres-exporter`,
    `${at} /etc/credentials secret postgres-login-exporter`,
    ...TRUST.map((trusted) => `${at} /etc/postgres-ca ${trusted}`),
    `${at} /tmp emptyDir *-tmp`,
  ]),
  `${PROMETHEUS} /etc/prometheus configMap postgres-prometheus`,
  `${PROMETHEUS} ${SCRIPTS} configMap postgres-prometheus`,
  `${PROMETHEUS} /etc/prometheus-alerts configMap postgres-alerts`,
  `${PROMETHEUS} /prometheus emptyDir data`,
  ...DRILL_AGENTS.map((at) => `${at} /drill emptyDir handover`),
  ...DRILL_CONTAINERS.flatMap((at) => [
    // For the live server's socket. A copy writes nowhere but into the scratch space.
    `${at} /var/lib/postgresql/data read-only persistentVolumeClaim postgres-pvc`,
    `${at} /scratch persistentVolumeClaim postgres-pvc subPath="drill"`,
    `${at} ${SCRIPTS} configMap postgres-backup-scripts`,
    `${at} /drill emptyDir handover`,
    `${at} /tmp emptyDir drill-tmp`,
  ]),
];

/** Environment: `<workload> <container> <NAME>=<value>`, or `<NAME> from <source>`: declared-environment. */
export const ENVIRONMENT: readonly string[] = [
  `${SERVER} postgres VOLUME=/var/lib/postgresql/data`,
  `${SERVER} postgres PGDATA=/var/lib/postgresql/data/pgdata`,
  `${SERVER} postgres IDENTITY=transcript-pipeline/*`,
  // postgres-fits checks its size.
  `${SERVER} postgres ADDRESS_SPACE=*`,
  `${SERVER} reconcile WATCHED=/run/tls/current/tls.crt`,
  ...["SOURCE", "HOST", "TRUST"].map((name) => `${CERTIFICATE} ${name}=*`),
  // settings-tried: the server's value.
  `${TRIAL} ADDRESS_SPACE=*`,
  ...SQL_CONTAINERS.flatMap(({ at, superuser }) => [
    `${at} WAIT=*`,
    ...(superuser
      ? [
          `${at} SUPERUSER_SOCKET=/var/lib/postgresql/data/socket`,
          `${at} TASK=*`,
          `${at} OWNER=*`,
          `${at} DATABASE=*`,
        ]
      : [
          `${at} PGHOST=postgres.transcript-pipeline.svc.cluster.local`,
          `${at} PGPORT=5432`,
          `${at} PGSSLMODE=verify-full`,
          `${at} PGSSLROOTCERT=*`,
          `${at} PGSSLROOTCERT=/etc/postgres-ca/ca.crt`,
        ]),
  ]),
  ...[...BACKUP_CONTAINERS, ...DRILL_AGENTS].flatMap((at) => [
    ...(DRILL_AGENTS.includes(at)
      ? [
          `${at} VOLUME=/drill`,
          `${at} COPY=/var/lib/postgresql/data/drill`,
          `${at} PGBACKREST_PG1_PATH=/var/lib/postgresql/data/drill/pgdata`,
          `${at} PGBACKREST_LOCK_PATH=/tmp/locks`,
        ]
      : [`${at} VOLUME=/var/lib/postgresql/data`]),
    `${at} DATA_DIRECTORY=/var/lib/postgresql/data/pgdata`,
    `${at} IDENTITY=transcript-pipeline/*`,
    `${at} STANZA=main`,
    `${at} REPOSITORIES=**`,
    `${at} PGBACKREST_CONFIG=/etc/pgbackrest/pgbackrest.conf`,
    `${at} PGBACKREST_CONFIG_INCLUDE_PATH=/etc/pgbackrest-secrets`,
    ...(at.startsWith("StatefulSet/") || DRILL_AGENTS.includes(at)
      ? []
      : [`${at} TYPE=*`, `${at} WAIT=*`, `${at} IMAGE=**`]),
  ]),
  `${DUMP} VOLUME=/dump`,
  `${DUMP} SUPERUSER_SOCKET=/var/lib/postgresql/data/socket`,
  `${DUMP} REPOSITORIES=**`,
  ...["OWNER", "DATABASE", "KEEP", "WAIT", "TIME"].map((name) => `${DUMP} ${name}=*`),
  `${DUMP_TRANSFER} VOLUME=/dump`,
  `${DUMP_TRANSFER} REPOSITORIES=**`,
  `${DUMP_TRANSFER} IDENTITY=transcript-pipeline/*`,
  `${DUMP_TRANSFER} RCLONE_CONFIG=/etc/pgbackrest/rclone.conf`,
  `${DUMP_TRANSFER} HOME=/tmp`,
  ...[LOOK, ...EXPORTERS].flatMap((at) => [
    `${at} PGHOST=postgres.transcript-pipeline.svc.cluster.local`,
    `${at} PGPORT=5432`,
    `${at} PGSSLMODE=verify-full`,
    `${at} PGSSLROOTCERT=*`,
    `${at} PGSSLROOTCERT=/etc/postgres-ca/ca.crt`,
  ]),
  `${SEND} STACK=*`,
  ...["PORT", "RETENTION", "SIZE"].map((name) => `${PROMETHEUS} ${name}=*`),
  ...DRILL_CONTAINERS.flatMap((at) => [
    `${at} VOLUME=/drill`,
    `${at} COPY=/var/lib/postgresql/data/drill`,
    `${at} SCRATCH=/scratch`,
    `${at} SUPERUSER_SOCKET=/var/lib/postgresql/data/socket`,
    `${at} REPOSITORIES=**`,
    ...["OWNER", "DATABASE", "DRILL_FREE", "VERIFY", "WAIT", "COUNT_TIME", "ARCHIVE_TIME"].map(
      (name) => `${at} ${name}=*`,
    ),
  ]),
];

/** A program: the words of a command. */
interface Program {
  at: string;
  words: readonly string[];
}

/** Passes while the server starts, recovers or stops, which no kill would shorten. */
const ALIVE = ["bash", "-c", "pg_isready -q -h 127.0.0.1 -t 3; [ $? -le 1 ]"];

/**
 * Accepts clients, and the reconciler has done its work; but after its first start a server does not wait for a
 * failing reconciler.
 */
const READY = [
  "bash",
  "-c",
  "pg_isready -q -h 127.0.0.1 -t 3 && { [ -e /run/reconcile/done ] || { [ ! -e /run/reconcile/first-start ] && " +
    '[ -n "$(find /var/run/postgresql/.s.PGSQL.5432.lock -mmin +1)" ]; }; }',
];

/** Fails where keep-running.sh no longer looks after a script. */
const watched = (heartbeat: string) => [
  "bash",
  "-c",
  `[ -z "$(find ${heartbeat}.watched -mmin +4 2>/dev/null)" ]`,
];

/** What runs: `<workload> <container> <where>`, with its words: declared-programs. */
export const PROGRAMS: readonly Program[] = [
  { at: `${SERVER} postgres command`, words: ["bash", `${SCRIPTS}/start-server.sh`] },
  { at: `${SERVER} postgres startupProbe`, words: ALIVE },
  { at: `${SERVER} postgres livenessProbe`, words: ALIVE },
  { at: `${SERVER} postgres readinessProbe`, words: READY },
  {
    at: `${SERVER} reconcile command`,
    words: ["bash", `${SCRIPTS}/keep-running.sh`, `${SCRIPTS}/reconcile.sh`, "/run/reconcile/heartbeat"],
  },
  {
    at: `${CERTIFICATE} command`,
    words: ["bash", `${SCRIPTS}/keep-running.sh`, `${SCRIPTS}/certificate.sh`, "/run/tls/heartbeat"],
  },
  ...[
    { at: `${SERVER} reconcile`, heartbeat: "/run/reconcile/heartbeat" },
    { at: CERTIFICATE, heartbeat: "/run/tls/heartbeat" },
  ].flatMap(({ at, heartbeat }) => [
    { at: `${at} livenessProbe`, words: watched(heartbeat) },
    { at: `${at} readinessProbe`, words: ["test", "-e", `${heartbeat}.watched`] },
  ]),
  { at: `${IMAGE_CHECK} command`, words: ["sh", `${SCRIPTS}/check-image.sh`] },
  {
    at: `${TRIAL} command`,
    words: ["bash", `${SCRIPTS}/stoppable.sh`, `${SCRIPTS}/check-settings.sh`],
  },
  { at: "StatefulSet/postgres-backup pgbackrest livenessProbe", words: watched("/run/backup/heartbeat") },
  ...["startupProbe", "readinessProbe"].map((probe) => ({
    at: `StatefulSet/postgres-backup pgbackrest ${probe}`,
    words: ["bash", "-c", '[ -n "$(find /run/backup/heartbeat -mmin -3)" ]'],
  })),
  ...DRILL_AGENTS.map((at) => ({
    at: `${at} startupProbe`,
    words: ["bash", "-c", '[ -n "$(find /run/backup/heartbeat -mmin -3)" ]'],
  })),
  {
    at: `${LOOK} command`,
    words: ["bash", `${SCRIPTS}/keep-running.sh`, `${SCRIPTS}/look.sh`, "/run/notify/heartbeat"],
  },
  { at: `${LOOK} livenessProbe`, words: watched("/run/notify/heartbeat") },
  { at: `${LOOK} readinessProbe`, words: ["bash", "-c", '[ -n "$(find /run/notify/looked -mmin -3)" ]'] },
  { at: `${SEND} command`, words: ["sh", `${SCRIPTS}/send.sh`] },
  { at: `${SEND} livenessProbe`, words: ["sh", "-c", '[ -n "$(find /run/notify/sending -mmin -10)" ]'] },
  {
    at: `${SEND} readinessProbe`,
    words: ["sh", "-c", `[ -z "$(find /run/notify -name 'failing.*' -mmin +10)" ]`],
  },
  ...(
    [
      [EXPORTERS[0], "9187", "postgres", "figures.yaml", "none"],
      [EXPORTERS[1], "9188", "-", "database.yaml", "all"],
    ] as const
  ).map(([at, port, database, queries, collectors]) => ({
    at: `${at} command`,
    words: ["sh", `${SCRIPTS}/exporter.sh`, port, database, `/etc/exporter/${queries}`, collectors],
  })),
  { at: `${PROMETHEUS} command`, words: ["sh", `${SCRIPTS}/prometheus.sh`] },
  { at: `${DUMP} command`, words: ["bash", `${SCRIPTS}/stoppable.sh`, `${SCRIPTS}/dump.sh`] },
  { at: `${DUMP_TRANSFER} command`, words: ["sh", `${SCRIPTS}/dump-transfer.sh`] },
  ...DRILL_CONTAINERS.map((at) => ({
    at: `${at} command`,
    words: ["bash", `${SCRIPTS}/stoppable.sh`, `${SCRIPTS}/drill.sh`],
  })),
  ...[...BACKUP_CONTAINERS, ...DRILL_AGENTS].map((at) => ({
    at: `${at} command`,
    words:
      at.startsWith("StatefulSet/") || DRILL_AGENTS.includes(at)
        ? ["bash", `${SCRIPTS}/keep-running.sh`, `${SCRIPTS}/agent.sh`, "/run/backup/heartbeat"]
        : ["bash", `${SCRIPTS}/stoppable.sh`, `${SCRIPTS}/backup.sh`],
  })),
  ...SQL_CONTAINERS.map(({ at, superuser }) => ({
    at: `${at} command`,
    words: superuser
      ? ["bash", `${SCRIPTS}/stoppable.sh`, `${SCRIPTS}/superuser-sql.sh`]
      : ["sh", `${SCRIPTS}/migrate.sh`],
  })),
];

/** Where images are from: `<workload> <container> <repository>`: declared-images. */
export const IMAGES: readonly string[] = [
  ...[
    `${SERVER} postgres`,
    `${SERVER} reconcile`,
    CERTIFICATE,
    IMAGE_CHECK,
    TRIAL,
    ...SQL_CONTAINERS.flatMap(({ at, superuser }) => (superuser ? [at] : [])),
    ...DRILL_CONTAINERS,
    DUMP,
    LOOK,
  ].map((at) => `${at} pgvector/pgvector`),
  "Job/postgres-init migrate ghcr.io/amacneil/dbmate",
  ...[...BACKUP_CONTAINERS, ...DRILL_AGENTS].map((at) => `${at} woblerr/pgbackrest`),
  `${DUMP_TRANSFER} rclone/rclone`,
  `${SEND} curlimages/curl`,
  ...EXPORTERS.map((at) => `${at} quay.io/prometheuscommunity/postgres-exporter`),
  `${PROMETHEUS} quay.io/prometheus/prometheus`,
];

/** Arguments of providers: `<package> <name> <argument>`, or with the one value that it may have: declared-providers. */
export const PROVIDER_ARGUMENTS: readonly string[] = [
  ...[
    "clusterIdentifier",
    "context",
    "kubeconfig",
    "enableServerSideApply=true",
    "upsertExistingObjects=true",
    "enablePatchForce=true",
    // explicit-provider checks that they are on.
    "enableSecretMutable",
    "enableConfigMapMutable",
    "version",
  ].map((argument) => `kubernetes cluster ${argument}`),
  // Created by the engine, one for each version.
  "random default_* version",
  "random default version",
  "command default_* version",
  "command default version",
];

/** Services that lead to the server: one-backend. */
export const SERVER_SERVICES: readonly string[] = ["Service/postgres", "Service/postgres-headless"];

/** Alerts that whoever collects metrics must have: alerts-kept. */
export const ALERTS: readonly string[] = [
  "TranscriptsDatabaseSilent",
  "TranscriptsDiskReadOnly",
  "TranscriptsRaidDegraded",
  "TranscriptsDamagedPages",
  "TranscriptsDiskAlmostFull",
  "TranscriptsDiskFilesAlmostUsed",
  "TranscriptsArchiveBehind",
  "TranscriptsRepositoryFailing",
  "TranscriptsDrillFailed",
  "TranscriptsConfigurationRefused",
  "TranscriptsCertificateExpired",
  "TranscriptsCertificateEnds",
  "TranscriptsTransactionNumbersRunOut",
  "TranscriptsFiguresSilent",
  "TranscriptsDiskFullSoon",
  "TranscriptsDiskFilling",
  "TranscriptsBackupOld",
  "TranscriptsRestoreUnproven",
  "TranscriptsRepositoriesSilent",
  "TranscriptsCertificateOverdue",
  "TranscriptsCertificateRefused",
  "TranscriptsSettingsRefused",
  "TranscriptsCredentialsRefused",
  "TranscriptsTransactionNumbersUsed",
  "TranscriptsConnectionsUsed",
  "TranscriptsTransactionOpen",
  "TranscriptsLockAwaited",
  "TranscriptsPreparedTransactionOpen",
  "TranscriptsSlotKeepsWal",
  "TranscriptsJobsDead",
  "TranscriptsJobsWaiting",
  "TranscriptsExporterSilent",
  "TranscriptsJobsSilent",
  "TranscriptsServerRestarting",
  "TranscriptsExtensionBehind",
  "TranscriptsDeadMansSwitch",
];
