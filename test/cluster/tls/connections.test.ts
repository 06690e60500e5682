/** Who can connect, and how: plain text, old protocols, wrong authorities and names, each next to what is allowed. */
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
  const refused = async (options: string, message: RegExp, user?: string, its?: string) => {
    const ran = await ask(options, user, its);
    assert.notEqual(ran.status, 0, `${options} was accepted`);
    assert.match(ran.output, message);
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

  it("without TLS are refused to everybody, with the right password", async () => {
    await allowed(`host=${HOST} ${verified}`);
    await refused(`host=${HOST} sslmode=disable`, /no pg_hba\.conf entry for host .* no encryption/);
    for (const login of ["scribe", "reader", "watch"]) {
      const its = await secretValue(`postgres-login-${login}`, "POSTGRES_PASSWORD");
      const ran = await ask(`host=${HOST} ${verified}`, login, its);
      assert.equal(ran.status, 0, ran.output);
      await refused(`host=${HOST} sslmode=disable`, /no encryption/, login, its);
    }
  });

  it("by an old protocol are refused", () =>
    refused(
      `host=${HOST} ${verified} ssl_max_protocol_version=TLSv1.2`,
      /protocol version|tlsv1 alert|unsupported protocol/i,
    ));

  it("to a server whose authority the client does not trust are not made", async () => {
    const made = await client.run([
      ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-days", "1", "-subj", "/CN=another", "-keyout", "/tmp/k", "-out", "/tmp/another.crt"],
    ]);
    assert.equal(made.status, 0, made.output);
    await refused(
      `host=${HOST} sslmode=verify-full sslrootcert=/tmp/another.crt`,
      /certificate verify failed/,
    );
  });

  it("to a server under a name that is not its own are not made", async () => {
    const address = (
      await kubectl("get", "pod", "postgres-0", ...NAMESPACE, "-o", "jsonpath={.status.podIP}")
    ).trim();
    await allowed(`host=${HOST} hostaddr=${address} ${verified}`);
    await refused(
      `host=postgres.example.com hostaddr=${address} ${verified}`,
      /does not match host name "postgres\.example\.com"/,
    );
  });

  it("of the superuser are refused over the network, with its password and TLS", async () => {
    const its = await secretValue("postgres-superuser", "POSTGRES_PASSWORD");
    await refused(`host=${HOST} ${verified}`, /pg_hba\.conf rejects connection/, "postgres", its);
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
