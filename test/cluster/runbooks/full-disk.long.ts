import assert from "node:assert/strict";
import { findEveryRow, follow, onProd, prod, server } from "./prod.ts";

describe("docs/full-disk.md", function () {
  this.timeout(300_000);
  onProd();

  it("what to look at, and a start without waiting", async () => {
    assert.match(await follow("look-at-disk", { DIRECTORY: prod().dataDirectory }), /pgdata\/base$/m);
    const before = await server();
    await follow("restart-server");
    assert.notEqual(await server(), before);
    await findEveryRow();
  });
});
