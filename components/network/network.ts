/** The component of the network policies. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";
import { DEFAULT_DENY_NAME, POLICY_PREFIX } from "../kubernetes/names.ts";
import { DEFAULT_DENY, policyIn, policyOut, type WayIn, type WaysOut } from "./policies.ts";

/** Arguments of {@link Network}. */
export interface NetworkArgs {
  namespace: pulumi.Input<string>;
  /** Who may reach which pods. A capability with a port adds its own. */
  waysIn: readonly WayIn[];
  /** Which pods may reach what. */
  waysOut: readonly WaysOut[];
}

/**
 * Denies every connection of the namespace's pods, in and out, but for those that are listed. The pods of others in the
 * namespace are denied too: policies of their own can only add to what is allowed.
 */
export class Network extends pulumi.ComponentResource {
  /** Name of the policy that denies the rest, known once all policies exist. */
  readonly denied: pulumi.Output<string>;

  constructor(name: string, args: NetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Network", name, {}, opts);
    const policy = (
      policyName: string,
      spec: k8s.types.input.networking.v1.NetworkPolicySpec,
      dependsOn: pulumi.Resource[] = [],
    ) =>
      new k8s.networking.v1.NetworkPolicy(
        policyName,
        {
          metadata: { name: policyName, namespace: args.namespace, labels: labelsOf("network") },
          spec,
        },
        { parent: this, deleteBeforeReplace: true, dependsOn },
      );
    const allowed = [
      ...args.waysIn.map((way) => policy(`${POLICY_PREFIX}${way.name}`, policyIn(way))),
      ...args.waysOut.map((ways) => policy(`${POLICY_PREFIX}${ways.name}`, policyOut(ways))),
    ];
    // Last, and deleted first: at no moment is anything denied that is allowed.
    this.denied = policy(DEFAULT_DENY_NAME, DEFAULT_DENY, allowed).metadata.name;
    this.registerOutputs({ denied: this.denied });
  }
}
