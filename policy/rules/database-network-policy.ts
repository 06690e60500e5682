import {
  hasDirection,
  letsEverybodyIn,
  networkPoliciesIn,
  opensEveryPort,
  selects,
} from "../network-policies.ts";
import { podsIn } from "../pods.ts";
import { serversOf } from "../postgres.ts";
import { stackRule } from "../rule.ts";

export const databaseNetworkPolicy = stackRule({
  name: "database-network-policy",
  asks: "if there is a NetworkPolicy, one for the database, and none that lets everybody in or opens every port",
  description:
    "Network policies that leave the database out, or let everybody in, keep it reachable from every pod in the cluster",
  level: "mandatory",
  check: (stack) => {
    const policies = networkPoliciesIn(stack);
    if (policies.length === 0) return [];
    return podsIn(stack)
      .filter((pod) => serversOf(pod).length > 0 && !pod.object.patch)
      .flatMap((pod) => {
        const covering = policies.filter((policy) => hasDirection(policy, "Ingress") && selects(policy, pod));
        const open = covering.find((policy) => letsEverybodyIn(policy, pod));
        const wide = open ?? covering.find(opensEveryPort);
        if (covering.some(({ patch }) => !patch) && !wide) return [];
        return [
          {
            subject: wide?.subject ?? pod.object.subject,
            urn: wide?.resource.urn ?? pod.object.resource.urn,
            why: open
              ? `it lets everybody in to ${pod.object.subject}: an ingress rule has no from, or names no labels, or a range larger than /8`
              : wide
                ? `it opens every port of ${pod.object.subject}: an ingress rule has no ports, or one without a number`
                : `none of ${policies.map(({ subject }) => subject).join(", ")} selects its pods for Ingress`,
            remedy:
              "a NetworkPolicy in its namespace with podSelector on its pods' labels, policyTypes [Ingress], the clients in ingress.from and 5432 in ingress.ports: network.clients",
          },
        ];
      });
  },
});
