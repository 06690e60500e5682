import { STACK_TYPE } from "../resources.ts";
import { resourceRule } from "../rule.ts";

interface Config {
  kind: "dev" | "prod";
}

export const stackKind = resourceRule<Config>({
  name: "stack-kind",
  asks: "dev's configuration for dev only",
  description: "Judging another stack by dev's configuration deploys production without its protection",
  level: "mandatory",
  schema: {
    properties: {
      kind: {
        type: "string",
        enum: ["dev", "prod"],
        description: "What the configuration is written for: the stack dev, or every other one",
      },
    },
    required: ["kind"],
  },
  check: ({ type, urn }, { kind }) => {
    const stack = urn.split(":")[2] ?? "";
    if (type !== STACK_TYPE || (kind === "dev") === (stack === "dev")) return [];
    return [
      {
        subject: "stack",
        why: `the configuration is for ${kind === "dev" ? "the stack dev" : "stacks other than dev"}, but this is ${stack}`,
        remedy: `--policy-pack-config policy/config.${stack === "dev" ? "dev" : "prod"}.json, or a copy of it for this stack`,
      },
    ];
  },
});
