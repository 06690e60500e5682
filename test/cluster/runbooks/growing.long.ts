import assert from "node:assert/strict";
import { findEveryRow, follow, get, onProd, prod, server } from "./prod.ts";

describe("docs/growing.md", function () {
  this.timeout(300_000);
  onProd();

  it("the volume grows under the running server, to what the disk has room for", async () => {
    const before = await server();
    const claim = () => get("pvc postgres-pvc", "jsonpath={.spec.resources.requests.storage}");
    const claimed = await claim();
    const refused = await prod().checkout.run(
      'pulumi config set --path storage.capacity 900Ti --stack "$STACK"; pulumi up --skip-preview --stack "$STACK"',
    );
    assert.notEqual(refused.status, 0);
    assert.match(refused.output, /bytes free and \d+ in use, together less than the capacity/);

    const output = await follow("grow", { SIZE: "2Gi" });
    assert.match(output, /postgres-pv\s+2Gi/);
    assert.equal(await server(), before);
    assert.equal(await claim(), claimed);
    await prod().checkout.succeed("pulumi preview --stack $STACK --expect-no-changes");
    await findEveryRow();
  });

  it("rendered files are applied with a larger size too", async () => {
    const before = await server();
    await prod().checkout.succeed('pulumi config set --path storage.capacity 3Gi --stack "$STACK"');
    await follow("grow-rendered", { RENDERED: "rendered" });
    assert.equal(await get("pv postgres-pv", "jsonpath={.spec.capacity.storage}"), "3Gi");
    assert.equal(await server(), before);
    await findEveryRow();
  });
});
