import { type Pod, podsIn } from "../pods.ts";
import { serversOf } from "../postgres.ts";
import { type KubernetesObject, mayShareNamespace, maySelect, objectsIn } from "../resources.ts";
import { stackRule } from "../rule.ts";
import { field, isMap, listAt, textAt, UNKNOWN } from "../values.ts";

function covers(policy: KubernetesObject, pod: Pod): boolean {
  const types = listAt(policy.body, "spec", "policyTypes");
  return (
    (types.length === 0 || types.includes("Ingress") || types.includes(UNKNOWN)) &&
    mayShareNamespace(policy, pod.object) &&
    maySelect(field(policy.body, "spec", "podSelector"), field(pod.metadata, "labels"))
  );
}

/** Every address. */
const ANYWHERE = /^(0\.0\.0\.0|::)\/0$/;

/** Whether a policy lets in everybody: an ingress rule without `from`, or from every address. */
function letsEverybodyIn(policy: KubernetesObject): boolean {
  return listAt(policy.body, "spec", "ingress").some(
    (rule) =>
      isMap(rule) &&
      rule.from !== UNKNOWN &&
      (listAt(rule, "from").length === 0 ||
        listAt(rule, "from").some((peer) => ANYWHERE.test(textAt(peer, "ipBlock", "cidr") ?? ""))),
  );
}

export const databaseNetworkPolicy = stackRule({
  name: "database-network-policy",
  asks: "if there is a NetworkPolicy, one for the database that does not let every address in",
  description: "Network policies that leave the database out keep it reachable from every pod in the cluster",
  level: "mandatory",
  check: (stack) => {
    const policies = objectsIn(stack).filter(({ kind, patch }) => kind === "NetworkPolicy" && !patch);
    if (policies.length === 0) return [];
    return podsIn(stack)
      .filter((pod) => serversOf(pod).length > 0 && !pod.object.patch)
      .flatMap((pod) => {
        const covering = policies.filter((policy) => covers(policy, pod));
        const open = covering.find(letsEverybodyIn);
        if (covering.length > 0 && !open) return [];
        return [
          {
            subject: pod.object.subject,
            urn: pod.object.resource.urn,
            why: open
              ? `${open.subject} lets everybody in: an ingress rule has no from, or allows every address`
              : `none of ${policies.map(({ subject }) => subject).join(", ")} selects its pods for Ingress`,
            remedy:
              "a NetworkPolicy in its namespace with podSelector on its pods' labels, policyTypes [Ingress] and the clients in ingress.from",
          },
        ];
      });
  },
});
