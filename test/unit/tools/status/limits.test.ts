import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RULES } from "../../../../components/monitoring/rules.ts";
import { rulesOf } from "../../../../tools/status/limits.ts";

describe("the limits of the status", () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), "limits-"))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const queueAge = (text: string) => {
    const file = join(folder, "Pulumi.prod.yaml");
    writeFileSync(file, text);
    const rules = rulesOf("prod", file);
    // The others are as they are.
    assert.deepEqual(
      rules.filter(({ name }) => name !== "jobs-waiting"),
      RULES.filter(({ name }) => name !== "jobs-waiting"),
    );
    return rules.find(({ name }) => name === "jobs-waiting")?.above;
  };

  it("are those of the stack's file, and the usual ones where it has none", () => {
    const of = (written: string) =>
      queueAge(`config:\n  transcript-pipeline:monitoring:\n    queueAge: ${written}\n`);
    assert.equal(of("5"), 300);
    assert.equal(of('"1440"'), 86_400);
    assert.equal(queueAge("config: {}\n"), 3600);
    // Not deployable: the preview says so, and the status goes on.
    assert.equal(of("soon"), 3600);
  });
});
