import { objectRule } from "../rule.ts";
import { field, shown } from "../values.ts";

const FIELD: Readonly<Record<string, string[]>> = {
  PersistentVolume: ["spec", "persistentVolumeReclaimPolicy"],
  StorageClass: ["reclaimPolicy"],
};

export const volumeRetained = objectRule({
  name: "volume-retained",
  asks: "reclaim policy Retain on every PersistentVolume and StorageClass",
  description: "Deleting a claim whose volume is not retained deletes the database",
  level: "mandatory",
  check: ({ kind, patch, body, subject }) => {
    const path = FIELD[kind];
    if (!path) return [];
    // A patch that does not touch the field leaves it as its owner wrote it.
    if (patch && (kind === "StorageClass" ? !(path[0] ?? "" in body) : body.spec === undefined)) return [];
    const policy = field(body, ...path);
    if (policy === "Retain") return [];
    return [
      {
        subject,
        why: `${path.join(".")} is ${shown(policy)}; its data is deleted with the claim`,
        remedy: `${path.join(".")}: "Retain", as a plain value`,
      },
    ];
  },
});
