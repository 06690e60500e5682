/** Resource options for optional hooks. */
import type * as pulumi from "@pulumi/pulumi";

/**
 * Resource options for optional hooks: a program that is only evaluated has none, and a preview only some.
 */
export function hooked(
  hooks: Partial<
    Record<"beforeCreate" | "afterCreate" | "beforeUpdate" | "afterUpdate", pulumi.ResourceHook | undefined>
  >,
): pulumi.CustomResourceOptions {
  const bound = Object.entries(hooks).flatMap(([when, hook]) => (hook ? [[when, [hook]] as const] : []));
  return bound.length === 0 ? {} : { hooks: Object.fromEntries(bound) };
}
