import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../tools/cli.ts";
import { withFields } from "../../tools/stack-file/editing.ts";
import { renewCommands } from "../../tools/digests/commands.ts";
import { CommandFailed, run } from "../../tools/processes.ts";

/** Exit status and output of the tool. */
async function policy(...args: string[]): Promise<{ status: number | null; output: string }> {
  try {
    const output = await run("sh", [
      "-c",
      'exec node "$@" 2>&1',
      "sh",
      projectFile("tools/policy.ts"),
      ...args,
    ]);
    return { status: 0, output };
  } catch (error) {
    if (error instanceof CommandFailed) return { status: error.status, output: error.output };
    throw error;
  }
}

describe("npm run policy", function () {
  this.timeout(120_000);
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "policy-tool-"));
  });
  after(() => rmSync(directory, { recursive: true }));

  /** A changed copy of one of the project's files. */
  function copyOf(file: string, change: (text: string) => string): string {
    const copy = join(directory, file.replaceAll("/", "-"));
    writeFileSync(copy, change(readFileSync(projectFile(file), "utf8")));
    return copy;
  }

  it("ends with 0 for dev as it is committed", async () => {
    const { status, output } = await policy("--stack", "dev");
    assert.equal(status, 0, output);
    assert.match(output, /dev: \d+ resources, \d+ rules, 0 mandatory/);
  });

  it("ends with 1, and says which rule, which resource, why and what to write instead", async () => {
    const file = copyOf("Pulumi.prod.yaml", (text) => withFields(text, { node: { hostname: "rack2" } }));
    const { status, output } = await policy("--stack", "prod", "--config-file", file);
    assert.equal(status, 1);
    assert.match(
      output,
      /✖ volume-pinned \(mandatory\): PersistentVolume\/postgres-pv\n {2}An unpinned volume .*\n {2}Why: .*rack2.*\n {2}Instead: .*gen8/,
    );
  });

  it("ends with 1 without a configuration that it can read", async () => {
    const missing = await policy("--stack", "dev", "--policy-config", join(directory, "none.json"));
    assert.equal(missing.status, 1);
    assert.match(missing.output, /none\.json cannot be read/);
    const empty = await policy(
      "--stack",
      "dev",
      "--policy-config",
      copyOf("policy/config.dev.json", () => "{}"),
    );
    assert.equal(empty.status, 1);
    assert.match(empty.output, /volume-pinned\.node is missing/);
  });

  it("ends with 1 when a rule is switched off instead of waived", async () => {
    const file = copyOf("policy/config.dev.json", (text) =>
      text.replace(
        '"volume-pinned": {',
        '"volume-retained": { "enforcementLevel": "disabled" }, "volume-pinned": {',
      ),
    );
    const { status, output } = await policy("--stack", "dev", "--policy-config", file);
    assert.equal(status, 1);
    assert.match(output, /volume-retained\.enforcementLevel is "disabled"; write a waiver instead/);
  });

  it("--declare renews the hashes of the scripts, and finds the committed ones as they are", async () => {
    const folder = mkdtempSync(join(directory, "pack-"));
    const hashes = (name: string) => readFileSync(join(folder, name), "utf8");
    for (const name of ["config.dev.json", "config.prod.json", "scripts.json"]) {
      writeFileSync(join(folder, name), readFileSync(projectFile(`policy/${name}`)));
    }
    assert.deepEqual(await renewCommands(folder), [], "run: npm run policy -- --declare");
    const committed = hashes("config.prod.json");
    // A hash that is another script's, and a file that declares none, as in the version before.
    writeFileSync(
      join(folder, "config.prod.json"),
      committed.replace(/sha256:[0-9a-f]{8}/, "sha256:00000000"),
    );
    writeFileSync(join(folder, "config.dev.json"), JSON.stringify({ "stack-kind": { kind: "dev" } }));
    const scripts = hashes("scripts.json");
    writeFileSync(join(folder, "scripts.json"), scripts.replace(/sha256:[0-9a-f]{8}/, "sha256:00000000"));
    const renewed = ["config.dev.json", "config.prod.json", "scripts.json"];
    assert.deepEqual((await renewCommands(folder)).sort(), renewed);
    assert.equal(hashes("scripts.json"), scripts);
    assert.equal(hashes("config.prod.json"), committed);
    assert.match(
      hashes("config.dev.json"),
      /"declared-commands": \{\s+"declared": \[[^\]]*"postgres-volume-directory create sha256:[0-9a-f]{64}"/,
    );
  });

  it("ends with 2 and its usage without a stack", async () => {
    const { status, output } = await policy();
    assert.equal(status, 2);
    assert.match(output, /usage: npm run policy/);
  });
});
