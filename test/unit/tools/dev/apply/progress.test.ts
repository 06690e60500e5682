import assert from "node:assert/strict";
import type { LiveObject } from "../../../../../tools/dev/apply/cluster-objects.ts";
import { isAwaited, progressOf } from "../../../../../tools/dev/apply/progress.ts";

const live = (kind: string, spec: object, status: object): LiveObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name: "x", generation: 2 },
  spec,
  status,
});

describe("an object is ready", () => {
  const revisions = { currentRevision: "b", updateRevision: "b" };
  const rolledOut = { observedGeneration: 2, readyReplicas: 1, ...revisions };

  it("when all pods of a StatefulSet are, made from the current template", () => {
    const progress = (status: object, spec: object = { replicas: 1 }) =>
      progressOf(live("StatefulSet", spec, { ...rolledOut, ...status }));
    assert.equal(progress({}), "ready");
    assert.equal(progress({ observedGeneration: 1 }), "waiting");
    assert.equal(progress({ readyReplicas: 0 }), "waiting");
    assert.equal(progress({ currentRevision: "a" }), "waiting");
    assert.equal(progress({ currentRevision: "a" }, { updateStrategy: { type: "OnDelete" } }), "ready");
    assert.equal(progress({ readyReplicas: 0 }, { replicas: 0 }), "ready");
  });

  it("when a Deployment's new pods are available and its old ones gone; one that is too late has failed", () => {
    const done = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
    const progress = (status: object) =>
      progressOf(live("Deployment", { replicas: 2 }, { ...done, ...status }));
    assert.equal(progress({}), "ready");
    assert.equal(progress({ replicas: 3 }), "waiting");
    assert.equal(progress({ availableReplicas: 1 }), "waiting");
    const conditions = [{ type: "Progressing", status: "False", message: "deadline" }];
    assert.deepEqual(progress({ conditions }), { failed: "deadline" });
    assert.equal(progress({ conditions, observedGeneration: 1 }), "waiting");
  });

  it("when a DaemonSet runs on each of its nodes", () => {
    const done = { observedGeneration: 2, desiredNumberScheduled: 2, updatedNumberScheduled: 2 };
    assert.equal(progressOf(live("DaemonSet", {}, { ...done, numberAvailable: 2 })), "ready");
    assert.equal(progressOf(live("DaemonSet", {}, { ...done, numberAvailable: 1 })), "waiting");
  });

  it("when a Job has succeeded, and never when it failed", () => {
    const progress = (type: string, status: string) =>
      progressOf(live("Job", {}, { conditions: [{ type, status, reason: "BackoffLimitExceeded" }] }));
    assert.equal(progress("Complete", "True"), "ready");
    assert.equal(progress("Complete", "False"), "waiting");
    assert.deepEqual(progress("Failed", "True"), { failed: "BackoffLimitExceeded" });
  });

  it("when a claim that names its volume is bound: another one may wait for its first pod", () => {
    const claim = live("PersistentVolumeClaim", { volumeName: "v" }, { phase: "Pending" });
    assert.equal(progressOf(claim), "waiting");
    assert.equal(isAwaited(claim), true);
    assert.equal(isAwaited(live("PersistentVolumeClaim", {}, {})), false);
    assert.deepEqual(progressOf(live("PersistentVolumeClaim", {}, { phase: "Lost" })), {
      failed: "its volume is gone",
    });
  });

  it("once it exists, if its kind has nothing to wait for", () => {
    assert.equal(isAwaited(live("ConfigMap", {}, {})), false);
    assert.equal(progressOf(live("ConfigMap", {}, {})), "ready");
    assert.equal(progressOf(undefined), "waiting");
  });
});
