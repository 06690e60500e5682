import assert from "node:assert/strict";
import { reportsIn } from "../../../cluster/server-reports.ts";

describe("what the server's pod reports", () => {
  it("is nothing, one thing, or both", () => {
    assert.deepEqual(reportsIn("asked\n"), {});
    assert.deepEqual(reportsIn("certificate tls.key does not belong to tls.crt \nasked\n"), {
      certificate: "tls.key does not belong to tls.crt",
    });
    assert.deepEqual(reportsIn("configuration the server runs: so\ncertificate expired\nasked\n"), {
      configuration: "the server runs: so",
      certificate: "expired",
    });
  });
});
