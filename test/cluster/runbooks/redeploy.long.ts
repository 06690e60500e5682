import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { findEveryRow, follow, logIn, onProd, password, prod, server } from "./prod.ts";

describe("docs/redeploy.md", function () {
  this.timeout(300_000);
  onProd();

  it("a lost state is created again over the running server, with a new password", async () => {
    const [running, old] = [await server(), await password()];
    rmSync(prod().checkout.backend, { recursive: true });
    assert.match(
      (
        await prod().checkout.run("mkdir $BACKEND; pulumi preview --stack $STACK", {
          BACKEND: prod().checkout.backend,
        })
      ).output,
      /no stack named/,
    );
    await follow("state-lost");
    assert.equal(await server(), running);
    const anew = await password();
    assert.notEqual(anew, old);
    await logIn("transcript_user", anew);
    await findEveryRow();
  });
});
