import assert from "node:assert/strict";
import type { PodObject } from "../../../cluster/pod-troubles.ts";
import { isRefusedStart } from "../../../cluster/refused-start.ts";

describe("a new server next to its trial", () => {
  const trial = (phase: string): PodObject => ({
    metadata: {
      name: "postgres-settings-x7k2p",
      labels: { "batch.kubernetes.io/job-name": "postgres-settings" },
    },
    status: { phase },
  });
  const server = (ready: "True" | "False"): PodObject => ({
    metadata: { name: "postgres-0" },
    status: { phase: "Running", conditions: [{ type: "Ready", status: ready }] },
  });

  it("is stopped when the trial has failed, for nothing else would end the wait for it", () => {
    assert.ok(isRefusedStart([trial("Failed"), server("False")]));
    assert.ok(isRefusedStart([trial("Failed"), { metadata: { name: "postgres-0" } }]));
  });

  it("is left alone while the trial goes on, when it has succeeded, and where another Job has failed", () => {
    for (const phase of ["Pending", "Running", "Succeeded"])
      assert.ok(!isRefusedStart([trial(phase), server("False")]), phase);
    const other = trial("Failed");
    other.metadata.labels = { "batch.kubernetes.io/job-name": "postgres-init" };
    assert.ok(!isRefusedStart([other, server("False")]));
  });

  it("is left alone when it is ready, and where there is none yet", () => {
    assert.ok(!isRefusedStart([trial("Failed"), server("True")]));
    assert.ok(!isRefusedStart([trial("Failed")]));
  });
});
