import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../tools/cli.ts";
import { filesBelow, filesOf, PARTS, pathCovers } from "../../parts.ts";
import { type MochaResult, resultOf } from "../../results.ts";
import { chosen } from "../../sample.ts";
import type { Skip } from "../../skip.ts";

describe("every test file", () => {
  const usual = PARTS.flatMap((part) => filesOf(part, "usual"));
  const long = PARTS.flatMap((part) => filesOf(part, "long"));

  it("is run by npm test, or by npm run test:long", () => {
    const declared = filesBelow("test", ".ts").filter((file) =>
      /^\s*(?:describe|it)(?:Long)?\(/m.test(readFileSync(projectFile(file), "utf8")),
    );
    assert.ok(declared.length > 50, String(declared.length));
    // What declares tests for other files to run.
    const shared = ["test/cluster/attacks/attempt.ts", "test/sample.ts"];
    const run = new Set([...usual, ...long]);
    assert.deepEqual(
      declared.filter((file) => !run.has(file) && !shared.includes(file)),
      [],
    );
  });

  it("with a part that npm test leaves out is run again with everything", () => {
    const leaves = filesBelow("test", ".test.ts").filter(
      (file) =>
        file !== "test/unit/test/parts.test.ts" &&
        /^\s*(?:itLong|describeLong)\(|\bsampled\(/m.test(readFileSync(projectFile(file), "utf8")),
    );
    assert.ok(leaves.length >= 3, leaves.join());
    assert.deepEqual(
      leaves.filter((file) => !long.includes(file)),
      [],
    );
  });

  it("is in one selection once, and quick is a part of the usual one", () => {
    for (const files of [usual, long]) assert.equal(new Set(files).size, files.length);
    for (const part of PARTS) {
      for (const file of [part.first, part.last]) assert.ok(file === undefined || usual.includes(file), file);
      for (const file of filesOf(part, "quick")) assert.ok(filesOf(part, "usual").includes(file), file);
    }
  });
});

describe("npm run test:long", () => {
  it("takes a folder with all below it, and no folder that merely begins like it", () => {
    const file = "test/cluster/backup/loss.test.ts";
    for (const path of ["test/cluster/backup", "test/cluster/", "test", file])
      assert.ok(pathCovers(path, file), path);
    for (const path of ["test/cluster/back", "test/cluster/backup/loss", "", "/", "backup"])
      assert.ok(!pathCovers(path, file), path);
  });

  it("refuses a path without a long test, with what is allowed", () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [projectFile("test/long.ts"), "test/cluster/nowhere"],
      { encoding: "utf8" },
    );
    assert.equal(status, 2);
    assert.match(stderr, /test\/cluster\/nowhere: not a name.*Allowed: .*cluster.*bench:backup/s);
  });
});

describe("README.md", () => {
  it("names existing tests for each of its promises", () => {
    const [, promises = ""] = readFileSync(projectFile("README.md"), "utf8").split("## What it promises");
    const rows = (promises.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("| "));
    const tests = rows.slice(2).map((row) => row.split("|")[2] ?? "");
    assert.ok(tests.length > 20, String(tests.length));
    for (const cell of tests) {
      assert.match(cell, /`test\//, cell);
      // After the first of a row, cluster tests are named by their folder alone; commands hold a space.
      for (const [, name = ""] of cell.matchAll(/`([a-z/-]+)`/g)) {
        const places = [name, `test/cluster/${name}`, `test/cluster/runbooks/${name}`];
        const files = places.flatMap((place) =>
          ["", ".ts", ".test.ts", ".long.ts"].map((end) => place + end),
        );
        assert.ok(
          files.some((file) => existsSync(projectFile(file))),
          name,
        );
      }
    }
  });
});

describe("a sample", () => {
  const list = Array.from({ length: 40 }, (_, index) => index);

  it("has this many entries in order, the same ones for one seed, and others for another", () => {
    const today = chosen("x", list, 10, 20261129);
    assert.equal(today.length, 10);
    assert.deepEqual(
      today,
      [...today].sort((a, b) => a - b),
    );
    assert.deepEqual(chosen("x", list, 10, 20261129), today);
    assert.notDeepEqual(chosen("x", list, 10, 20261130), today);
    assert.notDeepEqual(chosen("y", list, 10, 20261129), today);
    assert.deepEqual(chosen("x", list, 100, 1), list);
  });

  it("leaves no entry out forever", () => {
    const seen = new Set<number>();
    for (let day = 1; day <= 30; day++) for (const entry of chosen("x", list, 10, day)) seen.add(entry);
    assert.equal(seen.size, list.length);
  });
});

describe("a test that takes long", function () {
  this.timeout(60_000);

  it("is run by test:long, and counted by npm test as left to it", () => {
    const directory = mkdtempSync(join(tmpdir(), "long-"));
    try {
      const file = join(directory, "a.test.ts");
      const sample = JSON.stringify(projectFile("test/sample.ts"));
      writeFileSync(
        file,
        `import { describeLong, itLong } from ${sample};
         describe("A", () => { it("a", () => 1); itLong("b", () => 1); });
         let prepared = false;
         describeLong("B", () => { before(() => { prepared = true; }); it("c", () => 1); });
         after(() => { if (prepared !== (process.env.TEST_EVERYTHING === "1")) throw new Error("a hook ran"); });`,
      );
      const counts = [undefined, "1"].map((everything, index) => {
        const [results, skips] = [join(directory, `results-${index}`), join(directory, "skips")];
        const env: NodeJS.ProcessEnv = { ...process.env, TEST_RESULTS: results, TEST_SKIPS: skips };
        delete env.TEST_EVERYTHING;
        if (everything !== undefined) env.TEST_EVERYTHING = everything;
        const { status } = spawnSync(
          projectFile("node_modules/.bin/mocha"),
          ["--reporter", projectFile("test/reporter.cjs"), file],
          { cwd: projectFile("."), env },
        );
        const lines = readFileSync(skips, "utf8").trim().split("\n");
        const { passed, failed, skipped, left } = resultOf(
          "unit",
          status ?? 1,
          JSON.parse(readFileSync(results, "utf8")) as MochaResult,
          lines.map((line) => JSON.parse(line) as Skip),
        );
        assert.deepEqual(failed, []);
        return { passed, skipped, left };
      });
      assert.deepEqual(counts, [
        { passed: 1, skipped: [], left: 2 },
        { passed: 3, skipped: [], left: 0 },
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
