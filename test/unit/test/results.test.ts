import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../tools/cli.ts";
import { filesBelow } from "../../parts.ts";
import { endOf, type MochaResult, resultOf, sum } from "../../results.ts";
import { LEFT, type Skip } from "../../skip.ts";

describe("the end of a run", () => {
  it("names what was skipped and what failed, each with its suite, and then counts", () => {
    const unit = resultOf(
      "unit",
      1,
      {
        passed: 3,
        failed: [{ title: "a server starts", file: "test/unit/a.test.ts", message: "\n1 is not 2\n+ more" }],
        pending: [{ title: "a server stops", file: "test/unit/a.test.ts" }, { title: "a server hangs" }],
      },
      [
        { title: "a server stops", reason: "kubectl is not on PATH" },
        { title: "a server hangs", reason: LEFT },
      ],
    );
    const cluster = resultOf("cluster", 0, { passed: 2, failed: [], pending: [] }, []);
    assert.deepEqual(endOf(sum([unit, cluster])), [
      "left to npm run test:long: 1 tests, and what is not in the samples",
      "skipped: unit: a server stops: kubectl is not on PATH",
      "failed: unit: a server starts (test/unit/a.test.ts): 1 is not 2",
      "5 passed, 1 failed, 1 skipped",
    ]);
  });

  it("gives a skipped test its own reason, else that of the nearest suite, and says if there is none", () => {
    const pending = ["a b c", "a b d", "a e", "ab c"].map((title) => ({ title }));
    const skips: Skip[] = [
      { title: "a", reason: "suite" },
      { title: "a b", reason: "inner suite" },
      { title: "a b d", reason: "test" },
    ];
    assert.deepEqual(resultOf("x", 0, { passed: 0, failed: [], pending }, skips).skipped, [
      "x: a b c: inner suite",
      "x: a b d: test",
      "x: a e: suite",
      "x: ab c: no reason given",
    ]);
  });

  it("counts a run that ended without results, or in a failure of its own, as failed", () => {
    assert.deepEqual(resultOf("policy", 7, undefined, []).failed, [
      "policy: mocha ended with 7, without results",
    ]);
    const passed = { passed: 3, failed: [], pending: [] };
    assert.deepEqual(resultOf("policy", 1, passed, []).failed, ["policy: mocha ended with 1"]);
    assert.deepEqual(resultOf("policy", 0, passed, []).failed, []);
  });
});

/** A file with a test for each thing that can become of one. */
const EVERY_END = `
import { skip } from ${JSON.stringify(projectFile("test/skip.ts"))};
describe("A", () => {
  before(function () { skip(this, "no A"); });
  it("a1", () => undefined);
  describe("inner", () => { it("a2", () => undefined); });
});
describe("B", () => {
  it("passes", () => undefined);
  it("fails", () => { throw new Error("one\\ntwo"); });
  it("is skipped", function () { skip(this, "no B"); });
  describe("C", () => { beforeEach(function () { skip(this, "no C"); }); it("c", () => undefined); });
  describe("D", () => { before(() => { throw new Error("no D"); }); it("d", () => undefined); });
});
`;

describe("the reporter", function () {
  this.timeout(60_000);

  for (const [how, options] of [
    ["in one process", []],
    ["in worker processes", ["--parallel", "--jobs", "2"]],
  ] as const) {
    it(`writes the result of each test, with mocha ${how}`, () => {
      const directory = mkdtempSync(join(tmpdir(), "reporter-"));
      try {
        const [results, skips] = [join(directory, "results"), join(directory, "skips")];
        const files = ["one", "two"].map((name) => join(directory, `${name}.test.ts`));
        for (const file of files) writeFileSync(file, EVERY_END);
        const { status } = spawnSync(
          projectFile("node_modules/.bin/mocha"),
          ["--reporter", projectFile("test/reporter.cjs"), ...options, ...files],
          { cwd: projectFile("."), env: { ...process.env, TEST_RESULTS: results, TEST_SKIPS: skips } },
        );
        assert.equal(status, 4);
        const written = JSON.parse(readFileSync(results, "utf8")) as MochaResult;
        const said = readFileSync(skips, "utf8").trim().split("\n");
        const end = resultOf(
          "unit",
          4,
          written,
          said.map((line) => JSON.parse(line) as Skip),
        );
        assert.equal(end.passed, 2);
        const twice = (lines: string[]) => lines.flatMap((line) => [line, line]).sort();
        assert.deepEqual(
          end.failed.map((line) => line.replace(/ \([^)]*\.test\.ts\)/, "")).sort(),
          twice(["unit: B fails: one", 'unit: B D "before all" hook for "d": no D']),
        );
        assert.deepEqual(
          end.skipped.sort(),
          twice([
            "unit: A a1: no A",
            "unit: A inner a2: no A",
            "unit: B is skipped: no B",
            "unit: B C c: no C",
          ]),
        );
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  }
});

describe("a skipped test", () => {
  it("has a reason: nothing calls mocha's own skip but test/skip.ts and test/sample.ts", () => {
    const own = filesBelow("test", ".ts").filter(
      (file) => !["test/skip.ts", "test/sample.ts"].includes(file),
    );
    const skips = /\b(?:this|context)\.skip\(|\b(?:it|describe|xit|xdescribe)\.skip\(|\bxit\(|\bxdescribe\(/;
    const found = own.filter((file) => skips.test(readFileSync(projectFile(file), "utf8")));
    assert.deepEqual(found, []);
  });
});

describe("npm test", function () {
  this.timeout(60_000);

  it("explains its parts and what is quick", () => {
    const said = execFileSync(process.execPath, [projectFile("test/run.ts"), "--help"], { encoding: "utf8" });
    for (const word of ["quick", "static", "unit", "postgres", "policy", "workflows", "cluster", "test:long"])
      assert.ok(said.includes(word), word);
  });

  it("runs nothing for a part that does not exist", () => {
    const ran = spawnSync(process.execPath, [projectFile("test/run.ts"), "units"], { encoding: "utf8" });
    assert.equal(ran.status, 2);
    assert.match(ran.stderr, /units: not a part of the tests\. Allowed: quick, static, unit/);
  });
});
