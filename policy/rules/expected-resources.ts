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
  description:
    "Who deploys a stack without the database in it has one that keeps to every rule because there is nothing to judge",
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
        description: "Kinds that the rules exist for; each must be in the stack",
      },
    },
  },
  check: (stack, { kinds }) => {
    const found = new Set(
      objectsIn(stack)
        .filter(({ patch }) => !patch)
        .map(({ kind }) => kind),
    );
    const missing: string[] = kinds.filter((kind) => !found.has(kind));
    // One whose containers are not known yet cannot be told from another pod.
    if (kinds.length > 0 && !podsIn(stack).some((pod) => serversOf(pod).length > 0))
      missing.push("PostgreSQL server that can be seen");
    return missing.map((kind) => ({
      subject: "stack",
      why: `there is no ${kind} in it`,
      remedy: `the ${kind}; or, where a stack is meant to do without, expected-resources.kinds without it`,
    }));
  },
});
