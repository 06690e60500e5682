import assert from "node:assert/strict";
import { alertsFor } from "../../components/monitoring/alerts.ts";
import { RULES } from "../../components/monitoring/rules.ts";
import { ALERTS } from "../../policy/declarations.ts";

describe("the alerts that a stack must have", () => {
  it("are those of the program, each one", () => {
    assert.deepEqual(
      [...ALERTS].sort(),
      alertsFor(RULES, "")
        .map(({ name }) => name)
        .sort(),
    );
  });
});
