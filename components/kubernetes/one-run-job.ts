import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { hooked } from "./hooks.ts";
import { labelsOf, type Part } from "./labels.ts";
import { restrictedPod } from "./pods.ts";
import { ANNOTATIONS, HOSTNAME_LABEL } from "./names.ts";

/** Arguments of {@link oneRunJob}. */
export interface OneRunJobArgs {
  namespace: pulumi.Input<string>;
  part: Part;
  hostname: pulumi.Input<string>;
  tolerations: k8s.types.input.core.v1.Toleration[];
  /** Seconds the Job has, waiting and pulling its images included. */
  timeout: number;
  /** Run one after the other. */
  containers: k8s.types.input.core.v1.Container[];
  volumes: k8s.types.input.core.v1.Volume[];
  /** Checksum of everything that, when it changes, is a reason to run the Job again. */
  reasons: pulumi.Input<string>;
  /** Runs before the Job is created. @default nothing */
  before?: pulumi.ResourceHook | undefined;
}

/** A Job of one pod that runs once, and again whenever a reason for it has changed or it had failed. */
export function oneRunJob(
  name: string,
  args: OneRunJobArgs,
  opts: pulumi.CustomResourceOptions,
): k8s.batch.v1.Job {
  return new k8s.batch.v1.Job(
    name,
    {
      metadata: {
        name,
        namespace: args.namespace,
        labels: labelsOf(args.part),
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
          // An evicted pod, or one of a node that is drained, has not failed.
          rules: [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }],
        },
        template: {
          metadata: {
            labels: labelsOf(args.part),
            annotations: { [ANNOTATIONS.files]: args.reasons },
          },
          spec: {
            restartPolicy: "Never",
            // A statement that is cut off is rolled back; there is nothing to wait for.
            terminationGracePeriodSeconds: 10,
            nodeSelector: { [HOSTNAME_LABEL]: args.hostname },
            ...(args.tolerations.length > 0 && { tolerations: args.tolerations }),
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: restrictedPod,
            ...(args.containers.length > 1 && { initContainers: args.containers.slice(0, -1) }),
            containers: args.containers.slice(-1),
            volumes: args.volumes,
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
