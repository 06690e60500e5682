import { bytesOfQuantity, cpusOfQuantity } from "../../quantities.ts";
import { hiddenPod, podsOf } from "../pods.ts";
import { containerText, objectRule } from "../rule.ts";
import { field, shown, textAt } from "../values.ts";

const AMOUNTS = [
  { resource: "memory", parse: bytesOfQuantity, example: "256Mi" },
  { resource: "cpu", parse: cpusOfQuantity, example: "500m" },
  { resource: "ephemeral-storage", parse: bytesOfQuantity, example: "64Mi" },
] as const;

export const resourceLimits = objectRule({
  name: "resource-limits",
  asks: "CPU, memory and ephemeral storage, requested and limited, for every container of every kind",
  description:
    "A container without requests and limits can take the node's memory, and the kernel kills the database for it; one that fills the node's own disk with its log has all pods evicted",
  level: "mandatory",
  check: (object) => {
    const hidden = hiddenPod(object);
    if (hidden !== undefined) {
      return [
        {
          subject: object.subject,
          why: `${hidden}, so its containers' requests and limits cannot be seen`,
          remedy: "containers as plain values, each with resources.requests and resources.limits",
        },
      ];
    }
    return podsOf(object).flatMap((pod) =>
      pod.containers
        // Kubernetes refuses resources on ephemeral containers.
        .filter(({ sort }) => sort !== "ephemeral")
        .flatMap((container) =>
          ["requests", "limits"].flatMap((side) =>
            AMOUNTS.flatMap(({ resource, parse, example }) => {
              const amount = parse(textAt(container.body, "resources", side, resource) ?? "");
              if (amount !== undefined && amount > 0) return [];
              return [
                {
                  subject: object.subject,
                  why: `${containerText(container)} has resources.${side}.${resource} ${shown(field(container.body, "resources", side, resource))}`,
                  remedy: `resources.${side}.${resource}: a plain amount above zero with its unit, such as "${example}"`,
                },
              ];
            }),
          ),
        ),
    );
  },
});
