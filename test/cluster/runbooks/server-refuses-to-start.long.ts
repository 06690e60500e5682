import assert from "node:assert/strict";
import { findEveryRow, follow, onProd, server } from "./prod.ts";

describe("docs/server-refuses-to-start.md", function () {
  this.timeout(300_000);
  onProd();

  it("what the server says of its start, and a start without waiting", async () => {
    const before = await server();
    await follow("restart-server");
    await follow("check-start");
    assert.notEqual(await server(), before);
    await findEveryRow();
  });
});
