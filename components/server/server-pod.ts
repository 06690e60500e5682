/** The server's pod: the server, the reconciler next to it, and the additions of capabilities. */
import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { RECONCILER_CONTAINER, SERVER_CONTAINER } from "../kubernetes/names.ts";
import {
  inMemory,
  mountsIn,
  type Placement,
  placed,
  type PodVolume,
  restrictedContainer,
  restrictedPod,
  volumesOf,
  withLog,
  SERVER_LOG_LIMIT,
} from "../kubernetes/pods.ts";
import { probesNextToServer } from "../kubernetes/probes.ts";
import { keptRunning, SCRIPTS_PATH } from "../kubernetes/scripts.ts";
import { DATA_PATH, SOCKET_PATH, VOLUME_PATH } from "../../postgres/places.ts";
import { mebibytes } from "../../quantities.ts";
import type { CombinedExtension } from "./extension.ts";

/** PostgreSQL's port, in the pod and in the Service. */
export const PORT = 5432;
/** Where the server finds its configuration files. */
export const CONFIG_PATH = "/etc/postgresql";
const RECONCILE_STATE_PATH = "/run/reconcile";

/** CPUs and memory, as Kubernetes quantities. */
export interface ComputeResources {
  cpu: string;
  memory: string;
}

/** Arguments of {@link serverPod}. */
export interface ServerPodArgs {
  image: pulumi.Input<string>;
  placement: Placement;
  /** The claim on the data directory. */
  claimName: pulumi.Input<string>;
  /** The stack that the directory's data must belong to. */
  identity: string;
  /** Secret with POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD. */
  secretName: pulumi.Input<string>;
  /** Secret with the superuser's POSTGRES_PASSWORD. */
  superuserSecretName: pulumi.Input<string>;
  /** Secret with the logins other than the owner's. A pod also starts without it. */
  loginsSecretName: pulumi.Input<string>;
  requests: ComputeResources;
  limits: ComputeResources;
  /** Size of /dev/shm in bytes. */
  sharedMemory: number;
  /** Address space of one server process, in bytes. */
  addressSpace: number;
  /** Time limit of a shutdown in seconds, including its checkpoint. */
  terminationGracePeriod: number;
  /** Time limit of a start in seconds, including crash recovery. */
  recoveryTime: number;
}

/** The value for `ulimit -v`. */
export function addressSpaceKilobytes({ addressSpace }: Pick<ServerPodArgs, "addressSpace">): number {
  return Math.floor(addressSpace / 1024);
}

function serverVolumes(
  args: ServerPodArgs,
  configName: pulumi.Input<string>,
  scriptsName: pulumi.Input<string>,
): PodVolume[] {
  const both = (path: string, readOnly = false) => ({
    [SERVER_CONTAINER]: { path, readOnly },
    [RECONCILER_CONTAINER]: { path, readOnly },
  });
  const credentials = (
    name: string,
    secretName: pulumi.Input<string>,
    path: string,
    optional = false,
  ): PodVolume => ({
    name,
    source: { secret: { secretName, defaultMode: 0o440, ...(optional && { optional }) } },
    mounts: { [RECONCILER_CONTAINER]: { path, readOnly: true } },
  });
  return [
    {
      name: "data",
      source: { persistentVolumeClaim: { claimName: args.claimName } },
      mounts: {
        [SERVER_CONTAINER]: { path: VOLUME_PATH },
        // How much of the disk is left, also while the server is down.
        [RECONCILER_CONTAINER]: { path: VOLUME_PATH, readOnly: true },
      },
    },
    { name: "config", source: { configMap: { name: configName } }, mounts: both(CONFIG_PATH, true) },
    { name: "scripts", source: { configMap: { name: scriptsName } }, mounts: both(SCRIPTS_PATH, true) },
    credentials("owner-credentials", args.secretName, "/etc/credentials/owner"),
    credentials("superuser-credentials", args.superuserSecretName, "/etc/credentials/superuser"),
    inMemory("socket", "1Mi", both(SOCKET_PATH)),
    inMemory("reconcile-state", "1Mi", both(RECONCILE_STATE_PATH)),
    // The default of 64 MiB is too small for a parallel index build.
    inMemory("shared-memory", mebibytes(args.sharedMemory), { [SERVER_CONTAINER]: { path: "/dev/shm" } }),
    inMemory("tmp", "16Mi", { [SERVER_CONTAINER]: { path: "/tmp" } }),
    credentials("logins", args.loginsSecretName, "/etc/credentials/logins", true),
  ];
}

/** The pod's template. */
export function serverPod(
  args: ServerPodArgs,
  added: CombinedExtension,
  configName: pulumi.Input<string>,
  scriptsName: pulumi.Input<string>,
): k8s.types.input.core.v1.PodSpec {
  const volumes = [...serverVolumes(args, configName, scriptsName), ...added.volumes];
  const withMounts = (container: CombinedExtension["sidecars"][number]) => ({
    ...container,
    volumeMounts: mountsIn(container.name, volumes),
  });
  // 0: accepts connections. 1: rejects them for now, as in crash recovery or shutdown, which a kill would not shorten.
  const alive = ["bash", "-c", "pg_isready -q -h 127.0.0.1 -t 3; [ $? -le 1 ]"];
  // Over TCP, like clients, and only once the Secrets' passwords work. After its first start, a server waits for that at
  // most a minute, so that a reconciler that hangs does not lock clients out.
  const ready = [
    "pg_isready -q -h 127.0.0.1 -t 3 &&",
    `{ [ -e ${RECONCILE_STATE_PATH}/done ] || { [ ! -e ${RECONCILE_STATE_PATH}/first-start ] &&`,
    `[ -n "$(find ${SOCKET_PATH}/.s.PGSQL.${PORT}.lock -mmin +1)" ]; }; }`,
  ].join(" ");
  return {
    ...placed(args.placement),
    terminationGracePeriodSeconds: args.terminationGracePeriod,
    ...restrictedPod(),
    ...(added.initContainers.length > 0 && { initContainers: added.initContainers.map(withMounts) }),
    containers: [
      {
        name: SERVER_CONTAINER,
        image: args.image,
        ...restrictedContainer,
        command: ["bash", `${SCRIPTS_PATH}/start-server.sh`],
        env: [
          { name: "VOLUME", value: VOLUME_PATH },
          { name: "PGDATA", value: DATA_PATH },
          { name: "IDENTITY", value: args.identity },
          { name: "ADDRESS_SPACE", value: String(addressSpaceKilobytes(args)) },
        ],
        ports: [{ name: "postgresql", containerPort: PORT }],
        resources: withLog({ requests: { ...args.requests }, limits: { ...args.limits } }, SERVER_LOG_LIMIT),
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
        volumeMounts: mountsIn(SERVER_CONTAINER, volumes),
      },
      {
        name: RECONCILER_CONTAINER,
        image: args.image,
        ...restrictedContainer,
        command: keptRunning("reconcile.sh", `${RECONCILE_STATE_PATH}/heartbeat`),
        ...probesNextToServer(`${RECONCILE_STATE_PATH}/heartbeat`),
        ...(added.watched.length > 0 && { env: [{ name: "WATCHED", value: added.watched.join(" ") }] }),
        resources: withLog({
          requests: { cpu: "10m", memory: "32Mi" },
          limits: { cpu: "500m", memory: "128Mi" },
        }),
        volumeMounts: mountsIn(RECONCILER_CONTAINER, volumes),
      },
      ...added.sidecars.map(withMounts),
    ],
    volumes: volumesOf(volumes),
  };
}
