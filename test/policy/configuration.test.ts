import assert from "node:assert/strict";
import type { PolicyConfigJSONSchema } from "@pulumi/policy/schema.js";
import { PackError, readConfig } from "../../policy/configuration.ts";
import { resourceRule } from "../../policy/rule.ts";

/** A rule with one field of a schema. */
function ruleWith(schema: object) {
  return resourceRule({
    name: "invented",
    asks: "nothing",
    description: "Nothing happens to anybody",
    level: "mandatory",
    schema: { properties: { field: { description: "A field", ...(schema as PolicyConfigJSONSchema) } } },
    check: () => [],
  });
}

const said = (schema: object, value: unknown): string => {
  try {
    readConfig(ruleWith(schema), { field: value });
    return "";
  } catch (error) {
    if (error instanceof PackError) return error.message;
    throw error;
  }
};

describe("the configuration of the pack", () => {
  const cases: [keyword: string, schema: object, right: unknown, wrong: unknown, says: RegExp][] = [
    ["type", { type: "integer" }, 3, "three", /invented\.field is "three", not integer/],
    ["minimum", { type: "number", minimum: 1 }, 1, 0, /invented\.field is 0; it must be >= 1/],
    ["maximum", { type: "number", maximum: 5 }, 5, 6, /invented\.field is 6; it must be <= 5/],
    [
      "exclusiveMaximum",
      { type: "number", exclusiveMaximum: 5 },
      4,
      5,
      /invented\.field is 5; it must be < 5/,
    ],
    ["multipleOf", { type: "number", multipleOf: 4 }, 8, 9, /invented\.field is 9; it must be multiple of 4/],
    ["enum", { type: "string", enum: ["a", "b"] }, "a", "c", /invented\.field is "c", not one of a, b/],
    ["const", { const: "a" }, "a", "b", /invented\.field is "b"; it must be equal to constant/],
    [
      "pattern",
      { type: "string", pattern: "^a+$" },
      "aa",
      "ab",
      /invented\.field is "ab"; it must match pattern/,
    ],
    ["minLength", { type: "string", minLength: 1 }, "a", "", /invented\.field is empty/],
    ["maxLength", { type: "string", maxLength: 2 }, "ab", "abc", /must NOT have more than 2 characters/],
    ["minItems", { type: "array", minItems: 1 }, [1], [], /must NOT have fewer than 1 items/],
    ["uniqueItems", { type: "array", uniqueItems: true }, [1, 2], [1, 1], /must NOT have duplicate items/],
    [
      "items",
      { type: "array", items: { type: "string" } },
      ["a"],
      ["a", 1],
      /invented\.field\[1\] is 1, not string/,
    ],
    [
      "oneOf",
      { oneOf: [{ type: "string" }, { type: "number" }] },
      1,
      true,
      /must match exactly one schema in oneOf/,
    ],
    ["anyOf", { anyOf: [{ type: "string" }, { type: "number" }] }, "a", [], /must match a schema in anyOf/],
    ["not", { not: { type: "string" } }, 1, "a", /must NOT be valid/],
    [
      "properties",
      { type: "object", properties: { name: { type: "string" } } },
      { name: "a" },
      { nmae: "a" },
      /invented\.field\.nmae is unknown; known fields: name/,
    ],
    [
      "required",
      { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
      { name: "a" },
      {},
      /invented\.field\.name is missing/,
    ],
    [
      "additionalProperties",
      { type: "object", additionalProperties: { type: "string" } },
      { any: "a" },
      { any: 1 },
      /invented\.field\.any is 1, not string/,
    ],
  ];
  for (const [keyword, schema, right, wrong, says] of cases) {
    it(`is checked for ${keyword}`, () => {
      assert.equal(said(schema, right), "");
      assert.match(said(schema, wrong), says);
    });
  }

  it("does not pass a keyword that nobody checks", () => {
    assert.throws(() => said({ type: "number", maxmium: 5 }, 6), /unknown keyword.*maxmium/);
  });
});
