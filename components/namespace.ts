/** The component of the namespace. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "./kubernetes/labels.ts";

/** Arguments of {@link Namespace}. */
export interface NamespaceArgs {
  /** The namespace's name. */
  name: pulumi.Input<string>;
}

/** A namespace that enforces the restricted Pod Security Standard. */
export class Namespace extends pulumi.ComponentResource {
  /** The name, known once the namespace exists. */
  readonly namespaceName: pulumi.Output<string>;

  constructor(name: string, args: NamespaceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Namespace", name, args, opts);
    const namespace = new k8s.core.v1.Namespace(
      name,
      {
        metadata: {
          name: args.name,
          labels: {
            ...labelsOf("namespace"),
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/enforce-version": "latest",
            "pod-security.kubernetes.io/warn": "restricted",
            "pod-security.kubernetes.io/audit": "restricted",
          },
        },
      },
      { parent: this },
    );
    this.namespaceName = namespace.metadata.name;
    this.registerOutputs({ namespaceName: this.namespaceName });
  }
}
