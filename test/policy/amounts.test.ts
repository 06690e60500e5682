import assert from "node:assert/strict";
import { amountOf, isInRange, range, rangeText, type Unit } from "../../policy/amounts.ts";

describe("amounts of PostgreSQL's settings", () => {
  // By the rules of https://www.postgresql.org/docs/16/config-setting.html, before the server rounds.
  const read: [string, Unit, number][] = [
    ["900", "s", 900],
    ["15min", "s", 900],
    ["0.25 h", "s", 900],
    ["1d", "s", 86_400],
    ["500us", "ms", 0.5],
    ["1GB", "MB", 1024],
    ["1TB", "kB", 2 ** 30],
    ["16MB", "8kB", 2048],
    ["64kB", "B", 65_536],
    ["-1", "MB", -1],
    ["0x400", "MB", 1024],
    ["0200", "", 128],
    ["2e9", "", 2e9],
    [".5", "", 0.5],
    ["  7  ", "", 7],
  ];
  for (const [written, unit, amount] of read) {
    it(`"${written}" of ${unit || "a number"} is ${amount}`, () => {
      assert.equal(amountOf(written, unit), amount);
    });
  }

  it("are not read with a unit of another sort, in other letters, or without a number", () => {
    const wrong: [string, Unit][] = [
      ["1min", "MB"],
      ["1GB", "s"],
      ["1gb", "MB"],
      ["1M", "MB"],
      ["8kB", ""],
      ["ten", ""],
      ["", ""],
      ["1 2", ""],
      ["1 8kB", "8kB"],
    ];
    for (const [written, unit] of wrong) assert.equal(amountOf(written, unit), undefined, written);
  });

  it("are in a range up to its ends, and with its extra values", () => {
    const hour = range("s", "30s", "1h", -1);
    for (const inside of ["30", "1h", "60min", "-1"]) assert.ok(isInRange(inside, hour), inside);
    for (const outside of ["29", "3601", "1d", "-2", "soon", "1MB"])
      assert.ok(!isInRange(outside, hour), outside);
    assert.equal(rangeText(hour), "30 to 3600 x s, or -1");
  });
});
