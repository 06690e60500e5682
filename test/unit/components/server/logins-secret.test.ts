import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";

/** What the reconciler reads from the Secret `postgres-logins` with such files. */
function read(files: Record<string, string>): { status: number | null; lines: string[] } {
  const folder = mkdtempSync(join(tmpdir(), "logins-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const script = projectFile("components/server/scripts/reconcile-logins.sh");
    const { status, stdout } = spawnSync(
      "bash",
      ["-uo", "pipefail", "-c", '. "$1"; logins=$2; wanted_logins', "bash", script, folder],
      { encoding: "utf8" },
    );
    return { status, lines: stdout.split("\n").slice(0, -1) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const FORM = { form: "<kind>.<login>\n" };

describe("the Secret with every login", () => {
  it("has a line for each, with the password as it is", () => {
    const credentials = "readonly alice p w \nreadwrite bob x";
    assert.deepEqual(read({ credentials }), {
      status: 0,
      lines: ["readonly alice p w ", "readwrite bob x"],
    });
    assert.deepEqual(read({ credentials: "" }), { status: 0, lines: [] });
  });

  it("or a key for each", () => {
    assert.deepEqual(read({ ...FORM, "readonly.alice": "p w ", "monitoring.m_1": "x\n" }), {
      status: 0,
      lines: ["monitoring m_1 x", "readonly alice p w "],
    });
    assert.deepEqual(read(FORM), { status: 0, lines: [] });
  });

  it("cannot smuggle a second login into a password", () => {
    assert.deepEqual(read({ ...FORM, "readonly.alice": "x\nreadwrite mallory y" }).lines, [
      "readonly alice x\rreadwrite mallory y",
    ]);
  });

  it("is not taken for one without logins when it is gone", () => {
    assert.notEqual(read({}).status, 0);
    // Keys without the form are not ours to interpret.
    assert.notEqual(read({ "readonly.alice": "x" }).status, 0);
  });

  it("gives a login one password if somebody has written both", () => {
    assert.deepEqual(
      read({ ...FORM, "readonly.alice": "new", credentials: "readonly alice old\nreadonly bob b\n" }).lines,
      ["readonly alice new", "readonly bob b"],
    );
  });
});
