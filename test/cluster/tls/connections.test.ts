/** How clients connect. Who is refused is in test/cluster/attacks. */
import assert from "node:assert/strict";
import { promptKubelet } from "../../../cluster/kubelet-prompt.ts";
import { AUTHORITY, ClientPod, HOST } from "../client-pod.ts";
import {
  configured,
  inPod,
  kubectl,
  needsEngine,
  pulumi,
  secretValue,
  sql,
  theCluster,
  until,
  up,
} from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];

describe("connections with TLS", function () {
  this.timeout(300_000);
  needsEngine();
  let client: ClientPod;
  let password: string;

  before(async () => {
    await up();
    const ran = await pulumi([
      ...["up", "--yes", "--skip-preview", "--config-file"],
      configured({ "database.logins": { scribe: "readwrite", reader: "readonly", watch: "monitoring" } }),
    ]);
    assert.equal(ran.status, 0, ran.output);
    password = await secretValue("postgres-secret", "POSTGRES_PASSWORD");
    client = await ClientPod.start("client");
  });
  after(async () => {
    await client.remove();
    await up();
  });

  const ask = (options: string, user?: string, its = password) =>
    client.psql("select 1", { ...(user !== undefined && { user }), password: its, options });
  const allowed = async (options: string) => {
    const ran = await ask(options);
    assert.equal(ran.stdout.trim(), "1", ran.output);
  };
  const verified = `sslmode=verify-full sslrootcert=${AUTHORITY}`;

  it("are verified by authority and name, and speak TLS 1.3", async () => {
    const ran = await client.psql("select version, cipher from pg_stat_ssl where pid = pg_backend_pid()", {
      password,
    });
    assert.match(ran.stdout, /^TLSv1\.3\|TLS_/, ran.output);
  });

  it("bind the password to the connection, so that nobody in between can use it", () =>
    allowed(`host=${HOST} ${verified} channel_binding=require`));

  it("are accepted under every name of the server in the cluster", async () => {
    for (const host of [
      ...["postgres", "postgres.transcript-pipeline", "postgres.transcript-pipeline.svc"],
      "postgres-0.postgres-headless.transcript-pipeline.svc.cluster.local",
    ])
      await allowed(`host=${host} ${verified}`);
  });

  it("through port-forward and exec need nothing more than before", async () => {
    const line =
      'IFS= read -r PGPASSWORD; export PGPASSWORD; exec psql -X -w -At -h 127.0.0.1 -U transcript_user -d transcripts_db -c "select 1"';
    const ran = await inPod(["bash", "-c", line], `${password}\n`);
    assert.equal(ran.stdout.trim(), "1", ran.output);
    const localhost = line
      .replace("-h 127.0.0.1", "-h localhost")
      .replace("exec", `PGSSLMODE=verify-full PGSSLROOTCERT=${AUTHORITY} exec`);
    const named = await inPod(["bash", "-c", localhost], `${password}\n`);
    assert.equal(named.stdout.trim(), "1", named.output);
  });

  it("show nobody the authority's key: neither the server's processes nor any client", async () => {
    const found = await inPod([
      "bash",
      "-c",
      "ls /etc/tls 2>&1; grep -rl 'PRIVATE KEY' /etc /run /usr/local/lib 2>/dev/null",
    ]);
    assert.match(found.output, /cannot access/);
    // The server's own key, in memory, is the only one.
    assert.match(
      found.stdout.trim().split("\n").slice(1).join(),
      /^\/run\/tls\/certificate\.[\d.]+\/tls\.key$/,
    );
    const mode = await inPod(["stat", "-Lc", "%a %u", "/run/tls/current/tls.key"]);
    assert.equal(mode.stdout.trim(), "600 999", mode.output);
  });

  it("survive it when the authority's key is damaged in the Secret: the certificate stays, and a preview says why", async () => {
    const key = await kubectl(
      "get",
      "secret",
      "postgres-ca",
      ...NAMESPACE,
      "-o",
      "jsonpath={.data.tls\\.key}",
    );
    const since = await sql("select pg_postmaster_start_time()", "postgres");
    // What follows does not wait for the kubelet's next look.
    const set = async (value: string) => {
      const changed = JSON.stringify({ data: { "tls.key": value } });
      await kubectl("patch", "secret", "postgres-ca", ...NAMESPACE, "-p", changed);
      await promptKubelet({ kubeconfig: theCluster().kubeconfig }, "transcript-pipeline");
    };
    await set(Buffer.from("damaged").toString("base64"));
    try {
      await until("it is reported", async () =>
        (await inPod(["cat", "/run/tls/problem"])).stdout.includes("no certificate could be signed"),
      );
      await allowed(`host=${HOST} ${verified}`);
      const preview = await pulumi(["preview"]);
      assert.match(
        preview.output,
        /tls: no certificate could be signed: .*keeps the certificate that it has; docs\/tls\.md/,
      );
    } finally {
      await set(key);
    }
    await until(
      "nothing is reported any more",
      async () => (await inPod(["cat", "/run/tls/problem"])).status !== 0,
    );
    await allowed(`host=${HOST} ${verified}`);
    assert.equal(await sql("select pg_postmaster_start_time()", "postgres"), since);
  });
});
