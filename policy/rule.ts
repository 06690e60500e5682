/** What a rule is. */
import type { PolicyConfigJSONSchema } from "@pulumi/policy/schema.js";
import { type Container, type Pod, podsOf } from "./pods.ts";
import { type KubernetesObject, objectsOf, type Resource } from "./resources.ts";

/** One thing that breaks a rule. */
export interface Finding {
  /** `<kind>/<name>` of what breaks it, as waivers name it; `stack` for the whole. */
  subject: string;
  /** What is wrong, with the field and its value, and what that leads to. */
  why: string;
  /** What to write instead. */
  remedy: string;
  urn?: string;
}

/** The configuration that a rule takes. */
export interface ConfigSchema {
  properties: Record<string, PolicyConfigJSONSchema & { description: string }>;
  required?: string[];
}

interface RuleFacts {
  /** Name in the configuration and in waivers. */
  name: string;
  /** What it asks, in a few words: the table in docs/policies.md. */
  asks: string;
  /** What breaking it leads to. */
  description: string;
  /** `mandatory`: nothing is deployed. `advisory`: it is reported and deployed. */
  level: "mandatory" | "advisory";
  schema?: ConfigSchema;
}

/** A rule about each resource on its own; it also stops an update in the middle. */
export interface ResourceRule extends RuleFacts {
  checkResource: (resource: Resource, config: unknown) => Finding[];
}

/** A rule about all resources together. */
export interface StackRule extends RuleFacts {
  checkStack: (stack: readonly Resource[], config: unknown) => Finding[];
}

export type Rule = ResourceRule | StackRule;

/** A rule with the type of its configuration, which the pack reads and checks before it calls the rule. */
type Defined<Config, Check extends string, Target> = RuleFacts & {
  [name in Check]: (target: Target, config: Config) => Finding[];
};

/** A rule about resources of any provider. */
export function resourceRule<Config>(rule: Defined<Config, "check", Resource>): ResourceRule {
  const { check, ...facts } = rule;
  return {
    ...facts,
    checkResource: (resource, config) => located(check(resource, config as Config), resource),
  };
}

/** A rule about Kubernetes objects. */
export function objectRule<Config>(rule: Defined<Config, "check", KubernetesObject>): ResourceRule {
  const { check, ...facts } = rule;
  return {
    ...facts,
    checkResource: (resource, config) =>
      located(
        objectsOf(resource).flatMap((object) => check(object, config as Config)),
        resource,
      ),
  };
}

/** A rule about pods of any kind of object. */
export function podRule<Config>(rule: Defined<Config, "check", Pod>): ResourceRule {
  const { check, ...facts } = rule;
  return objectRule<Config>({
    ...facts,
    check: (object, config) => podsOf(object).flatMap((pod) => check(pod, config)),
  });
}

/** A rule about the whole stack. */
export function stackRule<Config>(rule: Defined<Config, "check", readonly Resource[]>): StackRule {
  const { check, ...facts } = rule;
  return { ...facts, checkStack: (stack, config) => check(stack, config as Config) };
}

function located(findings: Finding[], { urn }: Resource): Finding[] {
  return findings.map((finding) => ({ ...finding, urn }));
}

/** A container, for messages. */
export function containerText(container: Container): string {
  return `${container.sort === "main" ? "" : `${container.sort} `}container ${container.name}`;
}
