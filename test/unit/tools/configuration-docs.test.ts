import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { format } from "prettier";
import { projectFile } from "../../../tools/cli.ts";
import { readmeWithTable } from "../../../tools/configuration-docs.ts";

const readme = readFileSync(projectFile("README.md"), "utf8");

describe("README.md", () => {
  it("has every configuration field as config.ts has it (npm run docs)", async () => {
    assert.equal(await format(readmeWithTable(readme), { filepath: "README.md", printWidth: 110 }), readme);
  });

  it("links to nothing that is not there", () => {
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
