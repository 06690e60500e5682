import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { itLong } from "../../sample.ts";
import { sql, succeed, theCluster, vacate } from "../support.ts";
import { NAMESPACE, findEveryRow, follow, get, logIn, onProd, password, prod, server } from "./prod.ts";

describe("docs/removal.md", function () {
  this.timeout(300_000);
  onProd();

  it("a protected stack refuses to be destroyed, and nothing is deleted", async () => {
    const running = await server();
    const ran = await prod().checkout.run('pulumi destroy --stack "$STACK"');
    assert.notEqual(ran.status, 0);
    for (const name of ["postgres-pvc", "postgres-credentials-owner"]) {
      assert.match(ran.output, new RegExp(`${name}.?.? cannot be deleted\\s+because it is protected`));
    }
    assert.equal(await server(), running);
  });

  it("all but the data goes, and comes back with every row and the same password", async () => {
    const secret = await password();
    await follow("destroy-but-data");
    assert.equal(await get("all,secrets,configmaps", "name"), "configmap/kube-root-ca.crt\n");
    assert.equal(await get("pvc", "name"), "persistentvolumeclaim/postgres-pvc\n");
    await follow("come-back");
    assert.equal(await password(), secret);
    await logIn("transcript_user", secret);
    await findEveryRow();
  });

  itLong("everything goes, the directory too, and the next up makes a new database", async () => {
    const path = prod().dataDirectory;
    const secret = await password();
    const output = await follow("remove-everything", { DIRECTORY: path });
    assert.match(output, /No resources found/);
    assert.ok(!existsSync(path));
    const left = await succeed("bash", [
      "-c",
      `kubectl --kubeconfig ${theCluster().kubeconfig} get ns,pv -o name | grep -E 'postgres|${NAMESPACE}' || true`,
    ]);
    assert.equal(left.stdout, "");

    await follow("forget-stack");
    await prod().checkout.succeed('pulumi stack init "$STACK" && pulumi up --skip-preview --stack "$STACK"');
    assert.equal(await sql("select count(*) from recordings"), "0");
    assert.notEqual(await password(), secret);
    const ran = await prod().checkout.run('pulumi destroy --stack "$STACK"');
    assert.match(ran.output, /because it is protected/);
    // Its rows are gone: the next page has a stack of its own.
    await vacate();
  });
});
