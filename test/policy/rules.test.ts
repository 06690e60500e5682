import assert from "node:assert/strict";
import { rules } from "../../policy/rules/index.ts";
import { messageOf } from "../../policy/judgement.ts";
import { breaks, brokenBy } from "./breaks.ts";
import { allViolationsOf, type Judged, type Name, stackOf, violationsOf } from "./stacks.ts";

describe("the rules", function () {
  this.timeout(60_000);
  const stacks: Partial<Record<Name, Judged>> = {};
  before(async () => {
    stacks.dev = await stackOf("dev");
    stacks.prod = await stackOf("prod");
  });
  const stack = (name: Name) => stacks[name] as Judged;

  for (const name of ["dev", "prod"] as const) {
    it(`let ${name} pass as it is committed`, () => {
      assert.deepEqual(violationsOf(stack(name)).map(messageOf), []);
    });
  }

  it("have a name of their own, and say what happens to whoever breaks them", () => {
    assert.equal(new Set(rules.map(({ name }) => name)).size, rules.length);
    for (const { name, description } of rules) {
      assert.match(name, /^[a-z]+(-[a-z]+)*$/);
      assert.match(description, /^Who /, name);
    }
  });

  it("each have at least one way to break them here, unless they only advise", () => {
    const mandatory = rules.filter(({ level }) => level === "mandatory").map(({ name }) => name);
    assert.deepEqual(Object.keys(breaks).sort(), mandatory.sort());
  });

  for (const [rule, ways] of Object.entries(breaks)) {
    describe(rule, () => {
      for (const way of ways) {
        const { by, message } = way;
        it(`is broken by ${by}`, () => {
          const violations = violationsOf(brokenBy(way, stack(way.stack ?? "prod"))).filter(
            (violation) => violation.rule.name === rule,
          );
          assert.notDeepEqual(violations, [], "no violation");
          const texts = violations.map(messageOf);
          assert.ok(
            texts.some((text) => message.test(text)),
            `${String(message)} is not said in: ${texts.join(" | ")}`,
          );
          for (const text of texts) assert.match(text, /\nInstead: .{4,}\.$/s);
        });
      }
    });
  }
});

describe("postgres-doubtful", function () {
  this.timeout(60_000);
  it("says the numbers, and stops nothing", async () => {
    const said = allViolationsOf(await stackOf("prod"));
    assert.deepEqual([...new Set(said.map(({ rule }) => rule.name))], ["postgres-doubtful"]);
    assert.match(
      said.map(messageOf).join("\n"),
      /it can ask for 90\.5 GiB[^]*it requests 20 GiB of memory, below shared_buffers, 32 GiB/,
    );
    assert.ok(said.every(({ rule }) => rule.level === "advisory"));
  });
});
