/** The pods of restore drills: a copy of the database is restored next to the server, compared, and removed. */
import type * as pulumi from "@pulumi/pulumi";
import { DRILL_CONTAINER } from "../kubernetes/names.ts";
import { inMemory, type PodVolume, restrictedContainer, withLog } from "../kubernetes/pods.ts";
import { keptRunning, SCRIPTS_PATH, stoppable } from "../kubernetes/scripts.ts";
import type { NamedContainer } from "../server/extension.ts";
import { VOLUME_PATH } from "../../postgres/places.ts";

/** The agent of a drill, which has pgBackRest: next to the container that starts the copy. */
const AGENT = "agent";
/** The scratch space: a directory in the volume's root, that the copy's server gets instead of the volume. */
const SCRATCH_NAME = "drill";
const SCRATCH_PATH = "/scratch";
/** What the agent and the drill share. */
const HANDOVER_PATH = "/drill";

/** Arguments of {@link drillPod}. */
export interface DrillArgs {
  /** ConfigMap with the scripts. */
  scriptsName: pulumi.Input<string>;
  /** The image with pgBackRest. */
  image: string;
  /** The server's image, which starts the copy. */
  postgresImage: string;
  /** Repositories as the scripts take them. */
  repositories: string;
  /** The database whose rows are compared, and its owner. */
  database: pulumi.Input<string>;
  owner: pulumi.Input<string>;
  /** Percent of the data's disk that must stay free. */
  drillFree: number;
  /** Whether every object of the repositories is read too. */
  verify: boolean;
  /**
   * Environment and volumes of whatever runs pgBackRest, with the mounts of the container {@link as}. Volume `data`, the
   * server's, has the scratch space and the live server's socket.
   */
  env: { name: string; value: string }[];
  volumes: readonly PodVolume[];
  as: string;
}

/** A drill's containers and volumes. */
export interface DrillPod {
  /** Serves restores and WAL, until the drill has ended. */
  agent: NamedContainer;
  drill: NamedContainer;
  volumes: PodVolume[];
}

/**
 * A drill's part of a pod. Its server sees the volume read-only, but for the scratch space: whatever the copy does, it
 * cannot touch the data. It is no backend of a Service, archives nothing and listens on no port.
 */
export function drillPod(args: DrillArgs): DrillPod {
  const drillEnv = {
    VOLUME: HANDOVER_PATH,
    COPY: `${VOLUME_PATH}/${SCRATCH_NAME}`,
    SCRATCH: SCRATCH_PATH,
    SUPERUSER_SOCKET: `${VOLUME_PATH}/socket`,
    REPOSITORIES: args.repositories,
    DRILL_FREE: String(args.drillFree),
    VERIFY: String(args.verify),
    WAIT: "900",
    COUNT_TIME: "900",
    ARCHIVE_TIME: "180",
  };
  const alive = {
    exec: { command: ["bash", "-c", '[ -n "$(find /run/backup/heartbeat -mmin -3)" ]'] },
    timeoutSeconds: 5,
  };
  return {
    agent: {
      name: AGENT,
      image: args.image,
      ...restrictedContainer,
      restartPolicy: "Always",
      command: keptRunning("agent.sh", "/run/backup/heartbeat"),
      env: [
        ...args.env.filter(({ name }) => name !== "VOLUME"),
        { name: "VOLUME", value: HANDOVER_PATH },
        { name: "COPY", value: drillEnv.COPY },
        // The data and its locks are not this agent's.
        { name: "PGBACKREST_PG1_PATH", value: `${drillEnv.COPY}/pgdata` },
        { name: "PGBACKREST_LOCK_PATH", value: "/tmp/locks" },
      ],
      // The scratch space exists when the other container starts.
      startupProbe: { ...alive, periodSeconds: 1, failureThreshold: 60 },
      resources: withLog({ requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "2", memory: "256Mi" } }),
    },
    drill: {
      name: DRILL_CONTAINER,
      image: args.postgresImage,
      ...restrictedContainer,
      command: stoppable("drill.sh"),
      env: [
        ...Object.entries(drillEnv).map(([name, value]) => ({ name, value })),
        { name: "OWNER", value: args.owner },
        { name: "DATABASE", value: args.database },
      ],
      resources: withLog({
        requests: { cpu: "50m", memory: "128Mi" },
        limits: { cpu: "1", memory: "256Mi" },
      }),
    },
    volumes: [
      ...args.volumes.map(({ mounts, ...volume }) => ({
        ...volume,
        mounts: {
          ...mounts,
          ...(mounts[args.as] && { [AGENT]: mounts[args.as] ?? [] }),
          ...(volume.name === "data" && {
            [DRILL_CONTAINER]: [
              { path: VOLUME_PATH, readOnly: true },
              { path: SCRATCH_PATH, subPath: SCRATCH_NAME },
            ],
          }),
        },
      })),
      {
        name: "drill-scripts",
        source: { configMap: { name: args.scriptsName } },
        mounts: { [DRILL_CONTAINER]: { path: SCRIPTS_PATH, readOnly: true } },
      },
      // One segment of WAL at a time.
      inMemory("handover", "40Mi", {
        [AGENT]: { path: HANDOVER_PATH },
        [DRILL_CONTAINER]: { path: HANDOVER_PATH },
      }),
      inMemory("drill-tmp", "32Mi", { [DRILL_CONTAINER]: { path: "/tmp" } }),
    ],
  };
}
