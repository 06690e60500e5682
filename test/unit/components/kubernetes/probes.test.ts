import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { effectsOfServer } from "../../../../cluster/change-effects.ts";
import { probesNextToServer } from "../../../../components/kubernetes/probes.ts";
import { podsOfStack } from "../../deployed-pods.ts";

interface Probe {
  exec?: { command: string[] };
  httpGet?: object;
  tcpSocket?: object;
  periodSeconds: number;
  failureThreshold: number;
}

/** What it does: runs a command, asks for a page, or connects. */
const action = ({ exec, httpGet, tcpSocket }: Probe) => exec?.command ?? httpGet ?? tcpSocket;

const patience = ({ periodSeconds, failureThreshold }: Probe) => periodSeconds * failureThreshold;

/** What `dev` has, and `prod` only where it is configured. */
const OF_DEV = [
  "postgres-backup pgbackrest",
  ...["postgres-exporter figures", "postgres-exporter database"],
  "postgres-prometheus prometheus",
];

describe("the probes", function () {
  this.timeout(60_000);

  for (const stack of ["dev", "prod"])
    it(`of ${stack} are both there in every container that runs until somebody stops it, and differ`, async () => {
      const running = (await podsOfStack(stack)).filter(({ kind }) => kind === "StatefulSet");
      const containers = running.flatMap(({ name, spec }) =>
        spec.containers.map((container) => ({ where: `${name} ${container.name}`, container })),
      );
      for (const { where, container } of containers) {
        assert.ok(container.livenessProbe, `${where} has no livenessProbe`);
        assert.ok(container.readinessProbe, `${where} has no readinessProbe`);
        // A pod whose readiness fails as its liveness does is restarted where it could have waited.
        assert.notDeepEqual(
          action(container.livenessProbe as Probe),
          action(container.readinessProbe as Probe),
          where,
        );
      }
      assert.deepEqual(
        containers.map(({ where }) => where),
        [
          ...(stack === "dev" ? OF_DEV : []),
          ...["postgres postgres", "postgres reconcile", "postgres certificate"],
        ],
      );
    });

  it("next to the server never take it from its clients: the container is restarted long before", async () => {
    const [pod] = (await podsOfStack("prod")).filter(({ name }) => name === "postgres");
    const beside = pod?.spec.containers.filter(({ name }) => name !== "postgres") ?? [];
    assert.equal(beside.length, 2);
    // The longest grace period that database.terminationGracePeriod takes.
    const longest = 3600;
    for (const { name, livenessProbe, readinessProbe, startupProbe } of beside) {
      assert.ok(patience(readinessProbe as Probe) > patience(livenessProbe as Probe) + longest, name);
      assert.equal(startupProbe, undefined);
    }
  });

  describe("of a container next to the server", () => {
    let folder: string;
    const watched = () => join(folder, "heartbeat.watched");
    const passes = (name: "livenessProbe" | "readinessProbe") => {
      const probe = probesNextToServer(join(folder, "heartbeat"))[name] as Probe;
      const [file = "", ...args] = probe.exec?.command ?? [];
      return spawnSync(file, args).status === 0;
    };
    /** The last look was so many minutes from now. */
    const lookedAt = (minutes: number) => {
      const then = Date.now() / 1000 + minutes * 60;
      utimesSync(watched(), then, then);
    };
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "probes-"));
    });
    afterEach(() => {
      rmSync(folder, { recursive: true });
    });

    it("is alive before the first look at its script, but not ready", () => {
      assert.deepEqual([passes("livenessProbe"), passes("readinessProbe")], [true, false]);
    });

    it("is both while the script is watched, also after the node's clock was set back", () => {
      writeFileSync(watched(), "");
      assert.deepEqual([passes("livenessProbe"), passes("readinessProbe")], [true, true]);
      lookedAt(60);
      assert.deepEqual([passes("livenessProbe"), passes("readinessProbe")], [true, true]);
    });

    it("is restarted, and takes no clients from the server, when nobody has watched its script for several looks", () => {
      writeFileSync(watched(), "");
      lookedAt(-5);
      assert.deepEqual([passes("livenessProbe"), passes("readinessProbe")], [false, true]);
    });
  });

  it("that are new restart the server once, and the preview names them", () => {
    const pod = (probes: object) => ({
      spec: { template: { spec: { containers: [{ name: "reconcile", image: "a:1", ...probes }] } } },
    });
    assert.deepEqual(effectsOfServer(pod({}), pod(probesNextToServer("/run/reconcile/heartbeat"))), [
      "Restarts the server, once: containers.reconcile.livenessProbe, containers.reconcile.readinessProbe",
    ]);
  });
});
