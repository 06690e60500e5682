/** The stack as a function: settings in, components in dependency order, connection details out. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { contextFlags } from "./cluster/kubectl.ts";
import { Backup } from "./components/backup/backup.ts";
import { FirstBackup } from "./components/backup/first-backup.ts";
import { Database } from "./components/database.ts";
import { APPLICATION } from "./components/kubernetes/labels.ts";
import { ANNOTATIONS, identityOf, SERVER_NAME, SERVER_POD } from "./components/kubernetes/names.ts";
import { Migration } from "./components/migration/migration.ts";
import { Upgrade } from "./components/migration/upgrade.ts";
import { Monitoring } from "./components/monitoring/monitoring.ts";
import { Notifier } from "./components/monitoring/notifier.ts";
import { Namespace } from "./components/namespace.ts";
import { Network } from "./components/network/network.ts";
import { ways } from "./components/network/ways.ts";
import { PORT } from "./components/server/server-pod.ts";
import { Tls } from "./components/tls/tls.ts";
import { type PostgresEndpoint, rootCertificates } from "./components/postgres-endpoint.ts";
import type { SecretSource } from "./components/secrets/source.ts";
import type { Settings } from "./config.ts";
import { NEVER, walQueueBytes } from "./config/backup.ts";
import { alertmanagerOf } from "./config/monitoring.ts";
import { alertmanagerDestinations, repositoryDestinations, sinkDestinations } from "./config/network.ts";
import { EXPORTER_LOGIN, hasExporter, NOTIFIER_LOGIN, ownLogins } from "./config/own-logins.ts";
import type { Live } from "./live.ts";
import { shellWord } from "./shell-words.ts";
import { bootstrapFiles, migrationFiles, upgradeFiles } from "./sql/files.ts";
import {
  archivingFor,
  asDestination,
  certificateSource,
  clientsOf,
  connectionTo,
  repositoriesOf,
  secretSource,
  sinksOf,
} from "./wiring.ts";

/** Outputs of the stack. */
export interface Outputs {
  /** DNS name of the database inside the cluster. */
  host: pulumi.Output<string>;
  port: pulumi.Output<number>;
  databaseName: pulumi.Output<string>;
  user: pulumi.Output<string>;
  /** A secret: `pulumi stack output password --show-secrets`. Not with a secret store, which alone knows it. */
  password?: pulumi.Output<string>;
  /** A secret: the connection URL for use inside the cluster. With a secret store without password, and no secret. */
  url: pulumi.Output<string>;
  /** Opens psql in the server's pod. */
  psql: pulumi.Output<string>;
  /** Forwards the database's port to this machine. */
  portForward: pulumi.Output<string>;
  /** A secret, without which no backup can be read: `pulumi stack output backupPassphrase --show-secrets`. */
  backupPassphrase?: pulumi.Output<string>;
  /** When a restore drill had last proved the backups, as this `up` found it. Current: `npm run backup -- status`. */
  lastProvenRestore?: pulumi.Output<string>;
}

/**
 * A transcript pipeline's database on the node with the GPU and the RAID.
 *
 * @param live @default no cluster to look at
 * @param source who keeps the credentials. @default as configured
 */
export function program(
  settings: Settings,
  live: Live = {},
  source: SecretSource = secretSource(settings, live),
): Outputs {
  const { cluster, node, storage, database, server, migration, secrets } = settings;
  const { beforeJob, afterChange } = live;
  const identity = identityOf(pulumi.getProject(), settings.stack);
  const placement = { hostname: node.hostname, tolerations: node.tolerations };
  const kubeconfig = cluster.kubeconfig ?? live.kubeconfig;

  const repositories = repositoriesOf(settings);
  const sinks = sinksOf(settings);

  const provider = new k8s.Provider("cluster", {
    ...(cluster.context !== undefined && { context: cluster.context }),
    ...(kubeconfig !== undefined && { kubeconfig }),
    // Without it, a change of the API server's address would replace everything.
    clusterIdentifier: identity,
    enableServerSideApply: true,
    // Objects left by an interrupted `up`, a lost state or kubectl are adopted, including fields set by others. The
    // preflight has checked whose they are.
    upsertExistingObjects: true,
    enablePatchForce: true,
    // Otherwise a change would delete and create them under running pods.
    enableSecretMutable: true,
    enableConfigMapMutable: true,
  });
  const onCluster = { provider };

  const { namespaceName } = new Namespace(APPLICATION, { name: APPLICATION }, onCluster);

  const tls = certificateFor(settings, live, source, namespaceName, identity, onCluster);
  const networkPolicies = settings.network.policies ?? live.networkPolicies ?? "enforced";
  const network =
    networkPolicies === "enforced"
      ? new Network(
          "postgres-network",
          {
            namespace: namespaceName,
            ...ways({
              port: PORT,
              namespace: APPLICATION,
              clients: clientsOf(settings.network.clients),
              repositories: repositoryDestinations(settings).map(asDestination),
              sinks: sinks.length > 0 ? sinkDestinations(settings).map(asDestination) : undefined,
              metrics: hasExporter(settings)
                ? {
                    scrapers: clientsOf(settings.network.scrapers),
                    bundled: settings.monitoring.prometheus === "bundled",
                    alertmanager: alertmanagerDestinations(settings).map(asDestination),
                  }
                : undefined,
            }),
          },
          onCluster,
        )
      : undefined;

  const postgres = new Database(
    "postgres",
    {
      namespace: namespaceName,
      identity,
      placement,
      protect: storage.protect ?? settings.stack !== "dev",
      beforeJob,
      afterChange,
      host: tls.host,
      trust: tls.trust,
      credentials: {
        source,
        database: database.name,
        owner: database.owner,
        password: secrets.databasePassword,
        superuserPassword: secrets.superuserPassword,
        rotation: database.rotation,
        logins: {
          ...database.logins,
          ...Object.fromEntries(ownLogins(settings).map((login) => [login, "monitoring" as const])),
        },
      },
      volume: {
        path: storage.path,
        mount: storage.mount,
        capacity: storage.capacity,
        claimed: live.claimed,
        connection: connectionTo(settings, live),
        beforeClaim: live.beforeClaim,
      },
      server: {
        clusterDomain: cluster.domain,
        image: database.image,
        requests: database.requests,
        limits: database.limits,
        sharedMemory: server.memory.sharedMemory,
        sharedBuffers: server.memory.sharedBuffers,
        addressSpace: server.addressSpace,
        settings: server.settings,
        sessionLimits: server.sessionLimits,
        terminationGracePeriod: database.terminationGracePeriod,
        recoveryTime: database.recoveryTime,
        announcements: live.announcements,
        annotations: { [ANNOTATIONS.networkPolicies]: networkPolicies },
        extensions: [
          ...(tls.extension ? [tls.extension] : []),
          ...(repositories.length > 0 ? [archivingFor(settings, repositories)] : []),
        ],
        isNew: live.isNewServer,
      },
    },
    onCluster,
  );

  // Before the Jobs: a server that is being restored waits for the agent, and they wait for the server.
  const backups =
    repositories.length > 0
      ? new Backup(
          "postgres-backup",
          {
            namespace: namespaceName,
            identity,
            placement,
            claimName: postgres.claimName,
            image: settings.backup.image,
            postgresImage: database.image,
            repositories,
            walQueue: walQueueBytes(settings.backup, storage.capacity),
            source,
            passphrase: secrets.backupPassphrase,
            announcePassphrase: live.announcePassphrase,
            keys: secrets.repositories,
            connection: connectionTo(settings, live),
            beforeClaim: live.beforeClaim,
            drillFree: settings.backup.drillFree,
            verify: settings.backup.verify,
            dumpImage: settings.backup.dumpImage,
            keepDumps: settings.backup.keepDumps,
            database: postgres.database,
            owner: postgres.owner,
            schedules: {
              full: settings.backup.fullSchedule,
              incremental: settings.backup.incrementalSchedule,
              drill: settings.backup.drillSchedule,
              dump: settings.backup.dumpSchedule === NEVER ? undefined : settings.backup.dumpSchedule,
              timeZone: settings.backup.timeZone,
            },
            timeout: settings.backup.backupTimeout,
            protect: storage.protect ?? settings.stack !== "dev",
          },
          onCluster,
        )
      : undefined;

  const jobs = {
    namespace: namespaceName,
    endpoint: postgres,
    claimName: postgres.claimName,
    placement,
    beforeJob,
  };

  // The confirmation must name this exact image.
  const upgrade =
    database.upgradeTo === database.image
      ? new Upgrade(
          "postgres-upgrade",
          { ...jobs, image: database.image, sql: upgradeFiles(), timeout: database.upgradeTimeout },
          onCluster,
        )
      : undefined;

  const schema = new Migration(
    "postgres-init",
    {
      ...jobs,
      postgresImage: database.image,
      dbmateImage: migration.image,
      bootstrap: bootstrapFiles(),
      migrations: migrationFiles(),
      timeout: migration.timeout,
      after: upgrade,
    },
    onCluster,
  );

  if (backups) {
    new FirstBackup(
      "postgres-backup-first",
      {
        namespace: namespaceName,
        placement,
        run: backups.run,
        timeout: settings.backup.backupTimeout,
        after: schema,
        beforeJob,
      },
      onCluster,
    );
  }

  const observer = { namespace: namespaceName, placement, endpoint: postgres };
  const limits = { queueAge: settings.monitoring.queueAge * 60 };
  // By its output: a pod that starts before its Secret is there gets it when the kubelet next looks, a minute later.
  const secretOf = (login: string) => {
    const name = postgres.loginSecretNames[login];
    if (name === undefined) throw new Error(`login ${login} has no Secret`);
    return name;
  };
  if (sinks.length > 0) {
    new Notifier(
      "postgres-notify",
      {
        ...observer,
        stack: settings.stack,
        loginSecretName: secretOf(NOTIFIER_LOGIN),
        postgresImage: database.image,
        image: settings.notify.image,
        sinks,
        source,
        keys: secrets.sinks,
        limits,
        after: [schema],
      },
      onCluster,
    );
  }
  const { prometheus: kind, ...monitored } = settings.monitoring;
  if (kind !== "none") {
    new Monitoring(
      "postgres-monitoring",
      {
        ...observer,
        ...monitored,
        alertmanager: alertmanagerOf(settings.monitoring),
        kind,
        stack: settings.stack,
        loginSecretName: secretOf(EXPORTER_LOGIN),
        limits,
      },
      onCluster,
    );
  }

  if (network && live.whenServing) pulumi.all([network.denied, postgres.port]).apply(live.whenServing);
  if (live.whenDeployed) schema.jobName.apply(live.whenDeployed);

  const { host, port, database: databaseName, owner: user, password } = postgres;
  const login = password ? pulumi.interpolate`${user}:${password.apply(encodeURIComponent)}` : user;
  const kubectl = ["kubectl", ...contextFlags(cluster)].map(shellWord).join(" ");
  return {
    host,
    port,
    databaseName,
    user,
    ...(password && { password }),
    url: pulumi.interpolate`postgresql://${login}@${host}:${port}/${databaseName}${urlQuery(postgres.trust)}`,
    psql: pulumi.interpolate`${kubectl} exec -it -n ${namespaceName} ${SERVER_POD} -- psql -U ${user} -d ${databaseName}`,
    portForward: pulumi.interpolate`${kubectl} port-forward -n ${namespaceName} svc/${SERVER_NAME} ${port}:${port}`,
    ...(backups && {
      ...(backups.passphrase && { backupPassphrase: backups.passphrase }),
      // Always there with backups, so that a first proof adds no output.
      lastProvenRestore: pulumi.output(
        live.lastProvenRestore ?? "never, as far as this deployment could see",
      ),
    }),
  };
}

/** How a URL says that the server is verified. */
function urlQuery(trust: PostgresEndpoint["trust"]): string {
  return trust ? `?sslmode=verify-full&sslrootcert=${rootCertificates(trust)}` : "";
}

/** The server's certificate. */
function certificateFor(
  { cluster, database, storage, stack, tls }: Settings,
  live: Live,
  secrets: SecretSource,
  namespace: pulumi.Output<string>,
  identity: string,
  opts: pulumi.ComponentResourceOptions,
): Tls {
  const plain = tls.plainConnections ?? (live.acceptsPlain === true ? "accepted" : "refused");
  return new Tls(
    "postgres-tls",
    {
      namespace,
      identity,
      clusterDomain: cluster.domain,
      image: database.image,
      source: certificateSource(tls),
      secrets,
      authorities: tls.authorities,
      trust: tls.trust,
      names: tls.names,
      minimumVersion: tls.minimumVersion,
      encryptedOnly: plain === "refused",
      afterChange: live.afterChange,
      protect: storage.protect ?? stack !== "dev",
    },
    opts,
  );
}
