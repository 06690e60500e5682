/**
 * A transcript pipeline's database on the node that holds the GPU and the RAID: settings in, components in the
 * order of their dependencies, connection details out.
 */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { readStackSettings } from "./config.ts";
import { addressSpaceBytes, serverSettings, sessionLimits, sharedMemoryBytes } from "./config/checks.ts";
import { Database } from "./components/database.ts";
import { contextFlags } from "./cluster/kubectl.ts";
import { APPLICATION } from "./components/kubernetes/labels.ts";
import { Migration } from "./components/migration/migration.ts";
import { Namespace } from "./components/namespace.ts";
import { shellWord } from "./shell-words.ts";
import { Upgrade } from "./components/migration/upgrade.ts";
import {
  announcements,
  checkCluster,
  connectionTo,
  jobHook,
  kubeconfigForProvider,
  promptHook,
  rebindHook,
  requireConfiguration,
} from "./cluster/deployment.ts";
import { bootstrapFiles, migrationFiles, upgradeFiles } from "./sql/files.ts";

const { settings, doubts } = readStackSettings();
for (const doubt of doubts) void pulumi.log.warn(doubt);
const { cluster, node, storage, database, migration, secrets } = settings;
const identity = `${pulumi.getProject()}/${settings.stack}`;
const protect = storage.protect ?? settings.stack !== "dev";

const kubeconfig = kubeconfigForProvider(settings);
const { claimed } = await checkCluster(settings, identity, APPLICATION);

const provider = new k8s.Provider("cluster", {
  ...(cluster.context !== undefined && { context: cluster.context }),
  ...(kubeconfig !== undefined && { kubeconfig }),
  // Without it everything would be replaced when the API server's address changes.
  clusterIdentifier: identity,
  enableServerSideApply: true,
  // What an interrupted `up`, a lost state or kubectl left in the cluster is taken over, fields that somebody else
  // set included. Whose it is, `checkCluster` has looked at.
  upsertExistingObjects: true,
  enablePatchForce: true,
  // A change of these is an update; otherwise it would be a deletion and a creation under running pods.
  enableSecretMutable: true,
  enableConfigMapMutable: true,
});
const onCluster = { provider };

const beforeJob = jobHook(settings, APPLICATION);

const namespace = new Namespace(APPLICATION, { name: APPLICATION }, onCluster);

const postgres = new Database(
  "postgres",
  {
    namespace: namespace.namespaceName,
    identity,
    hostname: node.hostname,
    protect,
    beforeJob,
    afterChange: promptHook(settings, APPLICATION),
    credentials: {
      database: database.name,
      owner: database.owner,
      password: secrets.databasePassword && pulumi.secret(secrets.databasePassword),
      superuserPassword: secrets.superuserPassword && pulumi.secret(secrets.superuserPassword),
      rotation: database.rotation,
      logins: database.logins,
    },
    volume: {
      path: storage.path,
      mount: storage.mount,
      capacity: storage.capacity,
      claimed,
      connection: connectionTo(settings),
      beforeClaim: rebindHook(settings, APPLICATION),
    },
    server: {
      clusterDomain: cluster.domain,
      image: database.image,
      tolerations: node.tolerations,
      requests: database.requests,
      limits: database.limits,
      sharedMemory: sharedMemoryBytes(settings),
      settings: serverSettings(settings),
      sessionLimits: sessionLimits(settings),
      addressSpace: addressSpaceBytes(settings),
      terminationGracePeriod: database.terminationGracePeriod,
      recoveryTime: database.recoveryTime,
      announcements: announcements(),
    },
  },
  onCluster,
);

const jobs = {
  namespace: namespace.namespaceName,
  endpoint: postgres,
  claimName: postgres.claimName,
  hostname: node.hostname,
  tolerations: node.tolerations,
  beforeJob,
};

// Said for this very image, and no other: on purpose.
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

requireConfiguration(settings, APPLICATION, schema.jobName);

const kubectl = ["kubectl", ...contextFlags(cluster)].map(shellWord).join(" ");

/** DNS name of the database inside the cluster. */
export const host = postgres.host;
export const port = postgres.port;
export const databaseName = postgres.database;
export const user = postgres.owner;
/** A secret: `pulumi stack output password --show-secrets`. */
export const password = postgres.password;
/** A secret: the connection URL for use inside the cluster. */
export const url = pulumi.interpolate`postgresql://${user}:${password.apply(encodeURIComponent)}@${host}:${port}/${databaseName}`;
/** Opens psql in the server's pod. */
export const psql = pulumi.interpolate`${kubectl} exec -it -n ${namespace.namespaceName} postgres-0 -- psql -U ${user} -d ${databaseName}`;
/** Brings the database's port to this machine. */
export const portForward = pulumi.interpolate`${kubectl} port-forward -n ${namespace.namespaceName} svc/postgres ${port}:${port}`;
