import { type Finding, resourceRule } from "../rule.ts";
import { shown } from "../values.ts";

interface Config {
  context: boolean;
}

/** Fields without which a change of the cluster's address, or of a password, deletes what runs. */
const NEEDED: Readonly<Record<string, { fits: (value: unknown) => boolean; write: string }>> = {
  clusterIdentifier: {
    fits: (value) => typeof value === "string" && value !== "",
    write: "clusterIdentifier: a fixed name, such as <project>/<stack>",
  },
  enableSecretMutable: { fits: isOn, write: "enableSecretMutable: true" },
  enableConfigMapMutable: { fits: isOn, write: "enableConfigMapMutable: true" },
};

/** Providers take their fields as JSON text. */
function isOn(value: unknown): boolean {
  return value === true || value === "true";
}

export const explicitProvider = resourceRule<Config>({
  name: "explicit-provider",
  asks: "a provider with a context, an identifier and mutable Secrets",
  description:
    "Leaving the cluster to chance deploys production to whichever context is current, or replaces all of it",
  level: "mandatory",
  schema: {
    properties: {
      context: { type: "boolean", default: true, description: "Whether the provider must name its context" },
    },
  },
  check: ({ type, name, inputs }, { context }) => {
    if (type !== "pulumi:providers:kubernetes") return [];
    const subject = `Provider/${name}`;
    if (/^default(_|$)/.test(name)) {
      return [
        {
          subject,
          why: "it is the default provider, created for a resource without one of its own",
          remedy: "{ provider } in the options of that resource, or of its parent",
        },
      ];
    }
    const findings = Object.entries(NEEDED).flatMap(([field, { fits, write }]): Finding[] =>
      fits(inputs[field]) ? [] : [{ subject, why: `${field} is ${shown(inputs[field])}`, remedy: write }],
    );
    if (context && (typeof inputs.context !== "string" || inputs.context === "")) {
      findings.push({
        subject,
        why: `context is ${shown(inputs.context)}, so the current one is used`,
        remedy: "context: the name of the cluster's context; in this project cluster.context",
      });
    }
    return findings;
  },
});
