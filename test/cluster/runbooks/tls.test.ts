import assert from "node:assert/strict";
import { itLong } from "../../sample.ts";
import { ClientPod } from "../client-pod.ts";
import { kubectl, until } from "../support.ts";
import { follow, NAMESPACE, onProd, password, prod, server } from "./prod.ts";

describe("docs/tls.md", function () {
  this.timeout(300_000);
  onProd();
  let client: ClientPod | undefined;
  after(async () => {
    await client?.remove();
    await kubectl("delete", "namespace", "elsewhere", "--ignore-not-found");
  });

  it("gives another namespace what verifies the server", async () => {
    await kubectl("create", "namespace", "elsewhere");
    await follow("copy-authority", { NAMESPACE: "elsewhere" });
    client = await ClientPod.start("client", { namespace: "elsewhere" });
    const ran = await client.psql("select ssl from pg_stat_ssl where pid = pg_backend_pid()", {
      password: await password(),
    });
    assert.equal(ran.stdout.trim(), "t", ran.output);
  });

  itLong(
    "switches a stack from before, which goes on accepting plain connections until then and names them",
    async () => {
      const { checkout } = prod();
      const secret = await password();
      const plain = {
        password: secret,
        options: "host=postgres.transcript-pipeline.svc.cluster.local sslmode=disable",
      };
      assert.ok(client);
      // As the version before deployed it.
      await checkout.succeed(
        'pulumi config set --path tls.source none --stack "$STACK" && pulumi up --yes --skip-preview --stack "$STACK"',
      );
      assert.equal((await client.psql("select 1", plain)).status, 0);

      const first = await checkout.succeed(
        'pulumi config rm --path tls.source --stack "$STACK" && pulumi up --yes --skip-preview --stack "$STACK"',
      );
      assert.match(first.output, /Restarts the server, once|restart/i);
      const since = await server();
      assert.equal((await client.psql("select 1", plain)).status, 0, "nobody is cut off");
      const waiting = client.psql("select pg_sleep(30)", {
        ...plain,
        options: `${plain.options} application_name=worker`,
      });
      await until("the preview names the session", async () =>
        /transcript_user from [\d.]+ \(worker\)/.test(
          (await checkout.succeed('pulumi preview --stack "$STACK"')).output,
        ),
      );

      await follow("refuse-plain");
      assert.equal(await server(), since, "without a restart");
      assert.equal((await waiting).status, 0, "an open session goes on");
      const pod = client;
      await until("a plain login is refused", async () =>
        /no pg_hba\.conf entry for host .* no encryption/.test((await pod.psql("select 1", plain)).output),
      );
      const verified = await client.psql("select 1", { password: secret });
      assert.equal(verified.stdout.trim(), "1", verified.output);
      const next = await checkout.succeed(
        'pulumi config rm --path tls.plainConnections --stack "$STACK" && pulumi preview --expect-no-changes --stack "$STACK"',
      );
      assert.doesNotMatch(next.output, /plainConnections/);
    },
  );

  it("leaves the certificate alone where nothing changes", async () => {
    const at = () =>
      kubectl(
        "exec",
        "-n",
        NAMESPACE,
        "postgres-0",
        "-c",
        "certificate",
        "--",
        "readlink",
        "/run/tls/current",
      );
    const before = await at();
    await prod().checkout.succeed('pulumi up --yes --skip-preview --expect-no-changes --stack "$STACK"');
    assert.equal(await at(), before);
  });
});
