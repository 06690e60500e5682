/** Preflight: whether the pods' addresses are those that the network policies take for the cluster's own. */
import { isIn } from "../address-ranges.ts";
import type { Check } from "../cluster-state.ts";

/** The backups' way out leads everywhere but there: a range that is not known leaves the pods in it open to them. */
export const checkClusterRanges: Check = ({ nodes }, { clusterRanges }) => {
  if (clusterRanges === undefined) return {};
  const outside = nodes
    .flatMap(({ spec }) => spec?.podCIDRs ?? [])
    .filter((range) => !isIn(range.split("/")[0] ?? "", clusterRanges));
  if (outside.length === 0) return {};
  return {
    warnings: [
      `network.clusterRanges is ${clusterRanges.join(", ")}, and the cluster's pods are in ${outside.join(", ")} too: backups may reach ` +
        `them. Set all of them: pulumi config set --path 'network.clusterRanges[${clusterRanges.length}]' <range>`,
    ],
  };
};
