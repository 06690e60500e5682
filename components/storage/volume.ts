/** The component of a volume and its claim. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { hooked } from "../kubernetes/hooks.ts";
import { labelsOf } from "../kubernetes/labels.ts";
import type { DirectoryUse } from "./directory.ts";
import { type NodeConnection, NodeStorage } from "./node-storage.ts";
import { ANNOTATIONS, HOSTNAME_LABEL } from "../kubernetes/names.ts";

/** Arguments of {@link Volume}. */
export interface VolumeArgs {
  /** What the directory is for, and the names of the objects. */
  use: DirectoryUse;
  /** The part of the deployment that it belongs to, for its labels. */
  part: string;
  /**
   * What the kubelet does about a directory that is not there: `DirectoryOrCreate` makes an empty one, and with `Directory` no
   * pod that mounts it starts.
   */
  hostPathType: "Directory" | "DirectoryOrCreate";
  namespace: pulumi.Input<string>;
  /** Name of the node that has the directory. */
  hostname: pulumi.Input<string>;
  /** The directory on the node. */
  path: pulumi.Input<string>;
  /** Size, as a Kubernetes quantity. */
  capacity: pulumi.Input<string>;
  /** Size that an existing claim requested, which cannot be changed. @default the capacity */
  claimed?: pulumi.Input<string> | undefined;
  /** Mount point that must be mounted on the node. @default not checked */
  mount?: pulumi.Input<string> | undefined;
  /** The stack that the directory belongs to: written into it once, and compared by whatever uses it. */
  identity: pulumi.Input<string>;
  /** What else is recorded on the volume's object, which outlives all others. @default nothing */
  annotations?: Readonly<Record<string, string>> | undefined;
  /** How to reach the node's file system. @default the storage is prepared by hand */
  connection?: NodeConnection | undefined;
  /** Whether volume and claim are protected from deletion. */
  protect: boolean;
  /** Runs before the claim is created: a volume that an earlier claim left Released cannot be bound. */
  beforeClaim?: pulumi.ResourceHook | undefined;
}

/**
 * A directory on one node as a volume that outlives every claim. The volume's object represents the data: while it
 * exists, the directory is never prepared again.
 */
export class Volume extends pulumi.ComponentResource {
  /** The claim's name, known once the directory is prepared. */
  readonly claimName: pulumi.Output<string>;

  constructor(name: string, args: VolumeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Volume", name, {}, { ...opts, protect: args.protect });

    const { use } = args;
    const labels = labelsOf(args.part);
    const volume = new k8s.core.v1.PersistentVolume(
      use.volume,
      {
        metadata: {
          name: use.volume,
          labels,
          annotations: { [ANNOTATIONS.identity]: args.identity, ...args.annotations },
        },
        spec: {
          capacity: { storage: args.capacity },
          accessModes: ["ReadWriteOnce"],
          // No storage class: that class's provisioner would delete the volume.
          persistentVolumeReclaimPolicy: "Retain",
          volumeMode: "Filesystem",
          // Without a uid, it is reserved for every claim of this name.
          claimRef: {
            apiVersion: "v1",
            kind: "PersistentVolumeClaim",
            namespace: args.namespace,
            name: use.claim,
          },
          hostPath: { path: args.path, type: args.hostPathType },
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [
                {
                  matchExpressions: [{ key: HOSTNAME_LABEL, operator: "In", values: [args.hostname] }],
                },
              ],
            },
          },
        },
      },
      { parent: this, deleteBeforeReplace: true },
    );

    const prepared =
      args.connection &&
      new NodeStorage(
        `${name}-directory`,
        {
          connection: args.connection,
          path: args.path,
          mount: args.mount,
          capacity: args.capacity,
          identity: args.identity,
          use,
          volumeUid: volume.metadata.uid,
        },
        { parent: this, protect: false },
      );

    const claim = new k8s.core.v1.PersistentVolumeClaim(
      use.claim,
      {
        metadata: {
          name: use.claim,
          namespace: args.namespace,
          labels,
          // No pod that mounts it runs before it is bound, and the server's readiness is waited for; the wait for the
          // claim itself looks twice a second.
          annotations: { "pulumi.com/skipAwait": "true" },
        },
        spec: {
          accessModes: ["ReadWriteOnce"],
          // Not the cluster's default class, which would provision another volume.
          storageClassName: "",
          volumeName: volume.metadata.name,
          resources: { requests: { storage: args.claimed ?? args.capacity } },
        },
      },
      {
        parent: this,
        deleteBeforeReplace: true,
        // Only a volume with a class can be resized through its claim. This one's size is in its own object.
        ignoreChanges: ["spec.resources"],
        dependsOn: prepared ? [prepared] : [],
        ...hooked({ beforeCreate: args.beforeClaim }),
      },
    );
    this.claimName = claim.metadata.name;
    this.registerOutputs({ claimName: this.claimName });
  }
}
