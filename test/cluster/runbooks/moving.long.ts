import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { start, stop } from "../../../tools/local-cluster/cluster.ts";
import { STACK } from "../checkout.ts";
import { CLUSTER, execute, restoreCluster, theCluster } from "../support.ts";
import { NAMESPACE, findEveryRow, follow, get, logIn, onProd, password, prod } from "./prod.ts";
import { preparationScript } from "../../../components/storage/preparation.ts";

describe("docs/moving.md", function () {
  this.timeout(300_000);
  onProd();

  it("the data moves to another directory, and the old one is never started again", async () => {
    const old = prod().dataDirectory;
    const anew = `${old}-2`;
    const setPath = (path: string) =>
      prod().checkout.run('pulumi config set --path storage.path "$TO" --stack "$STACK"', { TO: path });
    const previewWith = async (path: string) => {
      await setPath(path);
      return prod().checkout.run('pulumi preview --stack "$STACK"');
    };
    const refused = await previewWith(anew);
    assert.notEqual(refused.status, 0);
    assert.match(refused.output, /storage\.path: is ".*-2", but the data is in .*: docs\/moving\.md/);

    await setPath(old);
    await follow("grow", { SIZE: "4Gi" });
    await setPath(anew);
    await follow("move-path", { OLD: old, NEW: anew });
    prod().dataDirectory = anew;
    await findEveryRow();
    assert.equal(await get("pv postgres-pv", "jsonpath={.spec.hostPath.path}"), anew);
    // Created again, it requests what the volume has by now.
    assert.equal(await get("pvc postgres-pvc", "jsonpath={.spec.resources.requests.storage}"), "4Gi");
    const damage = await execute("kubectl", [
      ...["--kubeconfig", theCluster().kubeconfig, "exec", "-n", NAMESPACE, "postgres-0", "--"],
      ...["psql", "-U", "postgres", "-d", "transcripts_db", "-Atc"],
      `create extension if not exists amcheck schema extensions;
       select c.relname, blkno, msg from pg_class as c, extensions.verify_heapam(c.oid) where c.relkind in ('r', 't', 'm')`,
    ]);
    assert.equal(damage.status, 0, damage.output);
    assert.equal(damage.stdout.replace(/^CREATE EXTENSION\s*/, ""), "", damage.output);

    // Setting the path back stops at the preflight; past it, at the old directory's marker.
    const back = await previewWith(old);
    assert.notEqual(back.status, 0);
    assert.match(back.output, /the data is in .*-2, as PersistentVolume/);
    const facts = { path: old, capacity: "1Mi", identity: `transcript-pipeline/${STACK}` };
    const prepared = await execute("/bin/sh", ["-c", preparationScript(facts)]);
    assert.notEqual(prepared.status, 0);
    assert.match(
      prepared.stderr,
      /belongs to transcript-pipeline\/prod, moved to .*-2, and this deployment is/,
    );

    assert.equal((await previewWith(anew)).status, 0);
    await follow("move-path-end", { OLD: old });
    assert.ok(!existsSync(`${old}/pgdata.moved`) && existsSync(`${old}/volume.identity`));
  });

  it("the disk of a machine that died goes into another node", async function () {
    const [OLD, NEW] = [theCluster().nodeName, `${CLUSTER}-other`];
    await stop({ name: CLUSTER });
    await start({ name: CLUSTER, gpu: 1, nodeName: NEW });
    await restoreCluster();
    assert.equal(theCluster().nodeName, NEW);
    const stuck = await prod().checkout.run(
      'pulumi config set --path node.hostname "$NEW" --stack "$STACK"; pulumi preview --stack "$STACK"',
      { NEW },
    );
    assert.notEqual(stuck.status, 0);
    assert.match(
      stuck.output,
      new RegExp(`node\\.hostname: .*the data is on node ${OLD}, .*docs/moving\\.md`),
    );

    const output = await follow("move-node", { OLD, NEW });
    assert.match(output, new RegExp(`postgres-0 .*${NEW}`));
    await findEveryRow();
  });

  it("the same disk under a cluster that was set up again, with the same password", async () => {
    const secret = await password();
    await stop({ name: CLUSTER, purge: true });
    await restoreCluster();
    await follow("move-cluster", { CONTEXT: prod().checkout.nameContext("new"), NEW: theCluster().nodeName });
    await logIn("transcript_user", secret);
    await findEveryRow();
  });
});
