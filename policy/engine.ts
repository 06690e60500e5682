/** From the engine's view of a resource to the rules', and from a rule to one of the engine's policies. */
import {
  type PolicyResourceOptions,
  type ResourceValidationPolicy,
  type StackValidationPolicy,
  UnknownValueError,
} from "@pulumi/policy";
import { schemaOf } from "./configuration.ts";
import { judgeResource, judgeStack, messageOf, today } from "./judgement.ts";
import type { Resource } from "./resources.ts";
import type { Rule } from "./rule.ts";
import { UNKNOWN } from "./values.ts";

/**
 * Inputs with {@link UNKNOWN} where the SDK would throw: the error would turn every finding about the resource into
 * advice, so one unknown value would hide a violation.
 */
function withUnknowns(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const entry = (name: string | number): unknown => {
    try {
      return withUnknowns((value as Record<string | number, unknown>)[name]);
    } catch (error) {
      if (error instanceof UnknownValueError) return UNKNOWN;
      throw error;
    }
  };
  if (Array.isArray(value)) return Array.from({ length: value.length }, (_, index) => entry(index));
  return Object.fromEntries(Object.keys(value).map((name) => [name, entry(name)]));
}

interface EngineResource {
  urn: string;
  type: string;
  name: string;
  props: Record<string, unknown>;
  opts: PolicyResourceOptions;
  dependencies?: readonly { urn: string }[];
}

function resourceOf({ urn, type, name, props, opts, dependencies = [] }: EngineResource): Resource {
  return {
    urn,
    type,
    name,
    inputs: withUnknowns(props) as Record<string, unknown>,
    protect: opts.protect,
    secretOutputs: opts.additionalSecretOutputs,
    dependencies: dependencies.map((dependency) => dependency.urn),
  };
}

/** A rule as a policy of the engine. */
export function policyOf(rule: Rule): ResourceValidationPolicy | StackValidationPolicy {
  const facts = {
    name: rule.name,
    description: rule.description,
    enforcementLevel: rule.level,
    configSchema: schemaOf(rule),
  };
  if ("checkResource" in rule) {
    return {
      ...facts,
      validateResource: (args, report) => {
        for (const finding of judgeResource(rule, resourceOf(args), args.getConfig(), today())) {
          report(messageOf(finding));
        }
      },
    };
  }
  return {
    ...facts,
    validateStack: (args, report) => {
      for (const finding of judgeStack(rule, args.resources.map(resourceOf), args.getConfig(), today())) {
        report(messageOf(finding), finding.urn);
      }
    },
  };
}
