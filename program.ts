/** The stack as a function: settings in, components in dependency order, connection details out. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { contextFlags } from "./cluster/kubectl.ts";
import { archiving } from "./components/backup/archiving.ts";
import { Backup } from "./components/backup/backup.ts";
import { FirstBackup } from "./components/backup/first-backup.ts";
import type { RepositoryArgs } from "./components/backup/pgbackrest-conf.ts";
import { loginSecretName } from "./components/credentials/logins.ts";
import { Database } from "./components/database.ts";
import { APPLICATION } from "./components/kubernetes/labels.ts";
import {
  ANNOTATIONS,
  identityOf,
  type NetworkPolicies,
  SERVER_NAME,
  SERVER_POD,
} from "./components/kubernetes/names.ts";
import { Migration } from "./components/migration/migration.ts";
import { Upgrade } from "./components/migration/upgrade.ts";
import { Notifier } from "./components/monitoring/notifier.ts";
import type { SinkArgs } from "./components/monitoring/sinks.ts";
import { Namespace } from "./components/namespace.ts";
import { Network } from "./components/network/network.ts";
import type { Destination } from "./components/network/policies.ts";
import { type Clients, ways } from "./components/network/ways.ts";
import { PORT } from "./components/server/server-pod.ts";
import type { ServerExtension } from "./components/server/extension.ts";
import type { Announcements } from "./components/server/server.ts";
import { type CertificateSource, Tls } from "./components/tls/tls.ts";
import { type PostgresEndpoint, rootCertificates } from "./components/postgres-endpoint.ts";
import { readSealed } from "./components/secrets/sealed-folder.ts";
import type { SecretSource } from "./components/secrets/source.ts";
import type { NodeConnection } from "./components/storage/node-storage.ts";
import type { Settings } from "./config.ts";
import { directoryOf } from "./directories.ts";
import { NEVER, portOf, walQueueBytes } from "./config/backup.ts";
import { pathInStore, sealedDirectory } from "./config/secret-store.ts";
import { type OutsideDestination, repositoryDestinations, sinkDestinations } from "./config/network.ts";
import { NOTIFIER_LOGIN, portOfSink } from "./config/notify.ts";
import { shellWord } from "./shell-words.ts";
import { bootstrapFiles, migrationFiles, upgradeFiles } from "./sql/files.ts";

/** What was found in the live cluster, and the hooks that act on it during a deployment. */
export interface Live {
  /** The kubeconfig for the provider. @default the provider's own lookup */
  kubeconfig?: string | undefined;
  /**
   * Whether the cluster has no server of this stack that the trial of the settings would protect.
   * @default there may be one
   */
  isNewServer?: boolean | undefined;
  /** Size that the claim in the cluster requested, a Kubernetes quantity. @default no claim */
  claimed?: string | undefined;
  /** Whether the server accepts logins over the network without encryption today. @default there is no server */
  acceptsPlain?: boolean | undefined;
  /**
   * Whether network policies are deployed with the server, which stays so where nothing is configured.
   * @default enforced, as for a new server
   */
  networkPolicies?: NetworkPolicies | undefined;
  /** When a restore drill last proved the backups, ISO 8601. @default never, or not known */
  lastProvenRestore?: string | undefined;
  /** Names of Secrets in the cluster that no secret store makes, and that the engine may have in its state. @default none */
  heldSecrets?: readonly string[] | undefined;
  /** Socket of the SSH agent. @default none */
  agentSocket?: string | undefined;
  /** Report what a change does to the running server. */
  announcements?: Announcements | undefined;
  /** Says what to do with the passphrase of the backups when it is generated. */
  announcePassphrase?: pulumi.ResourceHook | undefined;
  /** Runs before the claim is created. */
  beforeClaim?: pulumi.ResourceHook | undefined;
  /** Runs before a Secret is created. */
  beforeSecret?: pulumi.ResourceHook | undefined;
  /** Runs after a Secret is created. */
  afterSecret?: pulumi.ResourceHook | undefined;
  /** Runs before a SealedSecret is created: lets its controller change the Secret that is there. */
  handOverSecret?: pulumi.ResourceHook | undefined;
  /** Runs before a Job is created. */
  beforeJob?: pulumi.ResourceHook | undefined;
  /** Runs after an object that the running pod mounts has changed. */
  afterChange?: pulumi.ResourceHook | undefined;
  /** Runs when the server accepts connections and the network policies are there. */
  whenServing?: (() => Promise<void>) | undefined;
  /** Runs when everything is deployed. Throwing fails the deployment. */
  whenDeployed?: (() => Promise<void>) | undefined;
}

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
              clients: clientsOf(settings),
              repositories: repositoryDestinations(settings).map(asDestination),
              sinks: sinks.length > 0 ? sinkDestinations(settings).map(asDestination) : undefined,
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
        logins: { ...database.logins, ...(sinks.length > 0 && { [NOTIFIER_LOGIN]: "monitoring" as const }) },
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

  if (sinks.length > 0) {
    new Notifier(
      "postgres-notify",
      {
        namespace: namespaceName,
        stack: settings.stack,
        placement,
        endpoint: postgres,
        loginSecretName: loginSecretName(NOTIFIER_LOGIN),
        postgresImage: database.image,
        image: settings.notify.image,
        sinks,
        source,
        keys: secrets.sinks,
        limits: { queueAge: settings.monitoring.queueAge * 60 },
        after: [schema],
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

/** Who keeps the values of the credentials. */
function secretSource(settings: Settings, live: Live): SecretSource {
  const { source, store = "", storeKind, separator, refreshInterval } = settings.secretStore;
  switch (source) {
    case "pulumi":
      return { kind: source, beforeCreate: live.beforeSecret, afterCreate: live.afterSecret };
    case "external-secrets":
      return {
        kind: source,
        // The configuration's checks require it.
        store: { name: store, kind: storeKind },
        prefix: pathInStore(settings) + separator,
        refreshInterval,
        held: live.heldSecrets,
      };
    case "sealed-secrets": {
      const directory = sealedDirectory(settings);
      return {
        kind: source,
        directory,
        stack: settings.stack,
        objects: readSealed(directory),
        handOver: live.handOverSecret,
        held: live.heldSecrets,
      };
    }
  }
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

function certificateSource(tls: Settings["tls"]): CertificateSource {
  switch (tls.source) {
    case "none":
    case "generated":
      return { kind: tls.source };
    case "existing":
      return { kind: "existing", secretName: tls.secretName };
    case "cert-manager":
      // The configuration's checks require it.
      return { kind: "cert-manager", issuer: { name: tls.issuer ?? "", kind: tls.issuerKind } };
  }
}

/** The repositories, in the order of their names: that of their numbers. */
function repositoriesOf(settings: Settings): RepositoryArgs[] {
  const { stack, backup } = settings;
  return Object.entries(backup.repositories)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { kind, keepFull, ...written }]) => {
      const directory = directoryOf(settings, name);
      if (directory) return { name, kind: "directory", keepFull, ...directory };
      // What the kind needs is there: the configuration's checks ask for it.
      const { path = `/transcript-pipeline/${stack}`, endpoint = "", port } = written;
      const { bucket = "", region, pathStyle, ca, user = "", hostKeys = "" } = written;
      const common = { name, keepFull, path, endpoint, port: portOf({ kind, port }) };
      switch (kind) {
        case "s3":
          return { ...common, kind, bucket, region, pathStyle, ca };
        case "sftp":
          return { ...common, kind, user, hostKeys };
        default:
          return { name, kind: "volume", keepFull };
      }
    });
}

/** Who may reach the database. */
function clientsOf({ network }: Settings): Clients {
  return Object.fromEntries(
    Object.entries(network.clients).map(([name, { namespace, podLabels, ranges }]) => [
      name,
      ranges === undefined ? { namespace, podLabels } : { ranges },
    ]),
  );
}

/** What pods reach over the network. */
function asDestination({ ports, ...peer }: OutsideDestination): Destination {
  return { to: [peer], ports: ports.map((port) => ({ port, protocol: "TCP" })) };
}

/** Who is told what is wrong. */
function sinksOf({ notify }: Settings): SinkArgs[] {
  return Object.entries(notify.sinks).map(([name, sink]): SinkArgs => {
    const { kind, least, ca } = sink;
    switch (kind) {
      // What the kind needs is there: the configuration's checks ask for it.
      case "mail": {
        const { host = "", from = "", to = [], user, security = "starttls" } = sink;
        return { name, kind, least, ca, host, port: portOfSink(sink), security, user, from, to };
      }
      case "telegram":
        return { name, kind, least, ca, chat: sink.chat ?? "" };
      default:
        return { name, kind, least, ca, bearer: sink.bearer === true };
    }
  });
}

/** What archiving adds to the server. */
function archivingFor(
  { backup, database }: Settings,
  repositories: readonly RepositoryArgs[],
): ServerExtension {
  const from = repositories.findIndex(({ name }) => name === backup.restoreFrom);
  return archiving({
    archiveTimeout: backup.archiveTimeout,
    terminationGracePeriod: database.terminationGracePeriod,
    restore: from < 0 ? undefined : { repository: from + 1, time: backup.restoreTime },
  });
}

/** How the node's file system is reached, or undefined if it is prepared by hand. */
function connectionTo({ node, secrets }: Settings, { agentSocket }: Live): NodeConnection | undefined {
  if (node.connection === "none") return undefined;
  if (node.connection === "local") return { kind: "local" };
  return {
    kind: "ssh",
    // The configuration's checks require both.
    host: node.sshHost ?? "",
    hostKey: node.sshHostKey ?? "",
    port: node.sshPort,
    user: node.sshUser,
    privateKey: secrets.sshPrivateKey,
    agentSocket,
  };
}
