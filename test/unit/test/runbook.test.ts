import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { allRunbooks, runbooksIn } from "../../cluster/runbook.ts";

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
    const tests = readFileSync(new URL("../../cluster/60-runbooks.test.ts", import.meta.url), "utf8");
    for (const { page, name } of allRunbooks()) {
      assert.ok(tests.includes(`follow("${name}"`), `no test follows the runbook ${name} of docs/${page}`);
    }
  });

  it("have a name of their own each", () => {
    const names = allRunbooks().map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
    assert.ok(names.includes("move-path"));
  });
});
