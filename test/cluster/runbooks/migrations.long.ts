import assert from "node:assert/strict";
import { follow, get, onProd } from "./prod.ts";

describe("docs/migrations.md", function () {
  this.timeout(300_000);
  onProd();

  it("the init Job runs again without a change", async () => {
    const uid = await get("job postgres-init", "jsonpath={.metadata.uid}");
    await follow("run-init-again");
    assert.notEqual(await get("job postgres-init", "jsonpath={.metadata.uid}"), uid);
  });
});
