import assert from "node:assert/strict";
import { faults, KINDS } from "../../cluster/faults/faults.ts";
import { chosen } from "../../sample.ts";

describe("the faults that npm test runs", () => {
  it("are of each kind, whatever the day, and over some days all of them", () => {
    const done = new Set<string>();
    for (let day = 1; day <= 60; day++) {
      const taken = KINDS.map(({ name, faults, usual }) => chosen(`faults: ${name}`, faults, usual, day));
      assert.ok(taken.every((ofKind) => ofKind.length > 0));
      for (const { name } of taken.flat()) done.add(name);
    }
    // Except the comparison with nothing, which npm run test:faults makes.
    assert.equal(done.size, faults.length - 1);
  });
});
