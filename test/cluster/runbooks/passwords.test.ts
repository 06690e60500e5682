import assert from "node:assert/strict";
import { follow, get, logIn, onProd, password, server, untilLogsIn } from "./prod.ts";

describe("docs/passwords.md", function () {
  this.timeout(300_000);
  onProd();

  it("one key changes every generated password of a protected stack, without a restart", async () => {
    const [running, old] = [await server(), await password()];
    const superuser = await get("secret postgres-superuser", "jsonpath={.data.POSTGRES_PASSWORD}");
    await follow("rotate-passwords");
    const anew = await password();
    assert.notEqual(anew, old);
    assert.notEqual(await get("secret postgres-superuser", "jsonpath={.data.POSTGRES_PASSWORD}"), superuser);
    await untilLogsIn("transcript_user", anew);
    await assert.rejects(logIn("transcript_user", old), /password authentication failed/);
    assert.equal(await server(), running);
  });
});
