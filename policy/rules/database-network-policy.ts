import { hasDirection, letsEverybodyIn, networkPoliciesIn, selects } from "../network-policies.ts";
import { podsIn } from "../pods.ts";
import { serversOf } from "../postgres.ts";
import { stackRule } from "../rule.ts";

export const databaseNetworkPolicy = stackRule({
  name: "database-network-policy",
  asks: "if there is a NetworkPolicy, one for the database, and none that lets everybody reach its port",
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
        if (covering.length > 0 && !open) return [];
        return [
          {
            subject: open?.subject ?? pod.object.subject,
            urn: open?.resource.urn ?? pod.object.resource.urn,
            why: open
              ? `it lets everybody in to ${pod.object.subject}: an ingress rule has no from, or names no labels, or a range larger than /8`
              : `none of ${policies.map(({ subject }) => subject).join(", ")} selects its pods for Ingress`,
            remedy:
              "a NetworkPolicy in its namespace with podSelector on its pods' labels, policyTypes [Ingress] and the clients in ingress.from: network.clients",
          },
        ];
      });
  },
});
