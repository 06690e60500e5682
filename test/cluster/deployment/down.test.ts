import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { leftovers, status } from "../../../tools/local-cluster/cluster.ts";
import { CLUSTER, npm, restoreCluster, sql, state, succeed, up } from "../support.ts";

/** What a stop must put back: mounts, interfaces and firewall rules of the whole machine, other clusters' aside. */
async function machine(): Promise<string[]> {
  const links = await succeed("ip", ["-o", "link"]);
  const namespaces = await succeed("ip", ["netns"]);
  return [
    ...readFileSync("/proc/self/mounts", "utf8").split("\n"),
    ...links.stdout.split("\n").map((line) => line.replace(/ state .*/, "")),
    ...namespaces.stdout.split("\n"),
    (await succeed("bash", ["-c", "iptables-save 2>/dev/null | grep -v '^#' || true"])).stdout,
  ].filter((line) => line.includes(CLUSTER));
}

describe("npm run down", function () {
  this.timeout(300_000);

  it("leaves no process, mount, interface, firewall rule or control group, and keeps the data", async () => {
    await up();
    await sql("insert into recordings (source_uri) values ('down')");
    assert.notDeepEqual(
      await leftovers(CLUSTER),
      [],
      "the running cluster is not seen, so its absence would prove nothing",
    );
    const ran = await npm("down");
    assert.equal(ran.status, 0, ran.output);
    assert.equal(await status(CLUSTER), undefined);
    assert.deepEqual(await leftovers(CLUSTER), []);
    assert.deepEqual(await machine(), []);
    assert.ok(existsSync(state().dataDirectory));
  });

  it("reports the second time that there is nothing to take down", async () => {
    const ran = await npm("down");
    assert.equal(ran.status, 0, ran.output);
    assert.match(ran.stdout, /nothing to take down/);
  });

  it("and up again finds the same rows", async () => {
    await up();
    assert.equal(await sql("select count(*) from recordings where source_uri = 'down'"), "1");
  });

  it("removes the data if that is requested, and only then", async () => {
    const ran = await npm("down", "--remove-data");
    assert.equal(ran.status, 0, ran.output);
    assert.ok(!existsSync(state().dataDirectory));
    await restoreCluster();
  });
});
