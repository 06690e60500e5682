import { bytesOfQuantity, cpusOfQuantity } from "../../quantities.ts";
import { containerText, podRule } from "../rule.ts";
import { mapAt, textAt } from "../values.ts";

/** Any amount as a number: extended resources are counted without a unit, like CPUs. */
function amount(quantity: string): number | undefined {
  return cpusOfQuantity(quantity) ?? bytesOfQuantity(quantity);
}

export const requestsWithinLimits = podRule({
  name: "requests-within-limits",
  asks: "requests at or below limits",
  description:
    "Requesting more than the limit makes the API server refuse the pod in the middle of the deployment",
  level: "mandatory",
  check: (pod) =>
    pod.containers.flatMap((container) => {
      const requests = mapAt(container.body, "resources", "requests");
      return Object.keys(requests).flatMap((name) => {
        const requested = textAt(requests, name);
        const limit = textAt(container.body, "resources", "limits", name);
        const difference = (amount(requested ?? "") ?? NaN) - (amount(limit ?? "") ?? NaN);
        if (!(difference > 0)) return [];
        return [
          {
            subject: pod.object.subject,
            why: `${containerText(container)} requests ${requested} of ${name}, above its limit of ${limit}`,
            remedy: `resources.requests.${name}: "${limit}" or less, or a higher limit`,
          },
        ];
      });
    }),
});
