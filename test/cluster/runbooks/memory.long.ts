import assert from "node:assert/strict";
import { follow, get, onProd } from "./prod.ts";

describe("docs/memory.md", function () {
  this.timeout(300_000);
  onProd();

  it("less for each session and more for all, in force after one restart", async () => {
    const output = await follow("more-memory", { WORK_MEM: "6MB", MEMORY_LIMIT: "1100Mi" });
    assert.match(output, /^ 6MB$/m);
    assert.equal(
      await get("pod postgres-0", "jsonpath={.spec.containers[0].resources.limits.memory}"),
      "1100Mi",
    );
  });
});
