/** A pod of its own: an agent, or what is asked for metrics. */
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { ANNOTATIONS } from "./names.ts";
import { placed, type Placement, type PodVolume, restrictedPod, volumesOf } from "./pods.ts";
import { checksum } from "./scripts.ts";

/** Arguments of {@link lonePod}. */
export interface LonePodArgs {
  namespace: pulumi.Input<string>;
  /** Labels of the objects. The pod has these and `app`, the name. */
  labels: Readonly<Record<string, string>>;
  placement: Placement;
  /** Its scripts, by file name: with another one the pod starts again. */
  scripts: Readonly<Record<string, string>>;
  containers: k8s.types.input.core.v1.Container[];
  volumes: readonly PodVolume[];
  /** What others connect to. @default nobody connects to it */
  service?: {
    ports: Readonly<Record<string, number>>;
    annotations?: Readonly<Record<string, string>> | undefined;
  };
}

/**
 * Creates the StatefulSet of one pod, which may be ended at any time: what it has not done is done by the next one.
 *
 * @param name of all its objects
 * @param more options of the StatefulSet alone
 * @returns its Service
 */
export function lonePod(
  name: string,
  args: LonePodArgs,
  child: pulumi.CustomResourceOptions,
  more: pulumi.CustomResourceOptions,
): { serviceName: pulumi.Output<string> } {
  const metadata = { name, namespace: args.namespace, labels: args.labels };
  // A StatefulSet names the Service that gives its pods their names in DNS.
  const headless = new k8s.core.v1.Service(
    name,
    {
      metadata: { ...metadata, ...(args.service?.annotations && { annotations: args.service.annotations }) },
      spec: {
        clusterIP: "None",
        selector: { app: name },
        ...(args.service && {
          ports: Object.entries(args.service.ports).map(([port, number]) => ({ name: port, port: number })),
        }),
      },
    },
    child,
  );
  new k8s.apps.v1.StatefulSet(
    name,
    {
      metadata,
      spec: {
        replicas: 1,
        serviceName: headless.metadata.name,
        podManagementPolicy: "Parallel",
        selector: { matchLabels: { app: name } },
        template: {
          metadata: {
            labels: { ...args.labels, app: name },
            annotations: { [ANNOTATIONS.scripts]: checksum(JSON.stringify(args.scripts)) },
          },
          spec: {
            ...placed(args.placement),
            terminationGracePeriodSeconds: 10,
            ...restrictedPod(),
            containers: args.containers,
            volumes: volumesOf(args.volumes),
          },
        },
      },
    },
    { ...child, ...more },
  );
  return { serviceName: headless.metadata.name };
}
