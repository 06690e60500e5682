import assert from "node:assert/strict";
import { withLog } from "../../../../components/kubernetes/pods.ts";
import { bytesOfQuantity } from "../../../../quantities.ts";
import { type DeployedPodSpec, podsOfStack } from "../../deployed-pods.ts";

describe("the node's own disk", () => {
  const pods: [string, DeployedPodSpec][] = [];
  before(async () => {
    for (const stack of ["dev", "prod"])
      for (const { kind, name, spec } of await podsOfStack(stack))
        pods.push([`${stack} ${kind}/${name}`, spec]);
    assert.ok(pods.length >= 8);
  });

  it("is requested and limited by every container, with room for five log files of 10 MiB", () => {
    for (const [where, { containers, initContainers = [] }] of pods)
      for (const { name, resources } of [...containers, ...initContainers]) {
        const [requested = 0, limit = 0] = (["requests", "limits"] as const).map((side) =>
          bytesOfQuantity(resources[side]["ephemeral-storage"] ?? ""),
        );
        assert.ok(requested >= 50 * 2 ** 20 && requested < limit, `${where}: ${name}`);
      }
  });

  it("has nothing else but what Prometheus has collected, which its limit counts: each directory is in memory", () => {
    const onDisk = pods.flatMap(([where, { volumes = [], containers }]) =>
      volumes
        .filter(({ emptyDir }) => emptyDir !== undefined && emptyDir.medium !== "Memory")
        .map(({ name, emptyDir }) => ({ what: `${where}: ${name}`, size: emptyDir?.sizeLimit, containers })),
    );
    assert.deepEqual(
      onDisk.map(({ what }) => what),
      ["dev StatefulSet/postgres-prometheus: data"],
    );
    for (const { what, size, containers } of onDisk) {
      const [limit] = containers.map(({ resources }) => resources.limits["ephemeral-storage"] ?? "");
      assert.ok((bytesOfQuantity(limit ?? "") ?? 0) > (bytesOfQuantity(size ?? "") ?? Infinity), what);
    }
  });

  it("is limited for the server far above what it logs, since an eviction ends every session", () => {
    const servers = pods.filter(([where]) => / StatefulSet\/postgres$/.test(where));
    assert.equal(servers.length, 2);
    for (const [, { containers }] of servers) {
      const server = containers.find(({ name }) => name === "postgres");
      assert.equal(server?.resources.limits["ephemeral-storage"], "2Gi");
    }
  });

  it("leaves CPU and memory as they are", () => {
    const { requests, limits } = withLog({ requests: { cpu: "1" }, limits: { memory: "1Gi" } });
    assert.deepEqual([requests.cpu, limits.memory, limits.cpu], ["1", "1Gi", undefined]);
  });
});
