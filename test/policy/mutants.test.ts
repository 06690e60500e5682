import assert from "node:assert/strict";
import { messageOf, type Violation } from "../../policy/judgement.ts";
import type { Resource } from "../../policy/resources.ts";
import { HARMLESS } from "./harmless.ts";
import { type Mutant, mutantsElsewhere, mutantsInPlace, pointersIn } from "./mutants.ts";
import { allViolationsOf, changed, copyOf, type Judged, setAt, stackOf, violationsOf } from "./stacks.ts";
import { pairs, VARIATIONS } from "./variations.ts";

const keyOf = (violation: Violation) => `${violation.rule.name} ${messageOf(violation)}`;

/** The stack that the last mutant was made from; the next is often made from the same. */
let last: { before: readonly Resource[]; known: Set<string> } | undefined;

/** What a mutant is told that the stack it was made from is not. */
function newViolations(stack: Judged, { before, after }: Pick<Mutant, "before" | "after">): Violation[] {
  const { config } = stack;
  if (last?.before !== before) {
    last = { before, known: new Set(allViolationsOf({ resources: before, config }).map(keyOf)) };
  }
  const { known } = last;
  return allViolationsOf({ resources: after, config }).filter((violation) => !known.has(keyOf(violation)));
}

describe("weakening mutants", () => {
  for (const name of ["dev", "prod"] as const) {
    it(`of ${name} are all caught, each with a way out`, async function () {
      this.timeout(180_000);
      const stack = await stackOf(name);
      const survivors: string[] = [];
      const rules = new Set<string>();
      let count = 0;
      // What a kind is wrapped in does not depend on the stack: once is enough.
      const everywhere = name === "prod";
      for (const mutant of [
        ...mutantsInPlace(stack.resources, { patchesAndLists: everywhere }),
        ...(everywhere ? mutantsElsewhere(stack.resources) : []),
      ]) {
        count++;
        const violations = newViolations(stack, mutant);
        for (const { rule } of violations) rules.add(rule.name);
        if (
          !violations.some(({ rule }) => rule.level === "mandatory") ||
          violations.some(({ remedy }) => remedy === "")
        )
          survivors.push(mutant.name);
      }
      console.log(
        `      ${name}: ${count} weakening mutants, ${count - survivors.length} caught, by ${rules.size} rules`,
      );
      assert.deepEqual(survivors, []);
      assert.ok(count >= 100, `${count} mutants`);
    });
  }

  it("leave out any field of the real resources: it is caught, or known to be harmless", async function () {
    this.timeout(180_000);
    const stack = await stackOf("prod");
    const surprises: string[] = [];
    let count = 0;
    let caught = 0;
    for (const resource of stack.resources) {
      const { type, name, inputs } = resource;
      for (const { pointer } of pointersIn(inputs)) {
        count++;
        const weakened = copyOf(resource);
        setAt(weakened.inputs, pointer, undefined);
        const after = stack.resources.map((other) => (other === resource ? weakened : other));
        if (newViolations(stack, { before: stack.resources, after }).length > 0) {
          caught++;
          continue;
        }
        const field = `${type.split(":").at(-1)} ${pointer}`;
        if (!HARMLESS.some(({ pattern }) => pattern.test(field))) surprises.push(`${name}: ${field}`);
      }
    }
    console.log(`      ${count} fields left out one by one: ${caught} caught, ${count - caught} harmless`);
    assert.deepEqual(surprises, []);
  });
});

describe("valid variations", () => {
  it("raise no false alarm", async function () {
    this.timeout(180_000);
    const alarms: string[] = [];
    let count = 0;
    for (const name of ["dev", "prod"] as const) {
      const stack = await stackOf(name);
      const alone = VARIATIONS.map((variation) => [variation]);
      for (const variations of [...alone, ...pairs(VARIATIONS, 60)]) {
        count++;
        const varied = changed(stack, ...variations.map(({ change }) => change));
        const config = Object.assign(
          {},
          stack.config,
          ...variations.map((variation) => variation.config ?? {}),
        ) as Judged["config"];
        const violations = violationsOf({ ...varied, config });
        if (violations.length > 0) {
          alarms.push(
            `${name}, ${variations.map(({ name }) => name).join(" and ")}: ${violations.map(keyOf).join(" | ")}`,
          );
        }
      }
    }
    console.log(`      ${count} valid variations, ${alarms.length} false alarms`);
    assert.deepEqual(alarms, []);
    assert.ok(count >= 100, `${count} variations`);
  });
});
