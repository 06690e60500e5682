/** What the pack says of a mutant, and not of the stack that it was made from. */
import { messageOf, type Violation } from "../../policy/judgement.ts";
import type { Resource } from "../../policy/resources.ts";
import type { Mutant } from "./mutants.ts";
import { allViolationsOf, type Judged } from "./stacks.ts";

/** What tells two violations apart. */
export const keyOf = (violation: Violation) => `${violation.rule.name} ${messageOf(violation)}`;

/** The stack that the last mutant was made from; the next is often made from the same. */
let last: { before: readonly Resource[]; known: Set<string> } | undefined;

/** Violations of a mutant that the stack it was made from does not have. */
export function newViolations(
  stack: Judged,
  { before, after }: Pick<Mutant, "before" | "after">,
): Violation[] {
  const { config } = stack;
  if (last?.before !== before) {
    last = { before, known: new Set(allViolationsOf({ resources: before, config }).map(keyOf)) };
  }
  const { known } = last;
  return allViolationsOf({ resources: after, config }).filter((violation) => !known.has(keyOf(violation)));
}
