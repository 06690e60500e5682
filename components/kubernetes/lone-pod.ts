/** A pod of its own that nobody connects to: an agent. */
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
}

/**
 * Creates the StatefulSet of one pod, which may be ended at any time: what it has not done is done by the next one.
 *
 * @param name of all its objects
 * @param more options of the StatefulSet alone
 */
export function lonePod(
  name: string,
  args: LonePodArgs,
  child: pulumi.CustomResourceOptions,
  more: pulumi.CustomResourceOptions,
): void {
  const metadata = { name, namespace: args.namespace, labels: args.labels };
  // A StatefulSet names the Service that gives its pods their names in DNS.
  const headless = new k8s.core.v1.Service(
    name,
    { metadata, spec: { clusterIP: "None", selector: { app: name } } },
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
}
