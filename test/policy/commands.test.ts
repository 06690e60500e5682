import assert from "node:assert/strict";
import { partsOfScript, scriptsOf } from "../../policy/programs.ts";
import { preparationScript } from "../../components/storage/preparation.ts";

/** The line that declares a script. */
function lineOf(create: string, more: Record<string, unknown> = {}): string | undefined {
  return scriptsOf({
    urn: "",
    type: "command:local:Command",
    name: "c",
    inputs: { create, ...more },
    protect: false,
    secretOutputs: [],
    dependencies: [],
  })[0]?.line;
}

describe("the hash of a Command's script", () => {
  const facts = { path: "/mnt/a", mount: "/mnt", capacity: "1Gi", identity: "a/prod" };
  const usual = lineOf(preparationScript(facts));

  it("is the same for every stack, whatever its values", () => {
    assert.match(usual ?? "", /^c create sha256:[0-9a-f]{64}$/);
    for (const other of [
      { ...facts, path: "/mnt/it's here" },
      { ...facts, path: "/a\nPATH='/tmp'" },
      { ...facts, mount: undefined },
      { ...facts, capacity: "2Ti", identity: "$(reboot)" },
    ]) {
      assert.equal(lineOf(preparationScript(other)), usual);
    }
  });

  it("is another one when anything else changes", () => {
    const script = preparationScript(facts);
    for (const changed of [
      `${script}\nreboot`,
      `reboot\n${script}`,
      `PATH='/tmp'\n${script}`,
      `IFS='/'\n${script}`,
      `as_root='x'\n${script}`,
      script.replace("path='/mnt/a'", 'path="$(reboot)"'),
      script.replace("path='/mnt/a'", "path='/mnt/a'; reboot"),
      script.replace("path='/mnt/a'", "path='/mnt/a' reboot"),
      script.replace("path='/mnt/a'", "path='/mnt/a'$(reboot)"),
    ]) {
      assert.notEqual(changed, script);
      assert.notEqual(lineOf(changed), usual, changed.slice(0, 60));
    }
    assert.notEqual(lineOf(script, { interpreter: ["/tmp/sh", "-c"] }), usual);
    assert.equal(lineOf(script, { interpreter: ["/bin/sh", "-c"] }), usual);
  });

  it("is of the whole script when no constants are at its top", () => {
    assert.deepEqual(partsOfScript("set -eu\na='b'\n"), { constants: [], body: "set -eu\na='b'\n" });
    assert.deepEqual(partsOfScript("a='b'\nset -eu\n"), { constants: ["a"], body: "set -eu\n" });
  });
});
