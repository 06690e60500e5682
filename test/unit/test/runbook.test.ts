import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { projectFile } from "../../../tools/cli.ts";
import { allRunbooks, runbooksIn } from "../../cluster/runbook.ts";
import { filesBelow } from "../../parts.ts";

const FOLDER = "test/cluster/runbooks";

describe("runbooks", () => {
  it("are the marked blocks of a page, those of one name together", () => {
    const page = [
      "```sh",
      "export A=1",
      "```",
      "```sh runbook=first",
      "one",
      "```",
      "1. in a list",
      "",
      "   ```sh runbook=second",
      "   if two; then",
      "     three",
      "   fi",
      "   ```",
      "````md",
      "```sh runbook=shown-only",
      "```",
      "````",
      "```bash title=x runbook=first",
      "four",
      "```",
    ].join("\n");
    assert.deepEqual(
      runbooksIn("p.md", page).map(({ name, blocks }) => [name, blocks]),
      [
        ["first", ["one\n", "four\n"]],
        ["second", ["if two; then\n  three\nfi\n"]],
      ],
    );
  });

  it("are all followed by the cluster tests", () => {
    const files = [...filesBelow(FOLDER, ".test.ts"), ...filesBelow(FOLDER, ".long.ts")];
    const tests = new Map(
      files.map((file) => [
        `${basename(file).replace(/\.(?:test|long)\.ts$/, "")}.md`,
        readFileSync(projectFile(file), "utf8"),
      ]),
    );
    for (const { page, name } of allRunbooks()) {
      assert.ok(
        tests.get(page)?.includes(`follow("${name}"`),
        `no test in ${FOLDER} named after docs/${page} follows its runbook ${name}`,
      );
    }
    const pages = new Set(allRunbooks().map(({ page }) => page));
    assert.deepEqual(
      [...tests.keys()].filter((page) => !pages.has(page)),
      [],
    );
    assert.equal(tests.size, files.length);
  });

  it("each have their own name", () => {
    const names = allRunbooks().map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
    assert.ok(names.includes("move-path"));
  });
});
