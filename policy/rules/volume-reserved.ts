import { objectRule } from "../rule.ts";
import { field, listAt, shown } from "../values.ts";

const ONE_NODE = ["ReadWriteOnce", "ReadWriteOncePod"];

export const volumeReserved = objectRule({
  name: "volume-reserved",
  asks: "volumes reserved for one claim, written by one node",
  description: "Leaving a volume open to any claim lets another pod write into the database's directory",
  level: "mandatory",
  check: ({ kind, patch, body, subject }) => {
    if (
      (kind !== "PersistentVolume" && kind !== "PersistentVolumeClaim") ||
      (patch && body.spec === undefined)
    )
      return [];
    const modes = listAt(body, "spec", "accessModes");
    const findings =
      modes.length > 0 && modes.every((mode) => ONE_NODE.includes(String(mode)))
        ? []
        : [
            {
              subject,
              why: `spec.accessModes is ${shown(field(body, "spec", "accessModes"))}; pods on several nodes could write at once`,
              remedy: `spec.accessModes: ["ReadWriteOnce"]`,
            },
          ];
    if (kind === "PersistentVolume") {
      const claim = ["kind", "namespace", "name"].filter(
        (name) => field(body, "spec", "claimRef", name) === undefined,
      );
      if (claim.length > 0) {
        findings.push({
          subject,
          why: `spec.claimRef has no ${claim.join(" and no ")}; the first claim that fits takes the volume`,
          remedy: `spec.claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name } of the claim it is for`,
        });
      }
    }
    return findings;
  },
});
