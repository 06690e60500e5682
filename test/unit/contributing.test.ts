import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { projectFile } from "../../tools/cli.ts";

const guide = readFileSync(projectFile("CONTRIBUTING.md"), "utf8");

describe("CONTRIBUTING.md", () => {
  it("leads to twenty rooms or more, all of which exist", () => {
    const rows = guide.split("\n").filter((line) => /^\| (?!I want|---)/.test(line) && line.includes("`"));
    const rooms = rows
      .map((row) => row.split("|")[2] ?? "")
      .filter((room) => room.includes("/") || room.includes("."));
    assert.ok(rooms.length >= 20, `${rooms.length} rows`);
    const missing = rooms
      .flatMap((room) => [...room.matchAll(/`([\w./-]+(?:\/|\.\w+))`/g)].map(([, path = ""]) => path))
      .filter((path) => !existsSync(projectFile(path)));
    assert.deepEqual(missing, []);
  });

  it("names no command that package.json does not have", () => {
    const { scripts } = JSON.parse(readFileSync(projectFile("package.json"), "utf8")) as { scripts: object };
    for (const [, script = ""] of guide.matchAll(/npm run ([a-z:-]+)/g)) assert.ok(script in scripts, script);
  });
});
