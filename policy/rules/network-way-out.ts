import {
  blocksOut,
  hasDirection,
  networkPoliciesIn,
  openWayOut,
  selectsForCertain,
} from "../network-policies.ts";
import { isWithin, type Network, networksOf } from "../networks.ts";
import { podsIn } from "../pods.ts";
import { serversOf } from "../postgres.ts";
import { type Finding, stackRule } from "../rule.ts";
import { listAt } from "../values.ts";

interface Config {
  clusterRanges: string[];
}

const overlap = (one: Network, other: Network) => isWithin(one, other) || isWithin(other, one);

export const networkWayOut = stackRule<Config>({
  name: "network-way-out",
  asks: "no way out for the server; for others, only to named peers and ports, and to no range with the cluster's own addresses",
  description:
    "A way out from the server is what somebody who got in needs to take the data away, and one into the cluster's ranges reaches every pod",
  level: "mandatory",
  schema: {
    properties: {
      clusterRanges: {
        type: "array",
        items: { type: "string" },
        default: ["10.42.0.0/16", "10.43.0.0/16"],
        description: "Addresses of the cluster's pods and Services, as in network.clusterRanges",
      },
    },
  },
  check: (stack, { clusterRanges }) => {
    const inside = clusterRanges.flatMap((range) => networksOf({ text: range, quoted: false }) ?? []);
    const servers = podsIn(stack).filter((pod) => serversOf(pod).length > 0 && !pod.object.patch);
    return networkPoliciesIn(stack)
      .filter((policy) => hasDirection(policy, "Egress"))
      .flatMap((policy): Finding[] => {
        const { subject, resource } = policy;
        const found = (why: string, remedy: string) => ({ subject, urn: resource.urn, why, remedy });
        const findings: Finding[] = [];
        const server = servers.find((pod) => selectsForCertain(policy, pod));
        if (server && listAt(policy.body, "spec", "egress").length > 0)
          findings.push(
            found(
              `it selects ${server.object.subject} and has an egress rule, which is a way out for the server`,
              "a podSelector that leaves the server out: it answers its clients, and connects to nobody",
            ),
          );
        const open = openWayOut(policy);
        if (open !== undefined)
          findings.push(found(open, "to with the labels of the pods or a range, and ports"));
        for (const { cidr, network, except } of blocksOut(policy)) {
          if (
            inside.some((range) => overlap(range, network) && !except.some((part) => isWithin(range, part)))
          )
            findings.push(
              found(
                `an egress rule leads to ${cidr}, which has the cluster's own addresses in it`,
                `except [${clusterRanges.join(", ")}], or the namespace and the labels of the pods: network.repositories`,
              ),
            );
        }
        return findings;
      });
  },
});
