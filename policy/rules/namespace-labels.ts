import { labelsOf } from "../resources.ts";
import { objectRule } from "../rule.ts";
import { field, shown } from "../values.ts";

const PREFIX = "pod-security.kubernetes.io/";

export const namespaceLabels = objectRule({
  name: "namespace-labels",
  description: "Who leaves a namespace unlabelled has an API server that lets privileged pods in",
  level: "mandatory",
  check: ({ kind, patch, body, subject }) => {
    if (kind !== "Namespace") return [];
    if (patch && !Object.keys(labelsOf(body)).some((key) => key.startsWith(PREFIX))) return [];
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
    if (!/^(latest|v1\.\d+)$/.test(String(version)))
      findings.push(wrong("enforce-version", version, "latest"));
    return findings;
  },
});
