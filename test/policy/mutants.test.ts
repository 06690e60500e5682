import assert from "node:assert/strict";
import { mutantsElsewhere, mutantsInPlace } from "./mutants.ts";
import { newViolations } from "./new-violations.ts";
import { stackOf } from "./stacks.ts";

describe("weakening mutants", () => {
  for (const name of ["dev", "prod"] as const) {
    it(`of ${name} are all caught, each with a way out`, async function () {
      this.timeout(600_000);
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
          // What is declared and what is not does not count: a field weakened must be seen for what it is. Nor does it
          // count that the server then has other settings than those that are tried, unless it is those that changed.
          !violations.some(
            ({ rule }) =>
              rule.level === "mandatory" &&
              !rule.name.startsWith("declared-") &&
              !(rule.name === "settings-tried" && !mutant.name.includes("/postgres-settings")),
          ) ||
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
});
