import assert from "node:assert/strict";
import { messageOf } from "../../policy/judgement.ts";
import { UNKNOWN } from "../../policy/values.ts";
import { sampled, shareOf } from "../sample.ts";
import { pointersIn } from "./mutants.ts";
import { keyOf } from "./new-violations.ts";
import { changed, copyOf, type Judged, setAt, stackOf, triedAlike, violationsOf } from "./stacks.ts";
import { configOf, pairs, type Variation, VARIATIONS } from "./variations.ts";

/** A stack with variations, and with the configuration that they take. */
function varied(stack: Judged, variations: readonly Variation[]): Judged {
  const { resources } = changed(stack, ...variations.map(({ change }) => change), triedAlike);
  return { ...stack, resources, config: configOf(stack.config, variations) };
}

describe("what is not known before the deployment", () => {
  it("is never taken for missing, and stops no rule", async function () {
    this.timeout(600_000);
    const mistaken: string[] = [];
    let count = 0;
    const stack = await stackOf("prod");
    const variations = sampled("variations with unknown fields", VARIATIONS, 12);
    const stacks = [stack, ...variations.map((variation) => varied(stack, [variation]))];
    const seen = new Set<string>();
    for (const { resources, config } of stacks) {
      for (const resource of resources) {
        // What a variation leaves unchanged has been checked.
        const text = `${resource.urn} ${JSON.stringify(resource.inputs)}`;
        if (seen.has(text)) continue;
        seen.add(text);
        for (const { pointer } of pointersIn(resource.inputs)) {
          count++;
          const hidden = copyOf(resource);
          setAt(hidden.inputs, pointer, UNKNOWN);
          const after = resources.map((other) => (other === resource ? hidden : other));
          for (const violation of violationsOf({ resources: after, config })) {
            const message = messageOf(violation);
            if (!/not known|can(not)? be seen/.test(message))
              mistaken.push(`${resource.name} ${pointer}: ${violation.rule.name}: ${message.split("\n")[0]}`);
          }
        }
      }
    }
    console.log(
      `      ${count} fields not known, one by one: ${mistaken.length} misunderstood; variations: ${shareOf(variations, VARIATIONS)}`,
    );
    assert.deepEqual(mistaken, []);
  });
});

describe("valid variations", () => {
  it("raise no false alarm", async function () {
    this.timeout(600_000);
    const alarms: string[] = [];
    let count = 0;
    const every = pairs(VARIATIONS, 500);
    const together = sampled("pairs of variations", every, 50);
    for (const name of ["dev", "prod"] as const) {
      const stack = await stackOf(name);
      const alone = VARIATIONS.map((variation) => [variation]);
      for (const variations of [...alone, ...together]) {
        const stackVaried = varied(stack, variations);
        // Two that add one object are not a stack: the engine takes no URN twice.
        if (new Set(stackVaried.resources.map(({ urn }) => urn)).size < stackVaried.resources.length)
          continue;
        count++;
        const violations = violationsOf(stackVaried);
        if (violations.length > 0) {
          alarms.push(
            `${name}, ${variations.map(({ name }) => name).join(" and ")}: ${violations.map(keyOf).join(" | ")}`,
          );
        }
      }
    }
    console.log(
      `      ${count} valid variations, ${alarms.length} false alarms; pairs: ${shareOf(together, every)}`,
    );
    assert.deepEqual(alarms, []);
    assert.ok(count >= 100, `${count} variations`);
  });
});
