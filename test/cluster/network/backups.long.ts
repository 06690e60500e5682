import assert from "node:assert/strict";
import { addresses } from "../../../tools/local-cluster/network.ts";
import {
  archiveNow,
  configure,
  deploy,
  info,
  inAgent,
  NAMESPACE,
  onStored,
  stored,
} from "../backup/stored.ts";
import { STORE } from "../backup/store.ts";
import { CLUSTER, kubectl, until } from "../support.ts";
import { addressOf, enforced } from "./attackers.ts";

/** Whether the backup agent opens a connection. */
async function agentReaches(host: string, port: number): Promise<boolean> {
  const ran = await inAgent(
    ...["bash", "-c"],
    `timeout 3 bash -c 'exec 3<>/dev/tcp/${host}/${port}' 2>/dev/null && echo open || echo closed`,
  );
  assert.match(ran.stdout, /^(open|closed)\n$/, ran.output);
  return ran.stdout === "open\n";
}

describe("backups into an object store, where network policies are enforced", function () {
  this.timeout(400_000);
  enforced();
  onStored();

  it("reach the store: the first backup is made and restored, and WAL is archived", async () => {
    const policy = await kubectl(
      "get",
      "networkpolicy",
      "postgres-network-backup",
      "-n",
      NAMESPACE,
      "-o",
      "yaml",
    );
    assert.match(policy, /object-store/);
    const seconds = await archiveNow();
    console.log(`      a segment is in the store after ${seconds.toFixed(1)} s`);
    const { backup, status } = await info();
    assert.equal(status.code, 0, status.message);
    assert.equal(backup[0]?.error, false);
  });

  it("reach nothing else: not the database's port, the API server, the node or another port of the store", async () => {
    assert.ok(await agentReaches(STORE.host, STORE.port), "the control");
    const server = await addressOf(NAMESPACE, "postgres-0");
    const { node } = addresses(CLUSTER);
    const [host = ""] = (await inAgent("getent", "hosts", STORE.host)).stdout.split(/\s/);
    for (const [address, port] of [
      [server, 5432],
      ["10.43.0.1", 443],
      [node, 6443],
      [node, 10250],
      // What the store's master listens on.
      [host, 9333],
    ] as const)
      assert.ok(!(await agentReaches(address, port)), `${address}:${port}`);
  });

  it("write a logical dump, which reaches the store too", async () => {
    const ran = await stored().checkout.succeed('npm run --silent backup -- dump --stack "$STACK"');
    assert.match(ran.output, /dump: DONE/);
  });

  it("stop when the way out leads elsewhere, and go on when it is put right", async () => {
    configure({ [`network.repositories.cloud`]: { ranges: ["203.0.113.0/24"] } });
    await deploy();
    await until(
      "the store is out of reach",
      async () => !(await agentReaches(STORE.host, STORE.port)),
      60_000,
      1000,
    );
    configure({ [`network.repositories.cloud`]: { namespace: "object-store", ports: [STORE.port] } });
    await deploy();
    await until("the store is in reach", () => agentReaches(STORE.host, STORE.port), 60_000, 1000);
    await archiveNow();
  });
});
