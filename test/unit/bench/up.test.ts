import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { followEvents, resourceSpans, type TimedEvent } from "../../../bench/event-times.ts";
import { percentile } from "../../../bench/figures.ts";
import { momentsOf } from "../../../bench/pod-times.ts";
import { splitTable } from "../../../bench/up-split.ts";

const URN = "urn:pulumi:dev::transcript-pipeline::a:b:C$kubernetes:apps/v1:StatefulSet::postgres";

describe("where the seconds of a deployment go", () => {
  const step = (urn: string, type: string) => ({ metadata: { op: "create", urn, type } });
  const begins = (at: number, urn = URN, type = "kubernetes:apps/v1:StatefulSet"): TimedEvent =>
    ({ at, event: { resourcePreEvent: step(urn, type) } }) as TimedEvent;
  const ends = (at: number, urn = URN): TimedEvent =>
    ({ at, event: { resOutputsEvent: step(urn, "") } }) as TimedEvent;

  it("is the engine's time for each resource, and not for what waits for others", () => {
    const component = "urn:pulumi:dev::transcript-pipeline::a:b:C::postgres";
    assert.deepEqual(
      resourceSpans([
        begins(1, component, "transcript-pipeline:index:Database"),
        begins(2),
        ends(5),
        ends(6, component),
      ]),
      [{ resource: "StatefulSet postgres", from: 2, to: 5 }],
    );
    assert.deepEqual(resourceSpans([begins(2)]), [{ resource: "StatefulSet postgres", from: 2 }]);
  });

  it("is read from a log while it is written, whole lines only", async () => {
    const directory = mkdtempSync(join(tmpdir(), "event-times-"));
    try {
      const log = join(directory, "log");
      const stop = followEvents(log);
      const line = JSON.stringify({ resourcePreEvent: step(URN, "é") });
      appendFileSync(log, `${line}\n${line.slice(0, 20)}`);
      await sleep(200);
      appendFileSync(log, `${line.slice(20)}\n`);
      const timed = stop();
      assert.deepEqual(
        timed.map(({ event }) => event.resourcePreEvent?.metadata.type),
        ["é", "é"],
      );
      assert.ok(timed[1] && timed[0] && timed[1].at > timed[0].at + 0.1);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("is a table of medians, with what comes before the first resource and after the last", () => {
    const round = (took: number) => ({
      took,
      spans: [{ resource: "StatefulSet postgres", from: 2, to: took - 1 }],
      pods: [
        {
          name: "postgres-init-x7k2p",
          moments: [
            { what: "created", at: 3 },
            { what: "ready", at: 4 },
          ],
        },
      ],
    });
    const lines = splitTable([round(5), round(6), round(9)])
      .split("\n")
      .slice(2);
    assert.deepEqual(lines, [
      "| engine and program start, the cluster is looked at | 0.0 | 2.0 |",
      "| StatefulSet postgres | 2.0 | 3.0 |",
      "| pod postgres-init: ready | 3.0 | 1.0 |",
      "| engine ends | 5.0 | 1.0 |",
    ]);
  });

  it("is a pod's life, by its containers", () => {
    const second = (at: number) => `2026-12-01T10:00:0${at}Z`;
    const pod = {
      metadata: { name: "postgres-init-x7k2p", creationTimestamp: second(2) },
      status: {
        initContainerStatuses: [
          { name: "bootstrap", state: { terminated: { startedAt: second(3), finishedAt: second(4) } } },
        ],
        containerStatuses: [{ name: "migrate", state: { running: { startedAt: second(5) } } }],
        conditions: [{ type: "Ready", status: "True", lastTransitionTime: second(6) }],
      },
    };
    assert.deepEqual(momentsOf(pod, Date.parse(second(1))), [
      { what: "created", at: 1 },
      { what: "bootstrap started", at: 2 },
      { what: "bootstrap finished", at: 3 },
      { what: "migrate started", at: 4 },
      { what: "ready", at: 5 },
    ]);
  });

  it("has a 95th percentile that one of twenty may exceed", () => {
    const twenty = Array.from({ length: 20 }, (_, index) => index + 1);
    assert.equal(percentile(twenty.toReversed(), 0.95), 19);
    assert.equal(percentile([3], 0.95), 3);
  });
});
