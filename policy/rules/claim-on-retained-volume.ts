import { type KubernetesObject } from "../resources.ts";
import { podsOf, volumesOf } from "../pods.ts";
import { type Finding, objectRule } from "../rule.ts";
import { field, listAt, shown, textAt, UNKNOWN } from "../values.ts";

interface Config {
  retainedClasses: string[];
}

/** The claims in an object, with the path to each spec. */
function claimsOf(object: KubernetesObject): { path: string; spec: unknown }[] {
  const { kind, body, patch } = object;
  const claims: { path: string; spec: unknown }[] = [];
  if (kind === "PersistentVolumeClaim" && !(patch && body.spec === undefined)) {
    claims.push({ path: "spec", spec: body.spec });
  }
  listAt(body, "spec", "volumeClaimTemplates").forEach((template, index) => {
    claims.push({ path: `spec.volumeClaimTemplates[${index}].spec`, spec: field(template, "spec") });
  });
  return claims;
}

export const claimOnRetainedVolume = objectRule<Config>({
  name: "claim-on-retained-volume",
  asks: "claims on a named volume, or on a class that is known to retain",
  description:
    "A claim on a class that deletes its volumes loses the data when the claim goes; K3s's default class is one",
  level: "mandatory",
  schema: {
    properties: {
      retainedClasses: {
        type: "array",
        items: { type: "string" },
        default: [],
        description: "Storage classes that are known to retain their volumes",
      },
    },
  },
  check: (object, { retainedClasses }) => {
    const findings: Finding[] = claimsOf(object).flatMap(({ path, spec }) => {
      const storageClass = field(spec, "storageClassName");
      if (retainedClasses.includes(textAt(spec, "storageClassName") ?? "")) return [];
      const volume = field(spec, "volumeName");
      if (storageClass === "" && (volume === UNKNOWN || (typeof volume === "string" && volume !== "")))
        return [];
      return [
        {
          subject: object.subject,
          why:
            storageClass === ""
              ? `${path}.volumeName is ${shown(volume)}; it may be bound to any volume`
              : `${path}.storageClassName is ${shown(storageClass)}; the class creates a volume of its own and may delete it`,
          remedy: `storageClassName: "" and volumeName: the retained PersistentVolume's name, or a class listed in claim-on-retained-volume.retainedClasses`,
        },
      ];
    });
    for (const pod of podsOf(object)) {
      for (const volume of volumesOf(pod)) {
        if (volume.ephemeral === undefined) continue;
        findings.push({
          subject: object.subject,
          why: `volume ${textAt(volume, "name")} is an ephemeral claim; it is deleted with the pod`,
          remedy:
            "persistentVolumeClaim: { claimName } with a claim of its own, or an emptyDir for what may be lost",
        });
      }
    }
    return findings;
  },
});
