/** The configuration of a rule: read strictly, because a rule without its configuration would pass by accident. */
import type { PolicyConfigJSONSchema } from "@pulumi/policy/schema.js";
import type { ConfigSchema, Rule } from "./rule.ts";
import { isMap } from "./values.ts";
import { type Waiver, WAIVERS_SCHEMA } from "./waivers.ts";

/** Configuration of all rules, by name, as --policy-pack-config takes it. */
export type PackConfig = Record<string, Record<string, unknown>>;

/** What is wrong with the pack or its configuration. It stops a deployment: nothing has been judged. */
export class PackError extends Error {}

/** A rule's schema with the field that every rule has. */
export function schemaOf(rule: Rule): ConfigSchema {
  return {
    properties: { ...rule.schema?.properties, waivers: WAIVERS_SCHEMA },
    ...(rule.schema?.required && { required: rule.schema.required }),
  };
}

function objections(path: string, value: unknown, schema: PolicyConfigJSONSchema): string[] {
  const types = schema.type === undefined ? [] : [schema.type].flat();
  const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  const fits = types.some((wanted) => wanted === type || (wanted === "integer" && Number.isInteger(value)));
  if (types.length > 0 && !fits) return [`${path} is ${JSON.stringify(value)}, not ${types.join(" or ")}`];
  if (schema.enum && !schema.enum.includes(value as string)) {
    return [`${path} is ${JSON.stringify(value)}, not one of ${schema.enum.map(String).join(", ")}`];
  }
  if (typeof value === "string" && schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) {
    return [`${path} is "${value}", which does not match ${schema.pattern}`];
  }
  if (typeof value === "string" && value.length < (schema.minLength ?? 0)) return [`${path} is empty`];
  if (typeof value === "number" && value < (schema.minimum ?? -Infinity)) {
    return [`${path} is ${value}, below ${schema.minimum}`];
  }
  const { items, properties, required } = schema;
  if (Array.isArray(value) && isMap(items)) {
    return value.flatMap((entry, index) =>
      objections(`${path}[${index}]`, entry, items as PolicyConfigJSONSchema),
    );
  }
  if (isMap(value) && properties) {
    return mapObjections(path, value, properties as ConfigSchema["properties"], required ?? []);
  }
  return [];
}

function mapObjections(
  path: string,
  value: Record<string, unknown>,
  properties: Record<string, PolicyConfigJSONSchema>,
  required: readonly string[],
): string[] {
  return [
    ...required.filter((name) => value[name] === undefined).map((name) => `${path}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, entry]) => {
      const schema = properties[name];
      return schema
        ? objections(`${path}.${name}`, entry, schema)
        : [`${path}.${name} is unknown; there are ${Object.keys(properties).join(", ")}`];
    }),
  ];
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
  const problems = mapObjections(rule.name, given, schema.properties, schema.required ?? []);
  if (problems.length > 0) {
    throw new PackError(
      `the configuration of the policy pack cannot be used: ${problems.join("; ")}. Set it in the file given with --policy-pack-config`,
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
 * Checks what no single rule sees: names of rules that do not exist, and rules that are switched off or turned
 * down. A waiver is the way to let one resource pass; it ends.
 *
 * @throws PackError
 */
export function checkPackConfig(rules: readonly Rule[], config: unknown): asserts config is PackConfig {
  if (!isMap(config))
    throw new PackError("the configuration of the policy pack is not a map from rules to their fields");
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
    throw new PackError(`the configuration of the policy pack: ${problems.join("; ")}`);
}
