import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { projectFile } from "../../../tools/cli.ts";

const PRELOADED = ["--require", "./tools/lazy-modules.cjs"];

/** The output of a module that runs as the engine runs the program. */
function printed(text: string, args: readonly string[] = PRELOADED): string {
  const ran = spawnSync(process.execPath, [...args, "--input-type=module", "-e", text], {
    cwd: projectFile("."),
    encoding: "utf8",
  });
  assert.equal(ran.status, 0, ran.stderr);
  return ran.stdout.trim();
}

/** Prints whether the SDK has loaded the package manager. A module replaced by a placeholder has no children. */
const LOADED = `
  import { createRequire } from "node:module";
  import "@pulumi/pulumi";
  const { cache } = createRequire(import.meta.url);
  console.log(Object.keys(cache).some((file) => file.includes("/@npmcli/") && cache[file].children.length > 0));`;

describe("the modules that only serialized functions need", function () {
  this.timeout(60_000);

  it("are not loaded by a program that serializes none", () => {
    assert.equal(printed(LOADED), "false");
    // The control: without the preloaded file the SDK loads them.
    assert.equal(printed(LOADED, []), "true");
  });

  it("are available to a program that serializes one", () => {
    const text = printed(`
      import * as pulumi from "@pulumi/pulumi";
      const five = 5;
      const { text } = await pulumi.runtime.serializeFunction(() => five + 1);
      const paths = await pulumi.runtime.computeCodePaths();
      console.log(JSON.stringify([text.includes("five: 5"), paths.size > 0]));`);
    assert.equal(text, "[true,true]");
  });
});
