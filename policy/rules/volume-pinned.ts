import { HOSTNAME, nodesOfAffinity, nodesText } from "../pods.ts";
import { objectRule } from "../rule.ts";
import { field } from "../values.ts";

interface Config {
  node: string;
}

export const volumePinned = objectRule<Config>({
  name: "volume-pinned",
  asks: "volumes pinned to the node by required node affinity",
  description:
    "Who leaves a volume unpinned gets an empty directory on another node, and a database without its rows",
  level: "mandatory",
  schema: {
    properties: {
      node: {
        type: "string",
        minLength: 1,
        description: "Name of the node that has the storage; `*` for one node, whichever",
      },
    },
    required: ["node"],
  },
  check: ({ kind, patch, body, subject }, { node }) => {
    if (kind !== "PersistentVolume" || (patch && body.spec === undefined)) return [];
    const required = field(body, "spec", "nodeAffinity", "required");
    const names = nodesOfAffinity(required);
    if (names.length === 1 && (node === "*" || names[0] === node)) return [];
    const wanted = node === "*" ? "<the node>" : node;
    return [
      {
        subject,
        why: `spec.nodeAffinity.required leaves ${nodesText(names, required)}, not ${node === "*" ? "one node" : `${node} alone`}`,
        remedy: `spec.nodeAffinity.required.nodeSelectorTerms: [{ matchExpressions: [{ key: "${HOSTNAME}", operator: "In", values: ["${wanted}"] }] }]`,
      },
    ];
  },
});
