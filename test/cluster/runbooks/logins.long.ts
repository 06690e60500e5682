import assert from "node:assert/strict";
import { until } from "../support.ts";
import { follow, get, logIn, onProd, server, untilLogsIn } from "./prod.ts";

describe("docs/logins.md", function () {
  this.timeout(300_000);
  onProd();

  it("a login comes and goes, protected stack or not, without a restart", async () => {
    const running = await server();
    await follow("add-login");
    const secret = Buffer.from(
      await get("secret postgres-login-worker", "jsonpath={.data.POSTGRES_PASSWORD}"),
      "base64",
    ).toString();
    await untilLogsIn("worker", secret);
    await follow("remove-login");
    const refused = () =>
      logIn("worker", secret).then(
        () => false,
        () => true,
      );
    await until("the login is refused", refused);
    assert.equal(await server(), running);
  });
});
