/** The section `cluster`: which cluster, and how to reach it. */
import type { Problem } from "../problem.ts";
import { defaulted, dnsName, kubeconfigPath, text } from "./fields.ts";
import { commandToSet, type Section, type ValuesOf } from "./reader.ts";

export const cluster = {
  context: text(/^[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*$/u, "the name of a context, on one line", {
    description:
      "Context of the kubeconfig. Without one `dev` takes the current context; other stacks refuse",
  }),
  kubeconfig: kubeconfigPath({
    description: "Path of the kubeconfig, where it is not the one kubectl would take",
  }),
  domain: defaulted(
    "cluster.local",
    dnsName({ description: "The cluster's DNS domain: what follows `svc.` in /etc/resolv.conf of a pod" }),
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
