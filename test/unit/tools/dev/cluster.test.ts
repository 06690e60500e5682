import assert from "node:assert/strict";
import type { NodeObject } from "../../../../cluster/node-fitness.ts";
import { chooseNode, isThisMachine } from "../../../../tools/dev/cluster.ts";

const node = (name: string, address: string, label = name): NodeObject => ({
  metadata: { name, labels: { "kubernetes.io/hostname": label } },
  status: {
    addresses: [
      { type: "InternalIP", address },
      { type: "Hostname", address: label },
    ],
  },
});

const machine = { hostname: "Workstation", addresses: ["127.0.0.1", "192.168.1.20"] };
const nodes = [node("db", "192.168.1.20"), node("gpu", "192.168.1.21", "gpu.example")];

describe("the node that `npm run up` takes", () => {
  it("is this machine, by its address if K3s was given another name", () => {
    const usual = (one: NodeObject) => isThisMachine(one, machine);
    assert.equal(chooseNode(nodes, undefined, "K3s", usual), nodes[0]);
    assert.equal(chooseNode(nodes.toReversed(), undefined, "K3s", usual), nodes[0]);
    assert.ok(isThisMachine(node("workstation", "10.0.0.1"), machine));
    assert.ok(isThisMachine(node("other", "10.0.0.1", "Workstation"), machine));
    assert.ok(!isThisMachine(node("other", "10.0.0.1"), machine));
  });

  it("is the one that was named, by its name or its label", () => {
    assert.equal(
      chooseNode(nodes, "gpu", "K3s", () => true),
      nodes[1],
    );
    assert.equal(chooseNode(nodes, "gpu.example", "K3s"), nodes[1]);
    assert.throws(
      () => chooseNode(nodes, "gpx", "K3s on this machine", () => true),
      /^Error: --node: "gpx" is not a node of K3s on this machine\. It has: db, gpu\.example$/,
    );
  });

  it("is the only one, and must be named if there are several", () => {
    assert.equal(chooseNode(nodes.slice(1), undefined, "K3s"), nodes[1]);
    assert.throws(
      () => chooseNode(nodes, undefined, "cluster rack"),
      /--node: cluster rack has these nodes: db, gpu\.example\. Name one: npm run up -- --node <name>/,
    );
    assert.throws(() => chooseNode([], undefined, "cluster rack"), /cluster rack has these nodes: none/);
  });
});
