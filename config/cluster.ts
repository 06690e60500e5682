/** The section `cluster`: which cluster, and how to reach it. */
import type { Problem } from "../problem.ts";
import { defaulted, dnsName, kubeconfigPath, text } from "./fields.ts";
import { commandToSet, type Section, type ValuesOf } from "./reader.ts";

export const cluster = {
  context: text(/^[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*$/u, "the name of a context, on one line", {
    description:
      "Context in the kubeconfig. Without it, `dev` uses the current context; other stacks are refused",
  }),
  kubeconfig: kubeconfigPath({
    description: "Path of the kubeconfig, if it is not the one that kubectl uses",
  }),
  domain: defaulted(
    "cluster.local",
    dnsName({ description: "The cluster's DNS domain: the part after `svc.` in a pod's /etc/resolv.conf" }),
  ),
} as const satisfies Section;

/** Outside `dev` the context is named: nobody deploys production to whatever context happens to be current. */
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
        `is missing. Outside dev no stack is deployed to whatever context happens to be current. ` +
        `Choose one of \`kubectl config get-contexts -o name\` and set it: ${commandToSet("cluster.context", false)}`,
    },
  ];
}
