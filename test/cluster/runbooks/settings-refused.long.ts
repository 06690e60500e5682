import assert from "node:assert/strict";
import { tagged, theCluster } from "../support.ts";
import { findEveryRow, follow, onProd, prod, server } from "./prod.ts";

describe("docs/settings-refused.md", function () {
  this.timeout(300_000);
  onProd();

  it("what PostgreSQL refuses fails `up` while the server keeps running, and is reverted", async () => {
    const before = await server();
    const set = (key: string, value: string) =>
      `pulumi config set --path database.${key} '${value}' --stack "$STACK"; `;
    // Only somebody's own image knows which libraries it has.
    const refused = await prod().checkout.run(
      set("image", await tagged("0.8.5-pg16-bookworm")) +
        set("settings.shared_preload_libraries", "pg_stat_statements, nowhere") +
        'pulumi up --skip-preview --stack "$STACK"',
    );
    assert.notEqual(refused.status, 0, refused.output);
    assert.match(refused.output, /settings: REFUSED: .*nowhere/);
    assert.equal(await server(), before);
    await prod().checkout.succeed(set("image", theCluster().postgresImage));
    const output = await follow("settings-refused", { SETTING: "shared_preload_libraries" });
    assert.match(output, /settings: REFUSED: .*nowhere/);
    assert.match(output, /\(0 rows\)/);
    assert.equal(await server(), before);
    await findEveryRow();
  });

  it("rendered files are tried before they are applied", async () => {
    const before = await server();
    await prod().checkout.succeed("npm run --silent render -- --stack $STACK --out rendered");
    assert.match(await follow("try-rendered", { RENDERED: "rendered" }), /postgres-settings condition met/);
    assert.equal(await server(), before);
    await findEveryRow();
  });
});
