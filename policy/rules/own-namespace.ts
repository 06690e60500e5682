import { isClusterWide } from "../resources.ts";
import { objectRule } from "../rule.ts";
import { field, shown, UNKNOWN } from "../values.ts";

const SHARED = ["default", "kube-system", "kube-public", "kube-node-lease"];

export const ownNamespace = objectRule({
  name: "own-namespace",
  asks: "nothing in `default`",
  description:
    "Deploying into `default` runs pods next to everybody else's, where no Pod Security label checks them",
  level: "mandatory",
  check: ({ kind, body, subject }) => {
    if (kind === "Namespace" || isClusterWide(kind)) return [];
    const namespace = field(body, "metadata", "namespace");
    // Judged again, with its value, before it is deployed.
    if (namespace === UNKNOWN || field(body, "metadata") === UNKNOWN) return [];
    if (typeof namespace === "string" && namespace !== "" && !SHARED.includes(namespace)) return [];
    return [
      {
        subject,
        why: `metadata.namespace is ${shown(namespace)}${namespace === undefined ? ", which means `default`" : ""}`,
        remedy: "metadata.namespace: the namespace of the stack, given by its component",
      },
    ];
  },
});
