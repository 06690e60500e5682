import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { format } from "prettier";
import { projectFile } from "../../../tools/cli.ts";
import { pages } from "../../../tools/docs.ts";

const readme = readFileSync(projectFile("README.md"), "utf8");

describe("a table generated from the code (npm run docs)", () => {
  for (const { file, withTable } of pages) {
    it(`is in ${file} as the code has it`, async () => {
      const page = readFileSync(projectFile(file), "utf8");
      assert.equal(await format(withTable(page), { filepath: file, printWidth: 110 }), page);
    });
  }
});

describe("README.md", () => {
  it("has no broken links", () => {
    for (const [, target = ""] of readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      assert.ok(existsSync(projectFile(target)), target);
    }
  });

  it("names no command that package.json does not have", () => {
    const { scripts } = JSON.parse(readFileSync(projectFile("package.json"), "utf8")) as { scripts: object };
    for (const [, script = ""] of readme.matchAll(/npm run ([a-z:-]+)/g))
      assert.ok(script in scripts, script);
  });
});
