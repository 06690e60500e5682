import { objectRule } from "../rule.ts";
import { field, shown } from "../values.ts";

export const claimsKept = objectRule({
  name: "claims-kept",
  asks: "a StatefulSet keeps its claims",
  description: "Letting a StatefulSet delete its claims loses the data when it is scaled down or deleted",
  level: "mandatory",
  check: ({ kind, body, subject }) => {
    if (kind !== "StatefulSet") return [];
    const path = ["spec", "persistentVolumeClaimRetentionPolicy"];
    return ["whenDeleted", "whenScaled"].flatMap((name) => {
      // Without the field Kubernetes retains.
      const policy = field(body, ...path, name) ?? "Retain";
      if (policy === "Retain") return [];
      return [
        {
          subject,
          why: `${path.join(".")}.${name} is ${shown(policy)}`,
          remedy: `${path.join(".")}.${name}: "Retain", or leave it out`,
        },
      ];
    });
  },
});
