/** The frame of test/cluster/attacks, and its lists: neither a typo nor an attack that works passes for a defence. */
import assert from "node:assert/strict";
import { type Attempt, type Outcome, prove } from "../../cluster/attacks/attempt.ts";
import { ATTACKERS, SLOW_ATTACKERS } from "../../cluster/attacks/attackers/index.ts";
import { canary, formsIn, formsOf } from "../../cluster/canary.ts";

const succeeds = (): Promise<Outcome> => Promise.resolve({ succeeded: true, words: "done" });
const fails = (words: string) => (): Promise<Outcome> => Promise.resolve({ succeeded: false, words });
const attempt = (parts: Partial<Attempt<undefined>>): Attempt<undefined> => ({
  tries: "tries",
  attack: fails("permission denied"),
  refused: /^permission denied$/,
  control: succeeds,
  ...parts,
});

describe("an attack", () => {
  it("is proved where it is refused as expected, and the control succeeds", () =>
    prove(attempt({}), undefined));

  it("that succeeds is a failure", () =>
    assert.rejects(prove(attempt({ attack: succeeds }), undefined), /the attack SUCCEEDED: done/));

  it("whose control does not succeed proves nothing", () =>
    assert.rejects(
      prove(attempt({ control: fails("no such command") }), undefined),
      /the control failed.*no such command/,
    ));

  it("that fails for another reason proves nothing", () =>
    assert.rejects(
      prove(attempt({ attack: fails("syntax error") }), undefined),
      /failed for another reason than the one expected/,
    ));

  it("is not tried where the control fails", async () => {
    let tried = false;
    const attack = () => {
      tried = true;
      return succeeds();
    };
    await assert.rejects(prove(attempt({ attack, control: fails("no") }), undefined));
    assert.ok(!tried);
  });
});

describe("the attackers", () => {
  const all = [...ATTACKERS, ...SLOW_ATTACKERS];

  it("try more than 60 things, each under its own name", () => {
    const titles = all.flatMap(({ who, attempts }) => attempts.map(({ tries }) => `${who}: ${tries}`));
    assert.ok(titles.length > 60, String(titles.length));
    assert.deepEqual(
      titles.filter((title, index) => titles.indexOf(title) !== index),
      [],
    );
  });

  it("are not refused by whatever is answered", () => {
    for (const { who, attempts } of all)
      for (const { tries, refused } of attempts)
        for (const words of [
          "psql: error: syntax error at or near",
          "bash: line 1: mine: command not found",
          "error: unknown flag",
        ])
          assert.doesNotMatch(words, refused, `${who}: ${tries}`);
  });
});

describe("a canary", () => {
  const value = canary();
  const written = (text: string) => formsIn(Buffer.from(text), value);

  it("is found raw, in base64 at every offset and twice, URL-encoded, in JSON and as hex digits", () => {
    assert.deepEqual(written(`a ${value} b`), ["raw"]);
    for (const before of ["", "x", "xy", "xyz"]) {
      const base64 = Buffer.from(`${before}${value} after`).toString("base64");
      assert.ok(written(base64).includes("base64"), base64);
      for (const outer of ["", "1", "12"])
        assert.ok(written(Buffer.from(outer + base64).toString("base64")).includes("base64 twice"), base64);
      assert.ok(written(Buffer.from(`${before}${value}`).toString("base64url")).length > 0);
    }
    assert.deepEqual(written(encodeURIComponent(value)), ["URL-encoded"]);
    assert.deepEqual(written(Buffer.from(value).toString("hex")), ["hex"]);
    assert.deepEqual(written(Buffer.from(value).toString("hex").toUpperCase()), ["upper-case hex"]);
    const quoted = `say "${value}"`;
    assert.ok(formsIn(Buffer.from(JSON.stringify({ quoted })), quoted).includes("JSON"));
  });

  it("is found as bytes", () => {
    const bytes = Buffer.from([1, 2, 253, 254, ...Array.from({ length: 28 }, (_, index) => 7 * index)]);
    assert.ok(formsIn(Buffer.concat([Buffer.from("before"), bytes]), bytes).includes("raw"));
    assert.ok(formsIn(Buffer.from(bytes.toString("base64")), bytes).includes("base64"));
  });

  it("is not found where another is", () => {
    assert.deepEqual(formsIn(Buffer.from(canary()), value), []);
    assert.ok(formsOf(value).every(({ bytes }) => bytes.length >= 16));
  });
});
