import { labelsOf } from "../resources.ts";
import { objectRule } from "../rule.ts";
import { field, mapAt, shown } from "../values.ts";

const PREFIX = "pod-security.kubernetes.io/";

export const namespaceLabels = objectRule({
  name: "namespace-labels",
  asks: "namespaces that enforce the restricted standard, of v1.25 or later, and into which nothing injects containers",
  description: "Leaving a namespace without Pod Security labels lets the API server accept privileged pods",
  level: "mandatory",
  check: ({ kind, patch, body, subject }) => {
    if (kind !== "Namespace") return [];
    if (patch && !Object.keys(labelsOf(body)).some((key) => key.startsWith(PREFIX) || /inject/i.test(key)))
      return [];
    const label = (name: string) => field(body, "metadata", "labels", PREFIX + name);
    const wrong = (name: string, value: unknown, wanted: string) => ({
      subject,
      why: `the label ${PREFIX}${name} is ${shown(value)}`,
      remedy: `metadata.labels["${PREFIX}${name}"]: "${wanted}"`,
    });
    const findings = ["enforce", "warn", "audit"].flatMap((mode) => {
      const value = label(mode);
      return value === "restricted" ? [] : [wrong(mode, value, "restricted")];
    });
    const version = label("enforce-version");
    // Some older versions know less than half of the standard.
    if (!/^(latest|v1\.(2[5-9]|[3-9]\d))$/.test(String(version)))
      findings.push(wrong("enforce-version", version, "latest"));
    for (const part of ["labels", "annotations"]) {
      for (const name of Object.keys(mapAt(body, "metadata", part))) {
        // Service meshes inject containers where such a label, without a prefix, asks for it.
        if (!/inject/i.test(name)) continue;
        findings.push({
          subject,
          why: `metadata.${part}["${name}"] makes something else put containers into its pods, which no rule sees`,
          remedy: "remove it: write what a pod runs into the pod itself",
        });
      }
    }
    return findings;
  },
});
