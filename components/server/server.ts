import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { hooked } from "../kubernetes/hooks.ts";
import { labelsOf, SERVER_SELECTOR } from "../kubernetes/labels.ts";
import { pgHba, pgIdent } from "./client-authentication.ts";
import { memoryBudget } from "../../postgres/memory-budget.ts";
import { SOCKET_PATH, VOLUME_PATH } from "../../postgres/places.ts";
import { restrictedContainer, restrictedPod } from "../kubernetes/pods.ts";
import { postgresqlConf, restartSettings } from "../../postgres/settings.ts";
import { mebibytes } from "../../quantities.ts";
import { checksum, keptRunning, keptRunningFiles, scriptFiles, SCRIPTS_PATH } from "../kubernetes/scripts.ts";
import { type SessionLimits, sessionsConf } from "../../postgres/session-limits.ts";
import { namesFiles, superuserFiles } from "./superuser-files.ts";
import { SettingsCheck } from "./settings-check.ts";
import {
  ANNOTATIONS,
  CONFIG_NAME,
  HEADLESS_NAME,
  HOSTNAME_LABEL,
  RECONCILER_CONTAINER,
  SCRIPTS_NAME,
  SERVER_NAME,
  SETTINGS_JOB_NAME,
  nameAnnotations,
} from "../kubernetes/names.ts";

/** PostgreSQL's port, in the pod and at the Service. */
export const PORT = 5432;

const CONFIG_PATH = "/etc/postgresql";
const RECONCILE_STATE_PATH = "/run/reconcile";

/** CPUs and memory, as Kubernetes quantities. */
export interface ComputeResources {
  cpu: string;
  memory: string;
}

/** What runs before a change of the server, in a preview too. */
export interface Announcements {
  /** Before its settings change. */
  config: pulumi.ResourceHook;
  /** Before its pod is made anew. */
  server: pulumi.ResourceHook;
}

/** Arguments of {@link Server}. */
export interface ServerArgs {
  namespace: pulumi.Input<string>;
  /** The cluster's DNS domain, as in `cluster.local`. */
  clusterDomain: pulumi.Input<string>;
  image: pulumi.Input<string>;
  /** The only node it may run on. */
  hostname: pulumi.Input<string>;
  tolerations: k8s.types.input.core.v1.Toleration[];
  /** The claim on the data directory. */
  claimName: pulumi.Input<string>;
  /** Whose data the directory must be. */
  identity: string;
  /** Secret with POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD. */
  secretName: pulumi.Input<string>;
  /** Secret with the superuser's POSTGRES_PASSWORD. */
  superuserSecretName: pulumi.Input<string>;
  /** Secret with the logins beside the owner's. A pod starts without it, too. */
  loginsSecretName: pulumi.Input<string>;
  /** The database, and its owner, who may come in over the socket next to the superuser. */
  database: string;
  owner: string;
  requests: ComputeResources;
  limits: ComputeResources;
  /** Size of /dev/shm in bytes. */
  sharedMemory: number;
  /** PostgreSQL's settings. */
  settings: Readonly<Record<string, string>>;
  /** What a session of the owner, and of each kind of login, is held to. */
  sessionLimits: SessionLimits;
  /** Bytes of address space that one process of the server may have. */
  addressSpace: number;
  /** Seconds a shutdown has for its last checkpoint. */
  terminationGracePeriod: number;
  /** Seconds a start has, crash recovery included. */
  recoveryTime: number;
  /** Who is told of a change beforehand. @default nobody */
  announcements?: Announcements | undefined;
  /** Runs before the Job that tries the settings is created. @default nothing */
  beforeJob?: pulumi.ResourceHook | undefined;
  /** Runs after its settings have changed. @default nothing */
  afterChange?: pulumi.ResourceHook | undefined;
}

/** One PostgreSQL server on one node, with the Services in front of it. */
export class Server extends pulumi.ComponentResource {
  /** DNS name that clients inside the cluster connect to. */
  readonly host: pulumi.Output<string>;
  readonly port: pulumi.Output<number>;

  constructor(name: string, args: ServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Server", name, {}, opts);
    const inNamespace = (objectName: string) => ({
      name: objectName,
      namespace: args.namespace,
      labels: labelsOf("database"),
    });

    const files = {
      "postgresql.conf": postgresqlConf(args.settings),
      "pg_hba.conf": pgHba(),
      "pg_ident.conf": pgIdent(args.owner),
      "sessions.conf": sessionsConf(args.sessionLimits),
    };
    const tried = new SettingsCheck(
      SETTINGS_JOB_NAME,
      {
        namespace: args.namespace,
        image: args.image,
        hostname: args.hostname,
        tolerations: args.tolerations,
        files,
        configPath: CONFIG_PATH,
        sharedBuffers: memoryBudget(args.settings, args.sharedMemory).sharedBuffers,
        addressSpace: addressSpaceKilobytes(args),
        beforeJob: args.beforeJob,
      },
      { parent: this },
    );
    const config = new k8s.core.v1.ConfigMap(
      CONFIG_NAME,
      { metadata: inNamespace(CONFIG_NAME), data: files },
      {
        parent: this,
        // The running server reloads it as soon as it changes.
        dependsOn: tried,
        deleteBeforeReplace: true,
        ...hooked({ beforeUpdate: args.announcements?.config, afterUpdate: args.afterChange }),
      },
    );
    const scriptTexts = {
      ...scriptFiles(import.meta.url, "start-server.sh", "check-image.sh", "last-started.sh"),
      ...keptRunningFiles(),
      ...superuserFiles(),
      ...namesFiles(),
      ...scriptFiles(
        import.meta.url,
        ...["reconcile.sh", "reconcile-sessions.sh", "reconcile-logins.sh", "reconcile-configuration.sh"],
        ...["read-back.sh", "settings-in-force.sql"],
      ),
    };
    const scripts = new k8s.core.v1.ConfigMap(
      SCRIPTS_NAME,
      { metadata: inNamespace(SCRIPTS_NAME), data: scriptTexts },
      { parent: this, deleteBeforeReplace: true },
    );

    // The pods' own names; without ready pods too, or a starting server could not be looked at by name.
    const headless = new k8s.core.v1.Service(
      HEADLESS_NAME,
      {
        metadata: inNamespace(HEADLESS_NAME),
        spec: {
          clusterIP: "None",
          publishNotReadyAddresses: true,
          selector: SERVER_SELECTOR,
          ports: [{ name: "postgresql", port: PORT, targetPort: "postgresql" }],
        },
      },
      { parent: this, deleteBeforeReplace: true },
    );
    const service = new k8s.core.v1.Service(
      SERVER_NAME,
      {
        metadata: {
          ...inNamespace(SERVER_NAME),
          // The StatefulSet's readiness is the server's; the wait for endpoints would add ten idle seconds to it.
          annotations: { "pulumi.com/skipAwait": "true" },
        },
        spec: {
          type: "ClusterIP",
          selector: SERVER_SELECTOR,
          ports: [{ name: "postgresql", port: PORT, targetPort: "postgresql" }],
        },
      },
      { parent: this, deleteBeforeReplace: true },
    );

    const statefulSet = new k8s.apps.v1.StatefulSet(
      SERVER_NAME,
      {
        metadata: {
          ...inNamespace(SERVER_NAME),
          annotations: {
            [ANNOTATIONS.identity]: args.identity,
            ...nameAnnotations(args),
          },
        },
        spec: {
          replicas: 1,
          serviceName: headless.metadata.name,
          // With OrderedReady a pod that cannot become ready is never replaced by the corrected one.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: SERVER_SELECTOR },
          template: {
            metadata: {
              labels: { ...labelsOf("database"), ...SERVER_SELECTOR },
              annotations: {
                "kubectl.kubernetes.io/default-container": "postgres",
                // The server is restarted when one of these changes, and only then: a reload does for the rest.
                [ANNOTATIONS.restartSettings]: checksum(restartSettings(args.settings)),
                [ANNOTATIONS.scripts]: checksum(JSON.stringify(scriptTexts)),
              },
            },
            spec: serverPod(args, config.metadata.name, scripts.metadata.name),
          },
        },
      },
      {
        parent: this,
        // An image that cannot run the database never touches its directory.
        dependsOn: tried,
        deleteBeforeReplace: true,
        customTimeouts: { create: "15m", update: "15m" },
        ...hooked({ beforeUpdate: args.announcements?.server }),
      },
    );

    this.host = pulumi
      .all([service.metadata.name, args.namespace, args.clusterDomain, statefulSet.metadata.name])
      .apply(([serviceName, namespace, domain]) => `${serviceName}.${namespace}.svc.${domain}`);
    this.port = statefulSet.metadata.name.apply(() => PORT);
    this.registerOutputs({ host: this.host, port: this.port });
  }
}

/** What `ulimit -v` takes. */
function addressSpaceKilobytes({ addressSpace }: Pick<ServerArgs, "addressSpace">): number {
  return Math.floor(addressSpace / 1024);
}

function serverPod(
  args: ServerArgs,
  configName: pulumi.Input<string>,
  scriptsName: pulumi.Input<string>,
): k8s.types.input.core.v1.PodSpec {
  // 0: accepts connections. 1: refuses them for now, as in crash recovery or shutdown, which no kill would shorten.
  const alive = ["bash", "-c", "pg_isready -q -h 127.0.0.1 -t 3; [ $? -le 1 ]"];
  // Over TCP, which is how clients come. And once the Secrets' passwords have been seen to log in; a server that has had
  // its first start does not wait for that longer than a minute, so that a reconciler which hangs keeps nobody out.
  const ready = [
    "pg_isready -q -h 127.0.0.1 -t 3 &&",
    `{ [ -e ${RECONCILE_STATE_PATH}/done ] || { [ ! -e ${RECONCILE_STATE_PATH}/first-start ] &&`,
    `[ -n "$(find ${SOCKET_PATH}/.s.PGSQL.${PORT}.lock -mmin +1)" ]; }; }`,
  ].join(" ");
  const mount = (name: string, mountPath: string, readOnly = false) => ({
    name,
    mountPath,
    ...(readOnly && { readOnly }),
  });
  return {
    nodeSelector: { [HOSTNAME_LABEL]: args.hostname },
    ...(args.tolerations.length > 0 && { tolerations: args.tolerations }),
    terminationGracePeriodSeconds: args.terminationGracePeriod,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: restrictedPod,
    containers: [
      {
        name: "postgres",
        image: args.image,
        imagePullPolicy: "IfNotPresent",
        command: ["bash", `${SCRIPTS_PATH}/start-server.sh`],
        env: [
          { name: "VOLUME", value: VOLUME_PATH },
          { name: "PGDATA", value: `${VOLUME_PATH}/pgdata` },
          { name: "IDENTITY", value: args.identity },
          { name: "ADDRESS_SPACE", value: String(addressSpaceKilobytes(args)) },
        ],
        ports: [{ name: "postgresql", containerPort: PORT }],
        resources: { requests: { ...args.requests }, limits: { ...args.limits } },
        securityContext: restrictedContainer,
        // What a refused start has to say is then in `kubectl describe` and in Pulumi's output.
        terminationMessagePolicy: "FallbackToLogsOnError",
        startupProbe: {
          exec: { command: alive },
          periodSeconds: 1,
          timeoutSeconds: 5,
          failureThreshold: args.recoveryTime,
        },
        livenessProbe: {
          exec: { command: alive },
          periodSeconds: 10,
          timeoutSeconds: 5,
          failureThreshold: 6,
        },
        readinessProbe: {
          exec: { command: ["bash", "-c", ready] },
          periodSeconds: 2,
          timeoutSeconds: 5,
          failureThreshold: 3,
        },
        volumeMounts: [
          mount("data", VOLUME_PATH),
          mount("config", CONFIG_PATH, true),
          mount("scripts", SCRIPTS_PATH, true),
          mount("socket", SOCKET_PATH),
          mount("reconcile-state", RECONCILE_STATE_PATH),
          mount("shared-memory", "/dev/shm"),
          mount("tmp", "/tmp"),
        ],
      },
      {
        name: RECONCILER_CONTAINER,
        image: args.image,
        imagePullPolicy: "IfNotPresent",
        // Without probes: a container of the pod that fails one makes the whole pod unready, and a healthy server with it.
        command: keptRunning("reconcile.sh", `${RECONCILE_STATE_PATH}/heartbeat`),
        resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { cpu: "500m", memory: "128Mi" } },
        securityContext: restrictedContainer,
        terminationMessagePolicy: "FallbackToLogsOnError",
        volumeMounts: [
          mount("owner-credentials", "/etc/credentials/owner", true),
          mount("superuser-credentials", "/etc/credentials/superuser", true),
          mount("logins", "/etc/credentials/logins", true),
          mount("config", CONFIG_PATH, true),
          mount("scripts", SCRIPTS_PATH, true),
          mount("socket", SOCKET_PATH),
          mount("reconcile-state", RECONCILE_STATE_PATH),
        ],
      },
    ],
    volumes: [
      { name: "data", persistentVolumeClaim: { claimName: args.claimName } },
      { name: "config", configMap: { name: configName } },
      { name: "scripts", configMap: { name: scriptsName } },
      { name: "owner-credentials", secret: { secretName: args.secretName, defaultMode: 0o440 } },
      { name: "superuser-credentials", secret: { secretName: args.superuserSecretName, defaultMode: 0o440 } },
      { name: "socket", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      { name: "reconcile-state", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      // A container's own 64 MiB are too small for a parallel index build.
      { name: "shared-memory", emptyDir: { medium: "Memory", sizeLimit: mebibytes(args.sharedMemory) } },
      // In memory: writing more than that fails, where a folder on the disk would have the pod evicted.
      { name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
      { name: "logins", secret: { secretName: args.loginsSecretName, defaultMode: 0o440, optional: true } },
    ],
  };
}
