import assert from "node:assert/strict";
import { additions } from "./additions.ts";
import { HARMLESS } from "./harmless.ts";
import { pointersIn } from "./mutants.ts";
import { newViolations } from "./new-violations.ts";
import { copyOf, setAt, stackOf } from "./stacks.ts";

describe("changes in every place", () => {
  for (const name of ["dev", "prod"] as const) {
    it(`add something undeclared to ${name} in every place: all are caught, each with a way out`, async function () {
      this.timeout(600_000);
      const stack = await stackOf(name);
      const survivors: string[] = [];
      const caughtBy = new Map<string, number>();
      let count = 0;
      for (const mutant of additions(stack.resources)) {
        count++;
        const violations = newViolations(stack, mutant).filter(({ rule }) => rule.level === "mandatory");
        for (const rule of new Set(violations.map(({ rule }) => rule.name)))
          caughtBy.set(rule, (caughtBy.get(rule) ?? 0) + 1);
        if (violations.length === 0 || violations.some(({ remedy }) => remedy === ""))
          survivors.push(mutant.name);
      }
      console.log(
        `      ${name}: ${count} additions of unknown things, ${count - survivors.length} caught, by ${caughtBy.size} rules`,
      );
      assert.deepEqual(survivors, []);
      assert.ok(count >= 1000, `${count} additions`);
    });
  }

  it("leave out any field of the real resources: it is caught, or known to be harmless", async function () {
    this.timeout(600_000);
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
