import assert from "node:assert/strict";
import { type PodObject, troublesOf } from "../../../cluster/pod-troubles.ts";

type Containers = NonNullable<NonNullable<PodObject["status"]>["containerStatuses"]>;

function pod(containerStatuses: Containers): PodObject {
  return { metadata: { name: "postgres-0" }, status: { containerStatuses } };
}

const refused = {
  exitCode: 1,
  message: "start-server: looking\nstart-server: REFUSED: the directory has no marker volume.identity\nbye\n",
};

describe("the troubles of a pod", () => {
  it("are none while it runs, whatever happened before, or is on its way", () => {
    assert.deepEqual(
      troublesOf(
        pod([
          { name: "postgres", state: {}, lastState: { terminated: refused } },
          { name: "reconcile", state: { waiting: { reason: "ContainerCreating" } } },
        ]),
      ),
      [],
    );
  });

  it("are the refusal, in its own words, also while the kubelet waits before the next start", () => {
    const said =
      "postgres-0, container postgres: start-server: REFUSED: the directory has no marker volume.identity";
    const waiting = { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s" } };
    assert.deepEqual(troublesOf(pod([{ name: "postgres", state: { terminated: refused } }])), [said]);
    assert.deepEqual(
      troublesOf(pod([{ name: "postgres", state: waiting, lastState: { terminated: refused } }])),
      [said],
    );
  });

  it("are none of a sidecar's that was stopped when its pod had ended, and those of one that failed", () => {
    const withSidecar = (exitCode: number): PodObject => ({
      metadata: { name: "drill" },
      status: {
        phase: "Failed",
        initContainerStatuses: [
          { name: "agent", state: { terminated: { exitCode, message: "an ordinary line\n" } } },
        ],
        containerStatuses: [{ name: "drill", state: { terminated: { exitCode: 1, message: "no space\n" } } }],
      },
    });
    assert.deepEqual(troublesOf(withSidecar(143)), ["drill, container drill: no space"]);
    assert.deepEqual(troublesOf(withSidecar(1)), [
      "drill, container agent: an ordinary line",
      "drill, container drill: no space",
    ]);
  });

  it("are the reason of a container that never ran, and of a pod without a node", () => {
    const waiting = { reason: "ErrImagePull", message: "no such image" };
    assert.deepEqual(troublesOf(pod([{ name: "postgres", state: { waiting } }])), [
      "postgres-0, container postgres: ErrImagePull: no such image",
    ]);
    const conditions = [{ type: "PodScheduled", status: "False", message: "0/1 nodes are available" }];
    assert.deepEqual(troublesOf({ metadata: { name: "postgres-0" }, status: { conditions } }), [
      "postgres-0 cannot be scheduled: 0/1 nodes are available",
    ]);
  });

  it("are the status of a container that printed nothing", () => {
    const terminated = { exitCode: 137, reason: "OOMKilled" };
    assert.deepEqual(troublesOf(pod([{ name: "postgres", state: { terminated } }])), [
      "postgres-0, container postgres: it exited with status 137 (OOMKilled)",
    ]);
  });
});
