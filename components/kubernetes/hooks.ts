/** Resource options for hooks that may be missing. */
import type * as pulumi from "@pulumi/pulumi";

/**
 * Resource options for hooks, any of which may be missing: where the program is only evaluated, and some of them in
 * a preview, there are none.
 */
export function hooked(
  hooks: Partial<Record<"beforeCreate" | "beforeUpdate" | "afterUpdate", pulumi.ResourceHook | undefined>>,
): pulumi.CustomResourceOptions {
  const bound = Object.entries(hooks).flatMap(([when, hook]) => (hook ? [[when, [hook]] as const] : []));
  return bound.length === 0 ? {} : { hooks: Object.fromEntries(bound) };
}
