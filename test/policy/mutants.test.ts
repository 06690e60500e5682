import assert from "node:assert/strict";
import { messageOf, type Violation } from "../../policy/judgement.ts";
import type { Resource } from "../../policy/resources.ts";
import { additions } from "./additions.ts";
import { HARMLESS } from "./harmless.ts";
import { type Mutant, mutantsElsewhere, mutantsInPlace, pointersIn } from "./mutants.ts";
import {
  allViolationsOf,
  changed,
  copyOf,
  type Judged,
  setAt,
  stackOf,
  triedAlike,
  violationsOf,
} from "./stacks.ts";
import { UNKNOWN } from "../../policy/values.ts";
import { sampled, shareOf } from "../sample.ts";
import { configOf, pairs, type Variation, VARIATIONS } from "./variations.ts";

const keyOf = (violation: Violation) => `${violation.rule.name} ${messageOf(violation)}`;

/** The stack that the last mutant was made from; the next is often made from the same. */
let last: { before: readonly Resource[]; known: Set<string> } | undefined;

/** Violations of a mutant that the stack it was made from does not have. */
function newViolations(stack: Judged, { before, after }: Pick<Mutant, "before" | "after">): Violation[] {
  const { config } = stack;
  if (last?.before !== before) {
    last = { before, known: new Set(allViolationsOf({ resources: before, config }).map(keyOf)) };
  }
  const { known } = last;
  return allViolationsOf({ resources: after, config }).filter((violation) => !known.has(keyOf(violation)));
}

/** A stack with variations, and with the configuration that they take. */
function varied(stack: Judged, variations: readonly Variation[]): Judged {
  const { resources } = changed(stack, ...variations.map(({ change }) => change), triedAlike);
  return { ...stack, resources, config: configOf(stack.config, variations) };
}

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
