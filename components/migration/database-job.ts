/** What the Jobs that work on the database share. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";
import { oneRunJob, type OneRunJobArgs } from "../kubernetes/one-run-job.ts";
import { VOLUME_PATH, VOLUME_SOCKET_PATH } from "../../postgres/places.ts";
import {
  inMemory,
  type Placement,
  type PodVolume,
  restrictedContainer,
  withLog,
} from "../kubernetes/pods.ts";
import { connectionEnvironment, type PostgresEndpoint, TRUST_PATH } from "../postgres-endpoint.ts";
import { checksum, SCRIPTS_PATH, stoppable } from "../kubernetes/scripts.ts";

/** One container of a {@link databaseJob}: a script, its SQL files, and the login that runs them. */
export interface SqlContainer {
  name: string;
  image: pulumi.Input<string>;
  command: string[];
  env?: k8s.types.input.core.v1.EnvVar[];
  /** Name of the ConfigMap with the SQL files. */
  sqlName: pulumi.Input<string>;
  /** How it connects to the server. */
  way: { secretName: pulumi.Input<string> } | { claimName: pulumi.Input<string> };
}

/**
 * The container that runs SQL files as the superuser: `bootstrap` or `upgrade`, see superuser-sql.sh. It connects through
 * the server's socket on the volume, mounted read-only: the superuser cannot log in over the network.
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
  placement: Placement;
  /** Time limit of the Job in seconds, including waiting for the server. */
  timeout: number;
  /** Run one after the other. */
  containers: SqlContainer[];
  /** Name of the ConfigMap with the scripts. */
  scriptsName: pulumi.Input<string>;
  /** Labels of its pod in addition to the part's. @default none */
  podLabels?: Readonly<Record<string, string>> | undefined;
  /** Runs before the Job is created. @default nothing */
  before?: pulumi.ResourceHook | undefined;
  /** Everything whose change is a reason to run the Job again. */
  reasons: unknown;
}

function podContainer(
  { name, image, command, env = [], way }: SqlContainer,
  { endpoint, timeout }: DatabaseJobArgs,
): OneRunJobArgs["containers"][number] {
  return {
    name,
    image,
    command,
    env: [
      ...("secretName" in way ? connectionEnvironment(endpoint) : []),
      { name: "WAIT", value: String(Math.min(300, Math.floor(timeout / 2))) },
      ...env,
    ],
    resources: withLog({ requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "1", memory: "256Mi" } }),
    ...restrictedContainer,
  };
}

/** A container's own volumes: its SQL files, and for the network its credentials and what it trusts. */
function ownVolumes({ name, sqlName, way }: SqlContainer, { trust }: PostgresEndpoint): PodVolume[] {
  const sql = {
    name: `${name}-sql`,
    source: { configMap: { name: sqlName } },
    mounts: { [name]: { path: "/sql", readOnly: true } },
  };
  if (!("secretName" in way)) return [sql];
  return [
    sql,
    {
      name: `${name}-credentials`,
      source: { secret: { secretName: way.secretName, defaultMode: 0o440 } },
      mounts: { [name]: { path: "/etc/credentials", readOnly: true } },
    },
    ...(trust?.ca
      ? [
          {
            name: `${name}-trust`,
            source: trust.ca,
            mounts: { [name]: { path: TRUST_PATH, readOnly: true } },
          },
        ]
      : []),
  ];
}

/** The claim with the server's socket, for the containers that connect through it. */
function dataVolume(containers: readonly SqlContainer[]): PodVolume[] {
  const over = containers.flatMap(({ name, way }) =>
    "claimName" in way ? [{ name, claimName: way.claimName }] : [],
  );
  const [first] = over;
  if (!first) return [];
  const mount = { path: VOLUME_PATH, readOnly: true };
  return [
    {
      name: "data",
      source: { persistentVolumeClaim: { claimName: first.claimName } },
      mounts: Object.fromEntries(over.map(({ name }) => [name, mount])),
    },
  ];
}

/** A Job that runs SQL against the database, and again whenever a reason has changed. */
export function databaseJob(
  name: string,
  args: DatabaseJobArgs,
  opts: pulumi.CustomResourceOptions,
): k8s.batch.v1.Job {
  const containers = args.containers.map((container) => podContainer(container, args));
  const everywhere = (path: string, readOnly = false) =>
    Object.fromEntries(args.containers.map(({ name }) => [name, { path, readOnly }]));
  return oneRunJob(
    name,
    {
      namespace: args.namespace,
      part: "migration",
      podLabels: args.podLabels,
      placement: args.placement,
      timeout: args.timeout,
      before: args.before,
      reasons: checksum(JSON.stringify(args.reasons)),
      containers,
      volumes: [
        ...args.containers.flatMap((container) => ownVolumes(container, args.endpoint)),
        ...dataVolume(args.containers),
        {
          name: "scripts",
          source: { configMap: { name: args.scriptsName } },
          mounts: everywhere(SCRIPTS_PATH, true),
        },
        inMemory("tmp", "16Mi", everywhere("/tmp")),
      ],
    },
    opts,
  );
}

/** Creates a ConfigMap of files for a {@link databaseJob}. Returns its name. */
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
