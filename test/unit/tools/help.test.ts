import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { projectFile } from "../../../tools/cli.ts";

/** The commands that are programs of this project, as they are called. */
function commands(): [name: string, argv: string[]][] {
  const { scripts } = JSON.parse(readFileSync(projectFile("package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const ours = Object.entries(scripts).flatMap(([name, command]): [string, string[]][] => {
    const [, argv] = /^node (--require \S+ \S+\.ts(?: \w+)?)/.exec(command) ?? [];
    return argv === undefined ? [] : [[`npm run ${name}`, argv.split(" ")]];
  });
  const inCi = readdirSync(projectFile("tools/ci"))
    .filter((file) =>
      /^await runTool\(|import\.meta\.main/m.test(readFileSync(projectFile(`tools/ci/${file}`), "utf8")),
    )
    .map((file): [string, string[]] => [`tools/ci/${file}`, [`tools/ci/${file}`]]);
  return [...ours, ...inCi];
}

describe("every command", () => {
  const all = commands();
  it("is among those that are tested", () => {
    const names = all.map(([name]) => name);
    for (const name of [
      "up",
      "down",
      "psql",
      "render",
      "policy",
      "resolve-digests",
      "cluster:up",
      "bench:hnsw",
      "test:faults",
      "test",
    ])
      assert.ok(names.includes(`npm run ${name}`), name);
    assert.ok(names.filter((name) => name.startsWith("tools/ci/")).length >= 6);
  });
  for (const [name, argv] of all) {
    it(`answers --help, and does nothing else: ${name}`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [...argv, "--help"], {
        cwd: projectFile("."),
        encoding: "utf8",
        // What it would begin with does not exist.
        env: { PATH: "/nonexistent", HOME: "/nonexistent", XDG_STATE_HOME: "/nonexistent" },
      });
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^usage: /);
    }).timeout(60_000);
  }
});
