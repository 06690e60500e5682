import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Figure,
  isWrong,
  readable,
  type Rule,
  RULES,
  sentence,
} from "../../../../components/monitoring/rules.ts";
import { rulesTable } from "../../../../components/monitoring/rules-table.ts";
import { projectFile } from "../../../../tools/cli.ts";
import { Random } from "../../../random.ts";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));

const rule = (changes: Partial<Rule> = {}): Rule => ({
  ...{ name: "x-high", figure: "x_seconds", lasts: 0, severity: "warning", words: "x of {label} is {value}" },
  ...{ remedy: "lower it", page: "status.md", why: "so", above: 60 },
  ...changes,
});
/** A count that is whole; or a value that is not in the middle between two numbers, of which awk rounds to the even one. */
const unambiguous = (name: string, value: number) =>
  /_(seconds|ratio|bytes)$/.test(name) ? Number(value.toPrecision(6)) * (1 + 3e-9) : Math.round(value);

const figure = (value: number, label = "", name = "x_seconds"): Figure => ({ name, label, value });

describe(`what is wrong, as scripts/judge.awk has it (SEED=${seed})`, () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "judge-"));
    writeFileSync(join(folder, "state"), "");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Judges, and returns the findings: severity, rule, label, words. */
  function judge(rules: readonly Rule[], figures: readonly Figure[], now = 0, stale = 0): string[] {
    writeFileSync(join(folder, "rules.tsv"), rulesTable(rules));
    writeFileSync(
      join(folder, "figures"),
      figures.map(({ name, label, value }) => `${name}\t${label}\t${value}\n`).join(""),
    );
    const state = execFileSync(
      "awk",
      [
        ...[
          "-F",
          "\t",
          "-v",
          `now=${now}`,
          "-v",
          `stale=${stale}`,
          "-v",
          `findings=${join(folder, "findings")}`,
        ],
        ...["-f", projectFile("components/monitoring/scripts/judge.awk")],
        ...["part=rules", join(folder, "rules.tsv"), "part=state", join(folder, "state")],
        ...["part=figures", join(folder, "figures")],
      ],
      { encoding: "utf8" },
    );
    writeFileSync(join(folder, "state"), state);
    return readFileSync(join(folder, "findings"), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split("\t").slice(0, 4).join(" | "));
  }

  it("says the same as the status, of any figures", () => {
    const random = new Random("figures", seed);
    const rules = RULES.map((one) => ({ ...one, lasts: 0 }));
    for (let round = 0; round < 40; round++) {
      writeFileSync(join(folder, "state"), "");
      const figures = rules.flatMap(({ figure: name, above, below = 1 }): Figure[] => {
        const label = random.pick(["", "one", "a & b \\1 'c' %s"]);
        if (random.next() < 0.3) return [];
        const value = (above ?? below) * (random.next() * 3 - 0.5) + (random.next() < 0.2 ? 1 : 0);
        return [{ name, label, value: unambiguous(name, value) }];
      });
      // A figure has one value.
      const once = [...new Map(figures.map((one) => [`${one.name} ${one.label}`, one])).values()];
      const told = new Set<string>();
      const wanted = rules.flatMap((one) =>
        once
          .filter((found) => isWrong(one, found))
          .flatMap((found) => {
            const subject = `${found.name} ${found.label}`;
            if (told.has(subject)) return [];
            told.add(subject);
            return [`${one.severity} | ${one.name} | ${found.label} | ${sentence(one, found)}`];
          }),
      );
      assert.deepEqual(judge(rules, once).sort(), wanted.sort());
    }
  });

  it("has each value in the same words as the status", () => {
    const random = new Random("words", seed);
    for (const name of ["x_seconds", "x_ratio", "x_bytes", "x"])
      for (let round = 0; round < 60; round++) {
        const exponent = name === "x_ratio" ? random.next() * 5 - 4 : random.next() * 12;
        const value = unambiguous(name, name === "x" ? random.next() * 5000 : 10 ** exponent);
        const [found = ""] = judge(
          [rule({ figure: name, above: -1, words: "{value}" })],
          [figure(value, "", name)],
        );
        assert.equal(found.split(" | ").at(-1), readable({ name, value }), `${name} ${value}`);
        writeFileSync(join(folder, "state"), "");
      }
  });

  it("tells of nothing before it has lasted", () => {
    const rules = [rule({ lasts: 30 })];
    const at = (now: number, value = 61) => judge(rules, [figure(value)], now).length;
    assert.deepEqual([at(100), at(110), at(129), at(130), at(500)], [0, 0, 0, 1, 1]);
  });

  it("begins again where it was right in between", () => {
    const rules = [rule({ lasts: 30 })];
    const at = (now: number, value = 61) => judge(rules, [figure(value)], now).length;
    assert.deepEqual([at(100), at(120, 1), at(131), at(160), at(161)], [0, 0, 0, 0, 1]);
  });

  it("ends only what has stayed away for half a minute, so that what flickers is one finding", () => {
    const at = (now: number, value: number) => judge([rule()], [figure(value)], now).length;
    assert.deepEqual([at(0, 61), at(10, 1), at(20, 61), at(30, 1), at(59, 1), at(60, 1)], [1, 1, 1, 1, 1, 0]);
  });

  it("ends what has no figure any more, such as a repository that was removed", () => {
    assert.equal(judge([rule()], [figure(61, "old")], 0).length, 1);
    assert.equal(judge([rule()], [], 10).length, 1);
    assert.equal(judge([rule()], [], 40).length, 0);
  });

  it("leaves as it was what cannot be read for a while: neither over, nor wrong for long enough", () => {
    const rules = [rule({ lasts: 30 }), rule({ name: "y-high", figure: "y_seconds" })];
    const wrong = [figure(61), figure(61, "", "y_seconds")];
    const names = (figures: Figure[], now: number, stale = 0) =>
      judge(rules, figures, now, stale).map((line) => line.split(" | ")[1]);
    assert.deepEqual(names(wrong, 0), ["y-high"]);
    assert.deepEqual(names([], 40, 1), ["y-high"]);
    assert.deepEqual(names([], 400, 1), ["y-high"]);
    // What lasted as long as nobody could see it lasted.
    assert.deepEqual(names(wrong, 410), ["x-high", "y-high"]);
    assert.deepEqual(names([figure(1)], 420, 1), ["x-high", "y-high"]);
    assert.deepEqual(names([figure(1)], 450, 1), ["y-high"]);
  });

  it("has the graver of two about one figure, and one for each label", () => {
    const rules = [rule({ name: "x-full", above: 90, severity: "critical" }), rule()];
    assert.deepEqual(judge(rules, [figure(95, "a"), figure(70, "b")]), [
      "critical | x-full | a | x of a is 95 s",
      "warning | x-high | b | x of b is 70 s",
    ]);
  });
});

describe("the table of the rules", () => {
  it("has every rule, and no field that would end another one", () => {
    const lines = rulesTable(RULES).split("\n").slice(0, -1);
    assert.equal(lines.length, RULES.length);
    for (const line of lines) assert.equal(line.split("\t").length, 9, line);
  });
});
