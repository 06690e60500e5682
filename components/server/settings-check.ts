/** The component of the Job that tries an image and settings before the server gets them. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";
import { oneRunJob } from "../kubernetes/one-run-job.ts";
import { SOCKET_PATH } from "../../postgres/places.ts";
import {
  inMemory,
  type Placement,
  type PodVolume,
  restrictedContainer,
  withLog,
} from "../kubernetes/pods.ts";
import { mebibytes } from "../../quantities.ts";
import { checksum, scriptFiles, SCRIPTS_PATH, stoppable, stoppableFiles } from "../kubernetes/scripts.ts";
import { superuserFiles } from "./superuser-files.ts";
import { SETTINGS_CONTAINER, SETTINGS_JOB_NAME } from "../kubernetes/names.ts";

/** The container that checks the image. */
const IMAGE_CONTAINER = "image";

/** Time limit of the Job in seconds. Trying takes a few; the rest is for pulling the image over a slow connection. */
const TIMEOUT = 900;

const GiB = 2 ** 30;

/**
 * Memory of a server that starts and serves a few sessions, in bytes. Of shared_buffers, it uses only the page
 * descriptors: measured with 4GB and 12GB, a 47th. A 32nd leaves room for page tables. 1 GiB holds the scratch directory,
 * the processes, and the tables of connections and locks at usual sizes. Sizes that need more do so in the server, too.
 */
export function memoryToTry(sharedBuffers: number): number {
  return GiB + sharedBuffers / 32;
}

/** Arguments of {@link SettingsCheck}. */
export interface SettingsCheckArgs {
  namespace: pulumi.Input<string>;
  /** The server's. */
  image: pulumi.Input<string>;
  /** The server's: the settings must fit that node's memory. */
  placement: Placement;
  /** The server's configuration files by name, as for its ConfigMap. */
  files: Readonly<Record<string, string>>;
  /** Where the server finds them. */
  configPath: string;
  /** Bytes of shared_buffers. */
  sharedBuffers: number;
  /** Volumes that the settings need, with their mounts in the container that tries them. */
  volumes: readonly PodVolume[];
  /** Address space of one server process, in kB. */
  addressSpace: number;
  /** Runs before the Job is created, because an existing Job cannot be changed. */
  beforeJob?: pulumi.ResourceHook | undefined;
}

/**
 * A Job that tries an image and a configuration on a scratch directory before the server gets them: if PostgreSQL refuses
 * them, the deployment ends and the server keeps running unchanged. The files are in a separate ConfigMap, because the
 * server would reload its own at once. Everything that changes an existing server must depend on this.
 */
export class SettingsCheck extends pulumi.ComponentResource {
  /** Name of the Job, known once it has succeeded. */
  readonly jobName: pulumi.Output<string>;

  constructor(name: string, args: SettingsCheckArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:SettingsCheck", name, {}, opts);
    const { namespace, image, placement, files } = args;
    const child = { parent: this };
    const scripts = {
      ...scriptFiles(import.meta.url, "check-image.sh", "check-settings.sh", "settings-in-force.sql"),
      ...stoppableFiles(),
      ...superuserFiles(),
    };
    const configMap = (mapName: string, data: Readonly<Record<string, string>>) =>
      new k8s.core.v1.ConfigMap(
        mapName,
        { metadata: { name: mapName, namespace, labels: labelsOf("settings") }, data },
        { deleteBeforeReplace: true, ...child },
      ).metadata.name;
    const memory = mebibytes(memoryToTry(args.sharedBuffers));
    const addressSpace = String(args.addressSpace);
    const container = {
      image,
      ...restrictedContainer,
      resources: withLog({ requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "1", memory } }),
    };
    const scriptsMount = { path: SCRIPTS_PATH, readOnly: true };
    const needed = args.volumes.filter(({ mounts }) => mounts[SETTINGS_CONTAINER] !== undefined);
    const volumes: PodVolume[] = [
      {
        name: "config",
        source: { configMap: { name: configMap("postgres-settings-files", files) } },
        mounts: { [SETTINGS_CONTAINER]: { path: args.configPath, readOnly: true } },
      },
      {
        name: "scripts",
        source: { configMap: { name: configMap("postgres-settings-scripts", scripts) } },
        mounts: { [IMAGE_CONTAINER]: scriptsMount, [SETTINGS_CONTAINER]: scriptsMount },
      },
      // An empty database takes 40 MB, and its WAL grows by 16 MB at a time.
      inMemory("scratch", "256Mi", { [SETTINGS_CONTAINER]: { path: "/scratch" } }),
      inMemory("socket", "1Mi", { [SETTINGS_CONTAINER]: { path: SOCKET_PATH } }),
      inMemory("tmp", "16Mi", { [SETTINGS_CONTAINER]: { path: "/tmp" } }),
      ...needed,
    ];
    const job = oneRunJob(
      SETTINGS_JOB_NAME,
      {
        namespace,
        part: "settings",
        placement,
        timeout: TIMEOUT,
        before: args.beforeJob,
        // A Job's template is immutable, so everything in it is a reason.
        reasons: pulumi.all([image, placement.hostname]).apply((names) =>
          checksum(
            JSON.stringify([
              ...[names, placement.tolerations, memory, addressSpace, files, scripts],
              // Only if there are any: a stack without them does not run its Job again.
              ...needed.map((volume) => [volume.name, volume.mounts]),
            ]),
          ),
        ),
        containers: [
          {
            name: IMAGE_CONTAINER,
            ...container,
            // sh can report an image without bash.
            command: ["sh", `${SCRIPTS_PATH}/check-image.sh`],
          },
          {
            name: SETTINGS_CONTAINER,
            ...container,
            command: stoppable("check-settings.sh"),
            env: [{ name: "ADDRESS_SPACE", value: addressSpace }],
          },
        ],
        volumes,
      },
      child,
    );
    this.jobName = job.metadata.name;
    this.registerOutputs({ jobName: this.jobName });
  }
}
