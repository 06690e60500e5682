import { nodesOf, nodesOfAffinity, podsIn } from "../pods.ts";
import { statefulness } from "../postgres.ts";
import { objectsIn } from "../resources.ts";
import { stackRule } from "../rule.ts";
import { field, UNKNOWN } from "../values.ts";

export const oneNode = stackRule({
  name: "one-node",
  asks: "volumes and pods on the same node",
  description: "Pinning the volume to one node and its pod to another leaves a pod that is never scheduled",
  level: "mandatory",
  check: (stack) => {
    const pinned = [
      ...objectsIn(stack)
        .filter(({ kind }) => kind === "PersistentVolume")
        .map(({ subject, body }) => ({
          subject,
          nodes: nodesOfAffinity(field(body, "spec", "nodeAffinity", "required")),
        })),
      ...podsIn(stack)
        .filter((pod) => statefulness(pod) !== undefined)
        .map((pod) => ({ subject: pod.object.subject, nodes: nodesOf(pod.spec) })),
    ]
      // An unknown name is not another name; other rules report a missing one.
      .map(({ subject, nodes }) => ({ subject, nodes: nodes.filter((name) => name !== UNKNOWN) }))
      .filter(({ nodes }) => nodes.length > 0);
    if (new Set(pinned.flatMap(({ nodes }) => nodes)).size <= 1) return [];
    return [
      {
        subject: "stack",
        why: `volumes and the pods on them are pinned to different nodes: ${pinned.map(({ subject, nodes }) => `${subject} to ${nodes.map(String).join(", ")}`).join("; ")}`,
        remedy: "the same hostname for all of them",
      },
    ];
  },
});
