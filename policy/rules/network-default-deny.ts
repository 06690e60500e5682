import { networkPoliciesIn } from "../network-policies.ts";
import { podsIn } from "../pods.ts";
import { serversOf } from "../postgres.ts";
import { type KubernetesObject, mayShareNamespace } from "../resources.ts";
import { stackRule } from "../rule.ts";
import { field, isMap, UNKNOWN } from "../values.ts";

interface Config {
  required: boolean;
}

/** Whether a policy selects every pod, both ways, and allows nothing, as far as it is known. */
function deniesEverything({ body }: KubernetesObject): boolean {
  const spec = field(body, "spec");
  if (spec === UNKNOWN) return true;
  const types = field(spec, "policyTypes");
  const selector = field(spec, "podSelector");
  const isEmpty = (rules: unknown) => rules === undefined || (Array.isArray(rules) && rules.length === 0);
  return (
    (types === UNKNOWN ||
      ["Ingress", "Egress"].every(
        (type) => Array.isArray(types) && (types.includes(type) || types.includes(UNKNOWN)),
      )) &&
    (selector === UNKNOWN || (isMap(selector) && Object.keys(selector).length === 0)) &&
    isEmpty(field(spec, "ingress")) &&
    isEmpty(field(spec, "egress"))
  );
}

export const networkDefaultDeny = stackRule<Config>({
  name: "network-default-deny",
  asks: "a NetworkPolicy that denies every pod of the database's namespace everything, in and out",
  description:
    "Without a default deny, a pod that no policy selects reaches whatever it likes, and whoever likes reaches it",
  level: "mandatory",
  schema: {
    properties: {
      required: {
        type: "boolean",
        default: true,
        description: "Whether the stack must have network policies: false until an older one is switched",
      },
    },
  },
  check: (stack, { required }) => {
    const policies = networkPoliciesIn(stack);
    if (!required && policies.length === 0) return [];
    const denying = policies.filter((policy) => !policy.patch && deniesEverything(policy));
    return podsIn(stack)
      .filter((pod) => serversOf(pod).length > 0 && !pod.object.patch)
      .filter((pod) => !denying.some((policy) => mayShareNamespace(policy, pod.object)))
      .map((pod) => ({
        subject: pod.object.subject,
        urn: pod.object.resource.urn,
        why: "no NetworkPolicy in its namespace has an empty podSelector, policyTypes [Ingress, Egress], and no rules",
        remedy:
          "pulumi config set --path network.policies enforced; for a stack that is not switched yet, network-default-deny.required false: docs/network-policies.md",
      }));
  },
});
