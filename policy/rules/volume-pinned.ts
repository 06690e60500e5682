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
    "An unpinned volume is an empty directory on another node, and the database starts without its rows",
  level: "mandatory",
  schema: {
    properties: {
      node: {
        type: "string",
        minLength: 1,
        description: "Name of the node that has the storage; `*` for any one node",
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
        why: `spec.nodeAffinity.required allows ${nodesText(names, required)}, not only ${node === "*" ? "one node" : node}`,
        remedy: `spec.nodeAffinity.required.nodeSelectorTerms: [{ matchExpressions: [{ key: "${HOSTNAME}", operator: "In", values: ["${wanted}"] }] }]`,
      },
    ];
  },
});
