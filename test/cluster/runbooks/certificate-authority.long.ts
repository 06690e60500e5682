import assert from "node:assert/strict";
import { AUTHORITY, ClientPod, nothingFailed, underLoad } from "../client-pod.ts";
import { inPod, until } from "../support.ts";
import { findEveryRow, follow, get, onProd, password, server } from "./prod.ts";

const NAMES = { OLD: "1", NEW: "2027" };

describe("docs/certificate-authority.md", function () {
  this.timeout(600_000);
  onProd();
  let client: ClientPod | undefined;
  after(async () => client?.remove());

  /** Who signed what the server shows. */
  const issuer = async () => {
    const look =
      "openssl s_client -starttls postgres -connect 127.0.0.1:5432 </dev/null 2>/dev/null | openssl x509 -noout -issuer";
    return (await inPod(["bash", "-c", look])).stdout.trim();
  };

  it("changes the authority under 20 open connections, of which none fails, and no client is refused", async () => {
    const secret = await password();
    client = await ClientPod.start("client");
    const pod = client;
    const running = await server();
    const load = underLoad(pod, { password: secret, seconds: 150 });
    const connects = async () => {
      const ran = await pod.psql("select 1", { password: secret });
      assert.equal(ran.stdout.trim(), "1", ran.output);
    };
    const inClient = async (count: number) =>
      until(
        `the client has ${count}`,
        async () =>
          (await pod.run(["grep", "-c", "BEGIN CERTIFICATE", AUTHORITY])).stdout.trim() === String(count),
      );
    await connects();
    assert.match(await issuer(), /database CA 1$/);

    await follow("add-authority", NAMES);
    assert.match(await issuer(), /database CA 1$/);
    await inClient(2);
    await connects();

    await follow("sign-with-new", NAMES);
    await until("the new one has signed", async () => /database CA 2027$/.test(await issuer()));
    await connects();

    await follow("remove-old", NAMES);
    await inClient(1);
    await connects();
    nothingFailed(await load);
    assert.equal(await server(), running);
    assert.match(await get("configmap postgres-ca", "jsonpath={.data.ca\\.crt}"), /BEGIN CERTIFICATE/);
    await findEveryRow();
  });
});
