/** The component of the volume and the claim on it. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { hooked } from "../kubernetes/hooks.ts";
import { labelsOf } from "../kubernetes/labels.ts";
import { type NodeConnection, NodeStorage } from "./node-storage.ts";
import {
  ANNOTATIONS,
  CLAIM_NAME,
  HOSTNAME_LABEL,
  VOLUME_NAME,
  nameAnnotations,
} from "../kubernetes/names.ts";

/** Arguments of {@link Volume}. */
export interface VolumeArgs {
  namespace: pulumi.Input<string>;
  /** Name of the node that has the directory. */
  hostname: pulumi.Input<string>;
  /** The directory on the node. */
  path: pulumi.Input<string>;
  /** Size, as a Kubernetes quantity. */
  capacity: pulumi.Input<string>;
  /** What the claim in the cluster once asked for, where there is one: it cannot be changed. @default the capacity */
  claimed?: pulumi.Input<string> | undefined;
  /** Mount point that must be mounted on the node. @default none is checked */
  mount?: pulumi.Input<string> | undefined;
  /** Whose data the directory holds; written into it once and compared at every start of the server. */
  identity: pulumi.Input<string>;
  /** How the database in it and its owner are called; said by the volume's object, which outlives all others. */
  database: string;
  owner: string;
  /** How to reach the node's file system. @default its storage is prepared by hand */
  connection?: NodeConnection | undefined;
  /** Whether volume and claim are protected from deletion. */
  protect: boolean;
  /** Runs before the claim is created: a volume that an earlier claim left Released cannot be bound as it is. */
  beforeClaim?: pulumi.ResourceHook | undefined;
}

/**
 * A directory on one node as a volume that outlives every claim on it. The volume's object stands for the data:
 * while it exists the directory is never prepared again.
 */
export class Volume extends pulumi.ComponentResource {
  /** The claim's name, known once the directory is prepared. */
  readonly claimName: pulumi.Output<string>;

  constructor(name: string, args: VolumeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Volume", name, {}, { ...opts, protect: args.protect });

    const volume = new k8s.core.v1.PersistentVolume(
      VOLUME_NAME,
      {
        metadata: {
          name: VOLUME_NAME,
          labels: labelsOf("storage"),
          annotations: { [ANNOTATIONS.identity]: args.identity, ...nameAnnotations(args) },
        },
        spec: {
          capacity: { storage: args.capacity },
          accessModes: ["ReadWriteOnce"],
          // No storage class: a volume of a class would be deleted by whoever provisions for that class.
          persistentVolumeReclaimPolicy: "Retain",
          volumeMode: "Filesystem",
          // Without a uid: reserved for the claim of this name, whichever of its lives.
          claimRef: {
            apiVersion: "v1",
            kind: "PersistentVolumeClaim",
            namespace: args.namespace,
            name: CLAIM_NAME,
          },
          hostPath: { path: args.path, type: "DirectoryOrCreate" },
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
          volumeUid: volume.metadata.uid,
        },
        { parent: this, protect: false },
      );

    const claim = new k8s.core.v1.PersistentVolumeClaim(
      CLAIM_NAME,
      {
        metadata: {
          name: CLAIM_NAME,
          namespace: args.namespace,
          labels: labelsOf("storage"),
          // No pod that mounts it runs before it is bound, and the server's readiness is waited for; the wait for the
          // claim itself looks twice a second.
          annotations: { "pulumi.com/skipAwait": "true" },
        },
        spec: {
          accessModes: ["ReadWriteOnce"],
          // Not the cluster's default class, which would make a volume of its own somewhere else.
          storageClassName: "",
          volumeName: volume.metadata.name,
          resources: { requests: { storage: args.claimed ?? args.capacity } },
        },
      },
      {
        parent: this,
        deleteBeforeReplace: true,
        // Only a volume of a class can be resized through its claim. This one is as large as its own object says.
        ignoreChanges: ["spec.resources"],
        dependsOn: prepared ? [prepared] : [],
        ...hooked({ beforeCreate: args.beforeClaim }),
      },
    );
    this.claimName = claim.metadata.name;
    this.registerOutputs({ claimName: this.claimName });
  }
}
