/** The configuration of a rule: read strictly, because a rule without its configuration would pass by accident. */
import type { PolicyConfigJSONSchema } from "@pulumi/policy/schema.js";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { ConfigSchema, Rule } from "./rule.ts";
import { isMap } from "./values.ts";
import { type Waiver, WAIVERS_SCHEMA } from "./waivers.ts";

/** Configuration of all rules, by name, as --policy-pack-config takes it. */
export type PackConfig = Record<string, Record<string, unknown>>;

/** A fault of the pack or its configuration. It stops a deployment: nothing has been judged. */
export class PackError extends Error {}

/** A rule's schema with the field that every rule has. */
export function schemaOf(rule: Rule): ConfigSchema {
  return {
    properties: { ...rule.schema?.properties, waivers: WAIVERS_SCHEMA },
    ...(rule.schema?.required && { required: rule.schema.required }),
  };
}

/** `${path}` of the pointer that the validator gives: `/kinds/0/name` is kinds[0].name. */
function pathOf(pointer: string): string {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part}`))
    .join("");
}

/** One objection of the validator, in words. */
function objectionOf(rule: string, error: ErrorObject): string {
  const path = `${rule}${pathOf(error.instancePath)}`;
  const { keyword, params, parentSchema, data } = error as ErrorObject<string, Record<string, unknown>>;
  const value = JSON.stringify(data);
  switch (keyword) {
    case "required":
      return `${path}.${String(params.missingProperty)} is missing`;
    case "additionalProperties": {
      const { properties = {} } = parentSchema as { properties?: object };
      return `${path}.${String(params.additionalProperty)} is unknown; known fields: ${Object.keys(properties).join(", ")}`;
    }
    case "type":
      return `${path} is ${value}, not ${[params.type].flat().join(" or ")}`;
    case "enum":
      return `${path} is ${value}, not one of ${(params.allowedValues as unknown[]).map(String).join(", ")}`;
    case "minLength":
      return data === "" ? `${path} is empty` : `${path} is ${value}; it ${error.message}`;
    default:
      return `${path} is ${value}; it ${error.message}`;
  }
}

/** The same schema, closed: a field that it does not name is misspelt. */
function closed(schema: PolicyConfigJSONSchema): object {
  const { properties, items } = schema;
  return {
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, entry]) => [name, closed(entry as PolicyConfigJSONSchema)]),
      ),
      additionalProperties: schema.additionalProperties ?? false,
    }),
    ...(isMap(items) && { items: closed(items) }),
  };
}

// `strict`: an unknown keyword is a mistake in a rule, not a field that passes unchecked.
const validator = new Ajv({
  allErrors: true,
  strict: true,
  strictRequired: false,
  verbose: true,
  allowUnionTypes: true,
});
const validators = new WeakMap<Rule, ValidateFunction>();

function validatorOf(rule: Rule): ValidateFunction {
  const known = validators.get(rule);
  if (known) return known;
  const compiled = validator.compile(closed({ type: "object", ...schemaOf(rule) }));
  validators.set(rule, compiled);
  return compiled;
}

/**
 * Reads the configuration of a rule and fills in its defaults.
 *
 * @throws PackError when something is missing, unknown or of the wrong type
 */
export function readConfig(rule: Rule, raw: Record<string, unknown>): { config: unknown; waivers: Waiver[] } {
  const schema = schemaOf(rule);
  const { enforcementLevel, ...given } = raw;
  void enforcementLevel;
  const validate = validatorOf(rule);
  const problems = validate(given)
    ? []
    : (validate.errors ?? []).map((error) => objectionOf(rule.name, error));
  if (problems.length > 0) {
    throw new PackError(
      `the policy pack's configuration is invalid: ${problems.join("; ")}. Set it in the file given with --policy-pack-config`,
    );
  }
  const defaults = Object.entries(schema.properties).flatMap(([name, property]) =>
    property.default === undefined ? [] : [[name, property.default] as const],
  );
  const { waivers = [], ...config } = { ...Object.fromEntries(defaults), ...given } as Record<
    string,
    unknown
  >;
  return { config, waivers: waivers as Waiver[] };
}

/**
 * Checks what no single rule sees: names of rules that do not exist, and rules that are switched off or
 * lowered. A waiver is the way to let one resource pass; it ends.
 *
 * @throws PackError
 */
export function checkPackConfig(rules: readonly Rule[], config: unknown): asserts config is PackConfig {
  if (!isMap(config))
    throw new PackError("the policy pack's configuration is not a map from rules to their fields");
  const problems = Object.entries(config).flatMap(([name, entry]) => {
    const rule = rules.find((candidate) => candidate.name === name);
    if (!rule) return [`there is no rule ${name}`];
    if (!isMap(entry)) return [`${name} is ${JSON.stringify(entry)}, not a map of its fields`];
    const level = entry.enforcementLevel;
    return level === undefined || level === "mandatory" || level === rule.level
      ? []
      : [`${name}.enforcementLevel is ${JSON.stringify(level)}; write a waiver instead`];
  });
  if (problems.length > 0)
    throw new PackError(`the policy pack's configuration is invalid: ${problems.join("; ")}`);
}
