import { HOSTNAME, nodesOf, nodesText } from "../pods.ts";
import { statefulness } from "../postgres.ts";
import { podRule } from "../rule.ts";
import { field, shown } from "../values.ts";

interface Config {
  node: string;
}

export const placement = podRule<Config>({
  name: "placement",
  asks: "everything that keeps state on the configured node",
  description: "A pod that keeps state waits forever for its volume on another node, or starts without it",
  level: "mandatory",
  schema: {
    properties: {
      node: {
        type: "string",
        minLength: 1,
        description: "Name of the node with the GPU and the storage; `*` for any one node",
      },
    },
    required: ["node"],
  },
  check: (pod, { node }) => {
    const reason = statefulness(pod);
    if (reason === undefined) return [];
    const names = nodesOf(pod.spec);
    const bound = field(pod.spec, "nodeName");
    if (names.length === 1 && (node === "*" || names[0] === node) && bound === undefined) return [];
    return [
      {
        subject: pod.object.subject,
        why:
          bound === undefined
            ? `it ${reason}, and may run on ${nodesText(names, [pod.spec.nodeSelector, pod.spec.affinity])}`
            : `spec.nodeName is ${shown(bound)}, which bypasses the scheduler and its checks of storage and memory`,
        remedy: `nodeSelector: { "${HOSTNAME}": "${node === "*" ? "<the node>" : node}" }${bound === undefined ? "" : " and no nodeName"}`,
      },
    ];
  },
});
