/** The component of the PostgreSQL server. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { hooked } from "../kubernetes/hooks.ts";
import { labelsOf, SERVER_SELECTOR } from "../kubernetes/labels.ts";
import { pgHba, pgIdent } from "./client-authentication.ts";
import { postgresqlConf, restartSettings } from "../../postgres/settings.ts";
import { checksum, clockFiles, keptRunningFiles, scriptFiles } from "../kubernetes/scripts.ts";
import { type SessionLimits, sessionsConf } from "../../postgres/session-limits.ts";
import { namesFiles, superuserFiles } from "./superuser-files.ts";
import { combined, type ServerExtension } from "./extension.ts";
import { addressSpaceKilobytes, CONFIG_PATH, PORT, serverPod, type ServerPodArgs } from "./server-pod.ts";
import { SettingsCheck } from "./settings-check.ts";
import {
  ANNOTATIONS,
  CONFIG_NAME,
  HEADLESS_NAME,
  SCRIPTS_NAME,
  SERVER_NAME,
  SETTINGS_JOB_NAME,
  nameAnnotations,
} from "../kubernetes/names.ts";

/** Hooks before a change of the server, also in a preview. */
export interface Announcements {
  /** Before its settings change. */
  config: pulumi.ResourceHook;
  /** Before its pod is replaced. */
  server: pulumi.ResourceHook;
}

/** Arguments of {@link Server}. */
export interface ServerArgs extends ServerPodArgs {
  namespace: pulumi.Input<string>;
  /** The cluster's DNS domain, such as `cluster.local`. */
  clusterDomain: pulumi.Input<string>;
  /** The database, and its owner, who may connect over the socket like the superuser. */
  database: string;
  owner: string;
  /** Bytes of shared_buffers. */
  sharedBuffers: number;
  /** PostgreSQL's settings. */
  settings: Readonly<Record<string, string>>;
  /** Limits of the sessions of the owner and of each kind of login. */
  sessionLimits: SessionLimits;
  /** Annotations of the StatefulSet, in addition to its own: a change restarts nothing. @default none */
  annotations?: Readonly<Record<string, string>> | undefined;
  /** What capabilities add to the pod. @default nothing */
  extensions?: readonly ServerExtension[] | undefined;
  /** Whether there is no server yet that the trial protects: both then start side by side. @default false */
  isNew?: boolean | undefined;
  /** Announce a change before it happens. @default none */
  announcements?: Announcements | undefined;
  /** Runs before the Job that tries the settings is created. @default nothing */
  beforeJob?: pulumi.ResourceHook | undefined;
  /** Runs after a change of its settings. @default nothing */
  afterChange?: pulumi.ResourceHook | undefined;
}

/** One PostgreSQL server on one node, with the Services in front of it. */
export class Server extends pulumi.ComponentResource {
  /** DNS name that clients inside the cluster connect to. */
  readonly host: pulumi.Output<string>;
  readonly port: pulumi.Output<number>;
  /** To depend on: the server accepts connections once this exists. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: ServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Server", name, {}, opts);
    const inNamespace = (objectName: string) => ({
      name: objectName,
      namespace: args.namespace,
      labels: labelsOf("database"),
    });

    const added = combined(args.extensions ?? [], args.settings);
    const files = {
      "postgresql.conf": postgresqlConf(args.settings, added.settings),
      "pg_hba.conf": pgHba(added.hba, added.encryptedOnly),
      "pg_ident.conf": pgIdent(args.owner),
      "sessions.conf": sessionsConf(args.sessionLimits),
      // One script a line.
      ...(added.preparations.length > 0 && { preparation: `${added.preparations.join("\n")}\n` }),
    };
    const tried = new SettingsCheck(
      SETTINGS_JOB_NAME,
      {
        namespace: args.namespace,
        image: args.image,
        placement: args.placement,
        files,
        configPath: CONFIG_PATH,
        sharedBuffers: args.sharedBuffers,
        volumes: added.volumes,
        addressSpace: addressSpaceKilobytes(args),
        beforeJob: args.beforeJob,
      },
      { parent: this },
    );
    // One argument a line. It is in the server's own ConfigMap, without which no server starts, so that a database to be
    // restored is never created instead.
    const initialization = added.initialization && {
      initialization: added.initialization.map((argument) => `${argument}\n`).join(""),
    };
    // A new server's own start refuses what it cannot use before it touches the directory; `up` fails with the trial.
    const afterTrial = args.isNew ? [] : [tried];
    const config = new k8s.core.v1.ConfigMap(
      CONFIG_NAME,
      { metadata: inNamespace(CONFIG_NAME), data: { ...files, ...initialization } },
      {
        parent: this,
        // The running server reloads it at once.
        dependsOn: afterTrial,
        deleteBeforeReplace: true,
        ...hooked({ beforeUpdate: args.announcements?.config, afterUpdate: args.afterChange }),
      },
    );
    const scriptTexts = {
      ...scriptFiles(import.meta.url, "start-server.sh", "check-image.sh", "last-started.sh"),
      ...keptRunningFiles(),
      ...clockFiles(),
      ...superuserFiles(),
      ...namesFiles(),
      ...scriptFiles(
        import.meta.url,
        ...["reconcile.sh", "reconcile-sessions.sh", "reconcile-logins.sh", "reconcile-configuration.sh"],
        ...["read-back.sh", "settings-in-force.sql", "reconcile-heartbeat.sh", "heartbeat.sql"],
        ...["reconcile-description.sh", "described-databases.sql", "extensions.sql", "describe.sql"],
        ...[
          "reconcile-figures.sh",
          "node-figures.sh",
          "figures.sql",
          "figures-now.sql",
          "request-report.sql",
        ],
      ),
    };
    const scripts = new k8s.core.v1.ConfigMap(
      SCRIPTS_NAME,
      { metadata: inNamespace(SCRIPTS_NAME), data: scriptTexts },
      { parent: this, deleteBeforeReplace: true },
    );

    // The pods' DNS names. Published for pods that are not ready too, so that a starting server can be reached by name.
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
          // The StatefulSet's readiness is the server's; waiting for endpoints would add ten idle seconds.
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
            ...args.annotations,
          },
        },
        spec: {
          replicas: 1,
          serviceName: headless.metadata.name,
          // With OrderedReady, a pod that cannot become ready is never replaced by the corrected one.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: SERVER_SELECTOR },
          template: {
            metadata: {
              labels: { ...labelsOf("database"), ...SERVER_SELECTOR },
              annotations: {
                "kubectl.kubernetes.io/default-container": "postgres",
                // Only a change of one of these restarts the server: a reload is enough for the rest.
                [ANNOTATIONS.restartSettings]: checksum(restartSettings(args.settings, added.settings)),
                [ANNOTATIONS.scripts]: checksum(JSON.stringify(scriptTexts)),
              },
            },
            spec: serverPod(args, added, config.metadata.name, scripts.metadata.name),
          },
        },
      },
      {
        parent: this,
        // A server keeps what it runs with until the trial has succeeded.
        dependsOn: afterTrial,
        deleteBeforeReplace: true,
        // A database that is restored takes as long as its size and the line ask for.
        customTimeouts: added.initialization
          ? { create: "24h", update: "24h" }
          : { create: "15m", update: "15m" },
        ...hooked({ beforeUpdate: args.announcements?.server }),
      },
    );

    this.host = pulumi
      .all([service.metadata.name, args.namespace, args.clusterDomain, statefulSet.metadata.name])
      .apply(([serviceName, namespace, domain]) => `${serviceName}.${namespace}.svc.${domain}`);
    this.port = statefulSet.metadata.name.apply(() => PORT);
    this.ready = statefulSet;
    this.registerOutputs({ host: this.host, port: this.port });
  }
}
