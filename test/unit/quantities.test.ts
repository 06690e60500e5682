import assert from "node:assert/strict";
import {
  bytesOfQuantity,
  bytesOfSetting,
  cpusOfQuantity,
  mebibytes,
  readableBytes,
  readableSpan,
} from "../../quantities.ts";

describe("quantities", () => {
  it("reads Kubernetes sizes, decimal and binary, and nothing without a unit", () => {
    assert.equal(bytesOfQuantity("40Gi"), 40 * 2 ** 30);
    assert.equal(bytesOfQuantity("1.5M"), 1_500_000);
    for (const wrong of ["40", "40GB", "-1Gi", "Gi", "1 Gi", ""])
      assert.equal(bytesOfQuantity(wrong), undefined);
  });

  it("reads CPUs", () => {
    assert.equal(cpusOfQuantity("500m"), 0.5);
    assert.equal(cpusOfQuantity("8"), 8);
    for (const wrong of ["8 CPUs", "m", "-1", ""]) assert.equal(cpusOfQuantity(wrong), undefined);
  });

  it("takes PostgreSQL's GB for 2^30 bytes", () => {
    assert.equal(bytesOfSetting("32GB"), 32 * 2 ** 30);
    assert.equal(bytesOfSetting("8kB"), 8192);
    for (const wrong of ["32Gi", "32", "32 gb"]) assert.equal(bytesOfSetting(wrong), undefined);
  });

  it("says sizes to three figures and rounds whole MiB up", () => {
    assert.equal(readableBytes(90.53 * 2 ** 30), "90.5 GiB");
    assert.equal(readableBytes(512), "512 bytes");
    assert.equal(mebibytes(2 ** 20 + 1), "2Mi");
  });

  it("says a span of time in its largest unit", () => {
    assert.deepEqual([-3, 0, 119.6, 120, 7199, 7200, 172_799, 172_800, 864_000].map(readableSpan), [
      "0 s",
      "0 s",
      "120 s",
      "2 minutes",
      "119 minutes",
      "2 hours",
      "47 hours",
      "2 days",
      "10 days",
    ]);
  });
});
