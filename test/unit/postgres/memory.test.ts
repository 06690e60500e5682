import assert from "node:assert/strict";
import { type MemoryBudget, memoryBudget, sharedMemoryFor } from "../../../postgres/memory.ts";

describe("memory budget", () => {
  const guide = {
    shared_buffers: "32GB",
    work_mem: "512MB",
    maintenance_work_mem: "2GB",
    max_connections: "100",
  };
  const GiB = 2 ** 30;
  const partOf = ({ parts }: MemoryBudget, which: RegExp) => {
    const found = parts.filter(({ what }) => which.test(what));
    assert.equal(found.length, 1, String(which));
    return found[0]?.bytes ?? NaN;
  };

  it("adds up the guide's own figures", () => {
    const shm = sharedMemoryFor(guide);
    assert.equal(shm, 2.5 * GiB);
    const budget = memoryBudget(guide, shm);
    const rest = partOf(budget, /^locks and processes/);
    assert.equal(budget.fixed - rest, 34.5 * GiB + (16 + 1 / 2) * 2 ** 20);
    assert.ok(rest > 0.9 * GiB && rest < GiB, `${rest}`);
    // 100 connections and 8 parallel workers, each in one hash of twice work_mem.
    assert.equal(partOf(budget, /work_mem/), 108 * GiB);
    assert.equal(partOf(budget, /autovacuum/), 6 * GiB);
    assert.equal(
      budget.total,
      budget.parts.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  });

  it("uses autovacuum_work_mem and wal_buffers if they are set", () => {
    const budget = memoryBudget({ ...guide, autovacuum_work_mem: "1GB", wal_buffers: "64MB" }, 0);
    assert.equal(partOf(budget, /^WAL buffers/), 64 * 2 ** 20);
    assert.equal(partOf(budget, /autovacuum/), 3 * GiB);
  });

  it("never makes /dev/shm smaller than a container's default", () => {
    assert.equal(sharedMemoryFor({ maintenance_work_mem: "16MB" }), 64 * 2 ** 20);
  });
});
