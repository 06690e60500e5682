/** A certificate of an authority that is not the program's: an existing Secret, renewed, damaged and forgotten. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { promptKubelet } from "../../../cluster/kubelet-prompt.ts";
import { ClientPod, HOST, nothingFailed, underLoad } from "../client-pod.ts";
import {
  configured,
  execute,
  inPod,
  kubectl,
  needsEngine,
  pulumi,
  secretValue,
  settingSecret,
  sql,
  theCluster,
  until,
  up,
} from "../support.ts";
import { type Material, OwnAuthority } from "./own-authority.ts";

const NAMESPACE = "transcript-pipeline";
const SECRET = "postgres-tls";
/** Where the client has the authority, which no ConfigMap of the program's has. */
const TRUSTED = "/tmp/own-ca.crt";
const DAY = 24 * 3_600_000;
const PUBLIC_NAME = "db.example.org";
const NAMES = [HOST, "postgres.transcript-pipeline", "localhost", PUBLIC_NAME];

describe("the certificate of an existing Secret", function () {
  this.timeout(600_000);
  needsEngine();
  const authority = new OwnAuthority("our own CA");
  const verified = `host=${HOST} sslmode=verify-full sslrootcert=${TRUSTED}`;
  let client: ClientPod;
  let password: string;
  let file: string;
  let since: string;

  const started = () => sql("select pg_postmaster_start_time()", "postgres");
  const serialOf = (material: Material) => new X509Certificate(material["tls.crt"]).serialNumber;

  /** Replaces the Secret as whoever renews it does. What follows does not wait for the kubelet's next look. */
  async function give(material: Material): Promise<void> {
    const secret = {
      ...{ apiVersion: "v1", kind: "Secret", type: "Opaque" },
      metadata: { name: SECRET, namespace: NAMESPACE },
      stringData: material,
    };
    const { kubeconfig, kubectl: program } = theCluster();
    const made = await execute(program, ["--kubeconfig", kubeconfig, "apply", "--server-side", "-f", "-"], {
      input: JSON.stringify(secret),
    });
    assert.equal(made.status, 0, made.output);
    await promptKubelet({ kubeconfig }, NAMESPACE);
  }

  /** Serial number of what the server shows to a new connection. */
  async function shown(): Promise<string> {
    const look = `openssl s_client -starttls postgres -connect ${HOST}:5432 </dev/null 2>/dev/null | openssl x509 -noout -serial`;
    return (await client.run(["bash", "-c", look])).stdout.trim().replace("serial=", "");
  }
  const isShown = (material: Material) =>
    until("the server shows it", async () => (await shown()) === serialOf(material), 60_000);

  async function connects(options = verified, its = password): Promise<void> {
    const ran = await client.psql("select 1", { password: its, options });
    assert.equal(ran.stdout.trim(), "1", ran.output);
  }

  const problem = async () => (await inPod(["cat", "/run/tls/problem"])).stdout;
  const isReported = (message: RegExp, milliseconds = 60_000) =>
    until(`it is reported: ${String(message)}`, async () => message.test(await problem()), milliseconds);
  const nothingIsReported = () => until("nothing is reported", async () => (await problem()) === "", 90_000);

  async function previewSays(message: RegExp): Promise<void> {
    const ran = await pulumi(["preview", "--config-file", file]);
    assert.equal(ran.status, 0, ran.output);
    assert.match(ran.output, message);
  }
  async function upSays(message: RegExp): Promise<void> {
    const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", file]);
    assert.equal(ran.status, 0, ran.output);
    assert.match(ran.output, message);
  }

  /** The material is refused, reported, and changes nothing for anybody; the one before is back afterwards. */
  async function isRefused(material: Material, before: Material, message: RegExp): Promise<void> {
    await give(material);
    await isReported(message);
    assert.equal(await shown(), serialOf(before), "the one in force stays");
    await connects();
    await previewSays(message);
    assert.equal(await shown(), serialOf(before));
    await give(before);
    await nothingIsReported();
  }

  let current: Material;
  before(async () => {
    await up();
    current = authority.signed(NAMES, 60 * DAY);
    await give(current);
    file = configured({ "tls.source": "existing" });
    const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", file]);
    assert.equal(ran.status, 0, ran.output);
    password = await secretValue("postgres-secret", "POSTGRES_PASSWORD");
    client = await ClientPod.start("client");
    const copied = await client.run(["bash", "-c", `cat >${TRUSTED}`], authority.certificate);
    assert.equal(copied.status, 0, copied.output);
    since = await started();
  });
  after(async () => {
    await client.remove();
    await up();
    await kubectl("delete", "secret", SECRET, "-n", NAMESPACE, "--ignore-not-found");
    authority.remove();
  });

  it("verifies the server to clients that trust its authority, and to no others", async () => {
    await isShown(current);
    await connects();
    const other = new OwnAuthority("another CA");
    try {
      await client.run(["bash", "-c", "cat >/tmp/other.crt"], other.certificate);
      const options = `host=${HOST} sslmode=verify-full sslrootcert=/tmp/other.crt`;
      const ran = await client.psql("select 1", { password, options });
      assert.match(ran.output, /certificate verify failed/);
    } finally {
      other.remove();
    }
  });

  it("is renewed under 20 open connections: none fails, and new ones see the new one", async () => {
    const load = underLoad(client, { password, options: verified, seconds: 45 });
    await until("the load runs", async () => Number(await sessions()) >= 20, 30_000);
    for (let round = 0; round < 3; round++) {
      current = authority.signed(NAMES, (60 + round) * DAY);
      await give(current);
      await isShown(current);
      await connects();
    }
    nothingFailed(await load);
    assert.equal(await started(), since, "without a restart");
  });

  it("is renewed together with the password, under 20 open connections: none fails", async () => {
    const load = underLoad(client, { password, options: verified, seconds: 90 });
    await until("the load runs", async () => Number(await sessions()) >= 20, 30_000);
    const renewed = authority.signed(NAMES, 70 * DAY);
    const changed = "Another-password-2026";
    const set = await pulumi(
      [...settingSecret("secrets.databasePassword"), "--config-file", file],
      {},
      changed,
    );
    assert.equal(set.status, 0, set.output);
    const [ran] = await Promise.all([
      pulumi(["up", "--yes", "--skip-preview", "--config-file", file]),
      give(renewed),
    ]);
    assert.equal(ran.status, 0, ran.output);
    await isShown(renewed);
    await until(
      "the new password logs in",
      async () =>
        (await client.psql("select 1", { password: changed, options: verified })).stdout.trim() === "1",
      60_000,
    );
    const old = await client.psql("select 1", { password, options: verified });
    assert.match(old.output, /password authentication failed/);
    [current, password] = [renewed, changed];
    nothingFailed(await load);
    assert.equal(await started(), since, "without a restart");
  });

  it("that expires tomorrow is used, and reported by preview and up", async () => {
    const tomorrow = authority.signed(NAMES, DAY);
    await give(tomorrow);
    await isShown(tomorrow);
    await isReported(/expires soon, and nobody has renewed it: notAfter=/, 90_000);
    await connects();
    await previewSays(/tls: the server's certificate expires soon/);
    await upSays(/tls: the server's certificate expires soon/);
    await give(current);
    await isShown(current);
    await nothingIsReported();
  });

  it("that has expired never replaces the one in force, and is reported by preview and up", async () => {
    const expired = authority.signed(NAMES, -DAY);
    await give(expired);
    await isReported(/tls\.crt expired: notAfter=/);
    await previewSays(/tls: tls\.crt expired: .*keeps the certificate that it has/);
    await upSays(/tls: tls\.crt expired/);
    assert.equal(await shown(), serialOf(current));
    await connects();
    await give(current);
    await nothingIsReported();
  });

  it("with the key of another one is refused and reported", async () => {
    const other = authority.signed(NAMES, 60 * DAY);
    await isRefused(
      { ...authority.signed(NAMES, 60 * DAY), "tls.key": other["tls.key"] },
      current,
      /tls\.key does not belong to tls\.crt/,
    );
  });

  it("with a key that cannot be read is refused and reported: damaged, or with a passphrase", async () => {
    const next = authority.signed(NAMES, 60 * DAY);
    const message = /tls\.key cannot be read, or has a passphrase/;
    await isRefused({ ...next, "tls.key": next["tls.key"].slice(0, 60) }, current, message);
    const encrypted = authority.encrypted(next["tls.key"], "a passphrase");
    await isRefused({ ...next, "tls.key": encrypted }, current, message);
  });

  it("for another name is refused and reported", () =>
    isRefused(
      authority.signed(["elsewhere.example.org"], 60 * DAY),
      current,
      /clients do not accept tls\.crt as postgres\.transcript-pipeline/,
    ));

  it("that is in force and expires is reported, clients that verify are refused, and a renewed one lets them in", async () => {
    const short = authority.signed(NAMES, 45_000);
    await give(short);
    await isShown(short);
    await connects();
    await isReported(/certificate has expired, and clients that verify it are refused/, 180_000);
    const ran = await client.psql("select 1", { password, options: verified });
    assert.match(ran.output, /certificate has expired|certificate verify failed/);
    await previewSays(/tls: the server's certificate has expired/);
    current = authority.signed(NAMES, 60 * DAY);
    await give(current);
    await isShown(current);
    await connects();
    await nothingIsReported();
    assert.equal(await started(), since, "without a restart");
  });

  it("of an authority in the roots of a client's system is verified by them, with sslrootcert=system", async () => {
    const address = await kubectl(
      "get",
      "service",
      "postgres",
      "-n",
      NAMESPACE,
      "-o",
      "jsonpath={.spec.clusterIP}",
    );
    const system = `host=${PUBLIC_NAME} hostaddr=${address.trim()} sslrootcert=system`;
    const ask = (environment: string, name = PUBLIC_NAME) => {
      const line = `IFS= read -r PGPASSWORD; export PGPASSWORD ${environment}; exec psql -X -w -At -d "$0" -c "select 1"`;
      const connection = `user=transcript_user dbname=transcripts_db ${system.replace(PUBLIC_NAME, name)}`;
      return client.run(["bash", "-c", line, connection], `${password}\n`);
    };
    // What OpenSSL takes for the system's roots, as where the authority is installed.
    const trusting = await ask(`SSL_CERT_FILE=${TRUSTED}`);
    assert.equal(trusting.stdout.trim(), "1", trusting.output);
    assert.match((await ask("SSL_CERT_FILE=/dev/null")).output, /certificate verify failed/);
    assert.match(
      (await ask(`SSL_CERT_FILE=${TRUSTED}`, "other.example.org")).output,
      /does not match host name/,
    );
  });

  /** Sessions of the owner. */
  function sessions(): Promise<string> {
    return sql(
      "select count(*) from pg_stat_activity where usename = 'transcript_user' and application_name = 'pgbench'",
    );
  }
});
