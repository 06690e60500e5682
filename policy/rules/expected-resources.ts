import { objectsIn } from "../resources.ts";
import { podsIn } from "../pods.ts";
import { serversOf } from "../postgres.ts";
import { stackRule } from "../rule.ts";

interface Config {
  kinds: string[];
}

export const expectedResources = stackRule<Config>({
  name: "expected-resources",
  asks: "every kind that the rules exist for",
  description: "A stack without the database passes every rule, because there is nothing to judge",
  level: "mandatory",
  schema: {
    properties: {
      kinds: {
        type: "array",
        items: { type: "string" },
        default: [
          "Namespace",
          "PersistentVolume",
          "PersistentVolumeClaim",
          "Secret",
          "ConfigMap",
          "Service",
          "StatefulSet",
          "Job",
        ],
        description: "Kinds that the rules exist for; the stack must have each",
      },
    },
  },
  check: (stack, { kinds }) => {
    const found = new Set(
      objectsIn(stack)
        .filter(({ patch }) => !patch)
        // An ExternalSecret makes one.
        .map(({ kind }) => (kind === "ExternalSecret" ? "Secret" : kind)),
    );
    const missing: string[] = kinds.filter((kind) => !found.has(kind));
    // One whose containers are not known yet cannot be told from another pod.
    if (kinds.length > 0 && !podsIn(stack).some((pod) => serversOf(pod).length > 0))
      missing.push("PostgreSQL server that can be seen");
    return missing.map((kind) => ({
      subject: "stack",
      why: `there is no ${kind} in it`,
      remedy: `add the ${kind}, or remove it from expected-resources.kinds if the stack does without it`,
    }));
  },
});
