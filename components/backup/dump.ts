/** The pods of logical dumps: one container has the database's programs, the other one rclone. */
import type * as pulumi from "@pulumi/pulumi";
import { DUMP_CONTAINER } from "../kubernetes/names.ts";
import { inMemory, type Mount, type PodVolume, restrictedContainer, withLog } from "../kubernetes/pods.ts";
import { SCRIPTS_PATH, stoppable } from "../kubernetes/scripts.ts";
import type { NamedContainer } from "../server/extension.ts";
import { VOLUME_PATH } from "../../postgres/places.ts";
import { BACKUP_CONFIG_PATH, type RepositoryArgs } from "./pgbackrest-conf.ts";
import { RCLONE_CONFIG } from "./rclone-conf.ts";

/** The container that carries out what the other one asks for. */
const TRANSFER = "rclone";
/** What both share. */
const HANDOVER_PATH = "/dump";

/** Arguments of {@link dumpPod}. */
export interface DumpArgs {
  /** ConfigMap with the scripts. */
  scriptsName: pulumi.Input<string>;
  /** An image with rclone and a shell. */
  image: string;
  /** The server's image, which has pg_dump. */
  postgresImage: string;
  repositories: readonly RepositoryArgs[];
  /** The same as the scripts take them. */
  listed: string;
  /** Whose data it is: compared with the marker of each directory. */
  identity: string;
  /** The database that is dumped, and its owner. */
  database: pulumi.Input<string>;
  owner: pulumi.Input<string>;
  /** Dumps that are kept in each repository. */
  keep: number;
  /** Seconds for one dump. */
  timeout: number;
  /** Volumes of whatever runs pgBackRest, with the mounts of the container {@link as}. Volume `data` is the server's. */
  volumes: readonly PodVolume[];
  as: string;
}

/** A dump's containers and volumes. */
export interface DumpPod {
  /** Serves transfers, until the dump has ended. */
  transfer: NamedContainer;
  dump: NamedContainer;
  volumes: PodVolume[];
}

/** A dump's part of a pod. The server's volume is read-only in it, for the socket, unless it has a repository. */
export function dumpPod(args: DumpArgs): DumpPod {
  const inVolume = args.repositories.some(({ kind }) => kind === "volume");
  // The container's mounts of a volume that pgBackRest has too. Its own memory is none of them.
  const mountsOf = ({ name, source, mounts }: PodVolume): PodVolume["mounts"] => {
    if (name === "data")
      return {
        [DUMP_CONTAINER]: { path: VOLUME_PATH, readOnly: true },
        ...(inVolume && { [TRANSFER]: { path: VOLUME_PATH } satisfies Mount }),
      };
    if ("emptyDir" in source) return {};
    return {
      [TRANSFER]: mounts[args.as] ?? [],
      ...(name === "scripts" && { [DUMP_CONTAINER]: { path: SCRIPTS_PATH, readOnly: true } }),
    };
  };
  const dumpEnv = {
    VOLUME: HANDOVER_PATH,
    SUPERUSER_SOCKET: `${VOLUME_PATH}/socket`,
    REPOSITORIES: args.listed,
    KEEP: String(args.keep),
    WAIT: "600",
    TIME: String(args.timeout),
  };
  return {
    transfer: {
      name: TRANSFER,
      image: args.image,
      ...restrictedContainer,
      restartPolicy: "Always",
      command: ["sh", `${SCRIPTS_PATH}/dump-transfer.sh`],
      env: [
        { name: "VOLUME", value: HANDOVER_PATH },
        { name: "REPOSITORIES", value: args.listed },
        { name: "IDENTITY", value: args.identity },
        { name: "RCLONE_CONFIG", value: `${BACKUP_CONFIG_PATH}/${RCLONE_CONFIG}` },
        { name: "HOME", value: "/tmp" },
      ],
      resources: withLog({ requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "2", memory: "384Mi" } }),
    },
    dump: {
      name: DUMP_CONTAINER,
      image: args.postgresImage,
      ...restrictedContainer,
      command: stoppable("dump.sh"),
      env: [
        ...Object.entries(dumpEnv).map(([name, value]) => ({ name, value })),
        { name: "OWNER", value: args.owner },
        { name: "DATABASE", value: args.database },
      ],
      resources: withLog({ requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "1", memory: "160Mi" } }),
    },
    volumes: [
      ...args.volumes
        .map((volume) => ({ ...volume, mounts: mountsOf(volume) }))
        .filter(({ mounts }) => Object.keys(mounts).length > 0),
      inMemory("handover", "4Mi", {
        [TRANSFER]: { path: HANDOVER_PATH },
        [DUMP_CONTAINER]: { path: HANDOVER_PATH },
      }),
      inMemory("transfer-tmp", "16Mi", { [TRANSFER]: { path: "/tmp" } }),
      inMemory("dump-tmp", "32Mi", { [DUMP_CONTAINER]: { path: "/tmp" } }),
    ],
  };
}
