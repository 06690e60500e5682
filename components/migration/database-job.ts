/** What the Jobs that work on the database have in common. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";
import { oneRunJob } from "../kubernetes/one-run-job.ts";
import { VOLUME_PATH, VOLUME_SOCKET_PATH } from "../../postgres/places.ts";
import { restrictedContainer } from "../kubernetes/pods.ts";
import type { PostgresEndpoint } from "../postgres-endpoint.ts";
import { checksum, SCRIPTS_PATH, stoppable } from "../kubernetes/scripts.ts";

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
  return oneRunJob(
    name,
    {
      namespace: args.namespace,
      part: "migration",
      hostname: args.hostname,
      tolerations: args.tolerations,
      timeout: args.timeout,
      before: args.before,
      reasons: checksum(JSON.stringify(args.reasons)),
      containers,
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
    opts,
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
