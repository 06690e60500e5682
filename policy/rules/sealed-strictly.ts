import { type KubernetesObject, objectsIn } from "../resources.ts";
import { type Finding, stackRule } from "../rule.ts";
import { field, isMap, UNKNOWN } from "../values.ts";

const PREFIX = "sealedsecrets.bitnami.com";
/** Annotations that let a value be opened elsewhere, and where. */
const WIDER = {
  [`${PREFIX}/cluster-wide`]: "in every namespace, under every name",
  [`${PREFIX}/namespace-wide`]: "under every name in the namespace",
} as const;
const SKIP_OWNER = `${PREFIX}/skip-set-owner-references`;

/** In the state until it is sealed: the authority of the server's certificate. */
const NOT_ALWAYS_SEALED = ["Secret/postgres-ca"];

function findingsIn({ body, subject, resource: { urn } }: KubernetesObject): Finding[] {
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
          urn,
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
      urn,
      why: `spec.template.metadata.annotations["${SKIP_OWNER}"] is not "true", so the Secret is deleted with the SealedSecret`,
      remedy: `${SKIP_OWNER}: "true", as npm run render -- --seal writes it`,
    });
  return findings;
}

export const sealedStrictly = stackRule({
  name: "sealed-strictly",
  asks: "SealedSecrets that open under their own name only, whose Secret stays when they are deleted, and no plain one next to them",
  description:
    "A wider scope lets anybody who may create a SealedSecret elsewhere read what is in this one; a Secret that belongs to its SealedSecret is deleted with it, and the server starts no more",
  level: "mandatory",
  check: (stack) => {
    const objects = objectsIn(stack);
    const sealed = objects.filter(({ kind }) => kind === "SealedSecret");
    if (sealed.length === 0) return [];
    const plain = objects.filter(
      ({ kind, subject, body }) =>
        // One that the engine only reads, to let go of it, has no body.
        kind === "Secret" && !NOT_ALWAYS_SEALED.includes(subject) && isMap(field(body, "metadata")),
    );
    return [
      ...sealed.flatMap(findingsIn),
      ...plain.map(({ subject, resource: { urn } }) => ({
        subject,
        urn,
        why: "its values are the stack's own, in its state, next to sealed ones",
        remedy: "a SealedSecret in its place: npm run render -- --seal",
      })),
    ];
  },
});
