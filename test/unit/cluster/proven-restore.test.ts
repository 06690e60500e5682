import assert from "node:assert/strict";
import { lastProvenRestore } from "../../../cluster/proven-restore.ts";

const [earlier, later] = ["2026-11-29T09:59:59Z", "2026-11-29T10:00:00Z"];

describe("the last proven restore", () => {
  it("is the later one of the first backup's drill and the scheduled ones", () => {
    const of = (drills?: string, first?: string) =>
      lastProvenRestore(
        { status: drills === undefined ? {} : { lastSuccessfulTime: drills } },
        { status: first === undefined ? {} : { completionTime: first } },
      );
    assert.equal(of(earlier, later), later);
    assert.equal(of(later, earlier), later);
    assert.equal(of(undefined, earlier), earlier);
    assert.equal(of(later), later);
  });

  it("is none without a drill that was successful, or without backups", () => {
    assert.equal(lastProvenRestore({}, { status: {} }), undefined);
    assert.equal(lastProvenRestore(undefined, undefined), undefined);
  });
});
