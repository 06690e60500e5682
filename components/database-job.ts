/** What the Jobs that work on the database have in common. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { hooked } from "./hooks.ts";
import { labelsOf } from "./labels.ts";
import { restrictedContainer, restrictedPod } from "./pod-security.ts";
import { VOLUME_PATH, VOLUME_SOCKET_PATH } from "./places.ts";
import type { PostgresEndpoint } from "./postgres-endpoint.ts";
import { checksum, SCRIPTS_PATH, stoppable } from "./scripts.ts";

/** One container of a {@link databaseJob}: a script, the SQL files it runs, and the login it runs them with. */
export interface SqlContainer {
  name: string;
  image: pulumi.Input<string>;
  command: string[];
  env?: k8s.types.input.core.v1.EnvVar[];
  /** Name of the ConfigMap with the SQL files. */
  sqlName: pulumi.Input<string>;
  /** How it reaches the server. */
  way: { secretName: pulumi.Input<string> } | { claimName: pulumi.Input<string> };
}

/**
 * The container that runs SQL files as the superuser: `bootstrap` or `upgrade`, as superuser-sql.sh knows them. It comes in
 * over the server's socket on the volume, which it mounts read-only: no superuser logs in over the network.
 */
export function superuserContainer(
  task: "bootstrap" | "upgrade",
  endpoint: PostgresEndpoint,
  {
    image,
    sqlName,
    claimName,
  }: Pick<SqlContainer, "image" | "sqlName"> & { claimName: pulumi.Input<string> },
): SqlContainer {
  return {
    name: task,
    image,
    command: stoppable("superuser-sql.sh"),
    env: [
      { name: "TASK", value: task },
      { name: "OWNER", value: endpoint.owner },
      { name: "DATABASE", value: endpoint.database },
      { name: "SUPERUSER_SOCKET", value: VOLUME_SOCKET_PATH },
    ],
    sqlName,
    way: { claimName },
  };
}

/** Arguments of {@link databaseJob}. */
export interface DatabaseJobArgs {
  namespace: pulumi.Input<string>;
  endpoint: PostgresEndpoint;
  hostname: pulumi.Input<string>;
  tolerations: k8s.types.input.core.v1.Toleration[];
  /** Seconds the Job has, waiting for the server included. */
  timeout: number;
  /** Run one after the other. */
  containers: SqlContainer[];
  /** Name of the ConfigMap with the scripts. */
  scriptsName: pulumi.Input<string>;
  /** Runs before the Job is created. @default nothing */
  before?: pulumi.ResourceHook | undefined;
  /** Everything that, when it changes, is a reason to run the Job again. */
  reasons: unknown;
}

function podContainer(
  { name, image, command, env = [], way }: SqlContainer,
  { endpoint, timeout }: DatabaseJobArgs,
): k8s.types.input.core.v1.Container {
  return {
    name,
    image,
    imagePullPolicy: "IfNotPresent",
    command,
    env: [
      ...("secretName" in way
        ? [
            { name: "PGHOST", value: endpoint.host },
            { name: "PGPORT", value: pulumi.output(endpoint.port).apply(String) },
          ]
        : []),
      { name: "WAIT", value: String(Math.min(300, Math.floor(timeout / 2))) },
      ...env,
    ],
    resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "1", memory: "256Mi" } },
    securityContext: restrictedContainer,
    // The SQL error is then the reason that Pulumi and `kubectl describe` print.
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [
      { name: `${name}-sql`, mountPath: "/sql", readOnly: true },
      "secretName" in way
        ? { name: `${name}-credentials`, mountPath: "/etc/credentials", readOnly: true }
        : { name: "data", mountPath: VOLUME_PATH, readOnly: true },
      { name: "scripts", mountPath: SCRIPTS_PATH, readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
    ],
  };
}

/** A Job that runs SQL against the database, again whenever a reason for it has changed. */
export function databaseJob(
  name: string,
  args: DatabaseJobArgs,
  opts: pulumi.CustomResourceOptions,
): k8s.batch.v1.Job {
  const containers = args.containers.map((container) => podContainer(container, args));
  return new k8s.batch.v1.Job(
    name,
    {
      metadata: {
        name,
        namespace: args.namespace,
        labels: labelsOf("migration"),
        annotations: {
          // A Job that failed is run again by the next `up`.
          "pulumi.com/replaceUnready": "true",
          // A Job's template cannot be changed: Argo CD and Flux are told to replace it.
          "argocd.argoproj.io/hook": "Sync",
          "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
          "kustomize.toolkit.fluxcd.io/force": "enabled",
        },
      },
      spec: {
        // The scripts go on after a lost connection by themselves, so a pod that failed has failed for good. Only
        // for this reason (BackoffLimitExceeded) does Pulumi stop waiting at once, and say what the pod said.
        backoffLimit: 0,
        activeDeadlineSeconds: args.timeout,
        podFailurePolicy: {
          // An evicted pod, or one of a node that is drained, is no failure.
          rules: [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }],
        },
        template: {
          metadata: {
            labels: labelsOf("migration"),
            annotations: { "transcript-pipeline/files": checksum(JSON.stringify(args.reasons)) },
          },
          spec: {
            restartPolicy: "Never",
            // A statement that is cut off is rolled back; there is nothing to wait for.
            terminationGracePeriodSeconds: 10,
            nodeSelector: { "kubernetes.io/hostname": args.hostname },
            ...(args.tolerations.length > 0 && { tolerations: args.tolerations }),
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: restrictedPod,
            ...(containers.length > 1 && { initContainers: containers.slice(0, -1) }),
            containers: containers.slice(-1),
            volumes: [
              ...args.containers.map((container) => ({
                name: `${container.name}-sql`,
                configMap: { name: container.sqlName },
              })),
              ...args.containers.map(({ name, way }) =>
                "secretName" in way
                  ? {
                      name: `${name}-credentials`,
                      secret: { secretName: way.secretName, defaultMode: 0o440 },
                    }
                  : { name: "data", persistentVolumeClaim: { claimName: way.claimName } },
              ),
              { name: "scripts", configMap: { name: args.scriptsName } },
              { name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
            ],
          },
        },
      },
    },
    {
      deleteBeforeReplace: true,
      customTimeouts: { create: `${args.timeout + 60}s` },
      ...hooked({ beforeCreate: args.before }),
      ...opts,
    },
  );
}

/** A ConfigMap of files for a {@link databaseJob}. Returns its name. */
export function filesForJob(
  name: string,
  namespace: pulumi.Input<string>,
  data: Readonly<Record<string, string>>,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  return new k8s.core.v1.ConfigMap(
    name,
    { metadata: { name, namespace, labels: labelsOf("migration") }, data },
    { deleteBeforeReplace: true, ...opts },
  ).metadata.name;
}
