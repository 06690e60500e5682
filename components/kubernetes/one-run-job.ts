/** A Job that runs once for each change of its reasons. */
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { hooked } from "./hooks.ts";
import { labelsOf } from "./labels.ts";
import { mountsIn, type Placement, placed, type PodVolume, restrictedPod, volumesOf } from "./pods.ts";
import { ANNOTATIONS } from "./names.ts";

/** Arguments of {@link oneRunJob}. */
export interface OneRunJobArgs {
  namespace: pulumi.Input<string>;
  /** The part of the deployment, for its labels. */
  part: string;
  /** Labels of its pod in addition to those. @default none */
  podLabels?: Readonly<Record<string, string>> | undefined;
  placement: Placement;
  /** The user that it runs as. @default the server's */
  uid?: number | undefined;
  /** Time limit of the Job in seconds, including waiting and pulling images. */
  timeout: number;
  /** Run one after the other. The volumes define their mounts. */
  containers: (Omit<k8s.types.input.core.v1.Container, "volumeMounts" | "name"> & { name: string })[];
  volumes: readonly PodVolume[];
  /** Checksum of everything whose change is a reason to run the Job again. */
  reasons: pulumi.Input<string>;
  /** Whether nobody waits for its end, or repeats it when it has failed. @default false */
  background?: boolean | undefined;
  /** Runs before the Job is created. @default nothing */
  before?: pulumi.ResourceHook | undefined;
}

/** A Job of one pod that runs once, and again whenever a reason has changed or it has failed. */
export function oneRunJob(
  name: string,
  args: OneRunJobArgs,
  opts: pulumi.CustomResourceOptions,
): k8s.batch.v1.Job {
  const containers = args.containers.map((container) => ({
    ...container,
    volumeMounts: mountsIn(container.name, args.volumes),
  }));
  return new k8s.batch.v1.Job(
    name,
    {
      metadata: {
        name,
        namespace: args.namespace,
        labels: labelsOf(args.part),
        annotations: {
          // The next `up` runs a failed Job again.
          ...(args.background === true
            ? { "pulumi.com/skipAwait": "true" }
            : { "pulumi.com/replaceUnready": "true" }),
          // A Job's template is immutable: these make Argo CD and Flux replace it.
          "argocd.argoproj.io/hook": "Sync",
          "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
          "kustomize.toolkit.fluxcd.io/force": "enabled",
        },
      },
      spec: {
        // The scripts survive a lost connection, so a failed pod has failed for good. Only for this reason
        // (BackoffLimitExceeded) does Pulumi stop waiting at once and report the pod's message.
        backoffLimit: 0,
        activeDeadlineSeconds: args.timeout,
        podFailurePolicy: {
          // A pod that was evicted or whose node is drained has not failed.
          rules: [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }],
        },
        template: {
          metadata: {
            labels: { ...labelsOf(args.part), ...args.podLabels },
            annotations: { [ANNOTATIONS.files]: args.reasons },
          },
          spec: {
            restartPolicy: "Never",
            // An interrupted statement is rolled back; there is nothing to wait for.
            terminationGracePeriodSeconds: 10,
            ...placed(args.placement),
            ...restrictedPod(args.uid),
            ...(containers.length > 1 && { initContainers: containers.slice(0, -1) }),
            containers: containers.slice(-1),
            volumes: volumesOf(args.volumes),
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
