import { type Finding, objectRule } from "../rule.ts";
import { field, isMap, UNKNOWN } from "../values.ts";

const PREFIX = "sealedsecrets.bitnami.com";
/** Annotations that let a value be opened elsewhere, and where. */
const WIDER = {
  [`${PREFIX}/cluster-wide`]: "in every namespace, under every name",
  [`${PREFIX}/namespace-wide`]: "under every name in the namespace",
} as const;
const SKIP_OWNER = `${PREFIX}/skip-set-owner-references`;

export const sealedStrictly = objectRule({
  name: "sealed-strictly",
  asks: "SealedSecrets that open under their own name only, and whose Secret stays when they are deleted",
  description:
    "A wider scope lets anybody who may create a SealedSecret elsewhere read what is in this one; a Secret that belongs to its SealedSecret is deleted with it, and the server starts no more",
  level: "mandatory",
  check: ({ kind, body, subject }) => {
    if (kind !== "SealedSecret") return [];
    const places = [
      ["metadata", field(body, "metadata", "annotations")],
      ["spec.template.metadata", field(body, "spec", "template", "metadata", "annotations")],
    ] as const;
    const findings = places.flatMap(([path, annotations]) => {
      if (!isMap(annotations)) return [];
      return Object.entries(WIDER).flatMap(([name, where]): Finding[] => {
        const value = annotations[name];
        if (value === undefined || value === "false") return [];
        return [
          {
            subject,
            why: `${path}.annotations["${name}"] lets what is sealed be opened ${where}`,
            remedy: "no such annotation, and what is sealed sealed again: npm run render -- --seal",
          },
        ];
      });
    });
    const [, [, ofSecret]] = places;
    const skips = isMap(ofSecret) ? ofSecret[SKIP_OWNER] : ofSecret;
    if (skips !== "true" && skips !== UNKNOWN)
      findings.push({
        subject,
        why: `spec.template.metadata.annotations["${SKIP_OWNER}"] is not "true", so the Secret is deleted with the SealedSecret`,
        remedy: `${SKIP_OWNER}: "true", as npm run render -- --seal writes it`,
      });
    return findings;
  },
});
