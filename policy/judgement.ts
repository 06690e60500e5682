/** Applying rules, with their configuration and their waivers. The engine's pack and `npm run policy` both end here. */
import { type PackConfig, PackError, readConfig } from "./configuration.ts";
import { type Resource, STACK_TYPE } from "./resources.ts";
import type { Finding, Rule } from "./rule.ts";
import { unwaived, waiverFindings } from "./waivers.ts";

/** Today, as waivers write days. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}

/**
 * A rule's findings about a resource. The stack itself, the first resource, also gets those about the rule's waivers.
 *
 * @throws PackError when the rule's configuration cannot be used
 */
export function judgeResource(
  rule: Rule,
  resource: Resource,
  raw: Record<string, unknown>,
  day: string,
): Finding[] {
  const { config, waivers } = readConfig(rule, raw);
  const aboutWaivers = resource.type === STACK_TYPE ? waiverFindings(rule.name, waivers, day) : [];
  const found = "checkResource" in rule ? rule.checkResource(resource, config) : [];
  return [...aboutWaivers, ...unwaived(rule.name, found, waivers, day)];
}

/**
 * A rule's findings about a whole stack.
 *
 * @throws PackError when the rule's configuration cannot be used
 */
export function judgeStack(
  rule: Rule,
  stack: readonly Resource[],
  raw: Record<string, unknown>,
  day: string,
): Finding[] {
  const { config, waivers } = readConfig(rule, raw);
  if (!("checkStack" in rule)) return [];
  return [
    ...waiverFindings(rule.name, waivers, day),
    ...unwaived(rule.name, rule.checkStack(stack, config), waivers, day),
  ];
}

/** A finding with the rule it breaks. */
export interface Violation extends Finding {
  rule: Rule;
}

/** All rules' findings about one resource. */
export function judgeOne(
  rules: readonly Rule[],
  resource: Resource,
  config: PackConfig,
  day: string,
): Violation[] {
  return rules
    .filter((rule) => "checkResource" in rule)
    .flatMap((rule) =>
      judgeResource(rule, resource, config[rule.name] ?? {}, day).map((finding) => ({ ...finding, rule })),
    );
}

/** The stack rules' findings about one stack. */
export function judgeWhole(
  rules: readonly Rule[],
  stack: readonly Resource[],
  config: PackConfig,
  day: string,
): Violation[] {
  return rules
    .filter((rule) => "checkStack" in rule)
    .flatMap((rule) =>
      judgeStack(rule, stack, config[rule.name] ?? {}, day).map((finding) => ({ ...finding, rule })),
    );
}

/**
 * Judges a stack by all rules.
 *
 * @throws PackError when there is nothing to judge, or a rule's configuration cannot be used
 */
export function judge(
  rules: readonly Rule[],
  stack: readonly Resource[],
  config: PackConfig,
  day: string,
): Violation[] {
  if (stack.length === 0) throw new PackError("there are no resources to judge");
  return [
    ...stack.flatMap((resource) => judgeOne(rules, resource, config, day)),
    ...judgeWhole(rules, stack, config, day),
  ];
}

/** A finding as one message: what, why, and what to write instead. */
export function messageOf({ subject, why, remedy }: Finding): string {
  return `${subject}: ${why}.\nInstead: ${remedy}.`;
}
