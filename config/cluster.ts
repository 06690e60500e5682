/** The section `cluster`: the cluster and how to reach it. */
import type { Problem } from "../problem.ts";
import { defaulted, dnsName, kubeconfigPath, text } from "./fields.ts";
import { commandToSet, type Section, type ValuesOf } from "./reader.ts";

export const cluster = {
  context: text(/^[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*$/u, "the name of a context, on one line", {
    description: "Context in the kubeconfig. Default in `dev`: the current context. Required in other stacks",
  }),
  kubeconfig: kubeconfigPath({
    description: "Path of the kubeconfig, if kubectl does not use it by default",
  }),
  domain: defaulted(
    "cluster.local",
    dnsName({ description: "The cluster's DNS domain: the part after `svc.` in a pod's /etc/resolv.conf" }),
  ),
} as const satisfies Section;

/** Outside `dev` the context must be named: production must not go to whichever context is current. */
export function clusterProblems({
  stack,
  cluster: { context },
}: {
  stack: string;
  cluster: ValuesOf<typeof cluster>;
}): Problem[] {
  if (stack === "dev" || context !== undefined) return [];
  return [
    {
      key: "cluster.context",
      message:
        `is missing. Stacks other than dev are never deployed to whichever context is current. ` +
        `Choose one of \`kubectl config get-contexts -o name\` and set it: ${commandToSet("cluster.context", false)}`,
    },
  ];
}
