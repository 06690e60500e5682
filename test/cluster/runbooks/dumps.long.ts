import assert from "node:assert/strict";
import { projectFile } from "../../../tools/cli.ts";
import { sql } from "../support.ts";
import { findEveryRow, follow, onProd, prod } from "./prod.ts";

describe("docs/dumps.md", function () {
  this.timeout(300_000);
  onProd();

  it("a dump goes back in without an ERROR, and so does one from before the schema extensions", async () => {
    await follow("keep-a-dump");
    const before = projectFile("test/cluster/fixtures/dump-with-extensions-in-public.sql");
    const output = await follow("restore-old-dump", { DUMP: before });
    assert.match(output, /vector +\| \S+ +\| extensions/);
    assert.equal(
      await sql("select title from recordings where source_uri = 'before:1'"),
      "Of the version before",
    );
    assert.equal(
      await sql("select text from search_segments_text('Füchse', language => 'de')"),
      "Die Füchse sprangen über den Bach",
    );
    await follow("restore-dump", { DUMP: "replaced.sql" });
    await findEveryRow();
    const said = await prod().checkout.succeed("cat restored.log");
    assert.doesNotMatch(said.output, /ERROR/);
  });
});
