import assert from "node:assert/strict";
import { configured, kubectl, needsEngine, pulumi, sql, tagged, until, up } from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];

interface Server {
  uid: string;
  image: string;
  /** When PostgreSQL started. */
  started: string;
}

async function server(): Promise<Server> {
  const [uid = "", image = ""] = (
    await kubectl(
      ...["get", "pod", "postgres-0", ...NAMESPACE, "-o"],
      'jsonpath={.metadata.uid} {.spec.containers[?(@.name=="postgres")].image}',
    )
  ).split(" ");
  return { uid, image, started: await sql("select pg_postmaster_start_time()") };
}

const preview = (changes: Record<string, unknown>) =>
  pulumi(["preview", "--config-file", configured(changes)]);

async function deploy(changes: Record<string, unknown>): Promise<string> {
  const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", configured(changes)]);
  assert.equal(ran.status, 0, ran.output);
  return ran.output;
}

describe("a change of the running database", function () {
  this.timeout(300_000);
  needsEngine();

  const rows = "select count(*), md5(string_agg(text, '' order by id)) from kept";
  let now: string;
  let kept: string;
  before(async () => {
    await up();
    now = await tagged("0.8.5-pg16-bookworm");
    await deploy({ "database.image": now });
    await sql("create table kept as select i as id, md5(i::text) as text from generate_series(1, 5000) as i");
    kept = await sql(rows);
  });

  after(async () => {
    await sql("drop table if exists kept; drop collation if exists sorted");
  });

  afterEach(async () => {
    assert.equal(await sql(rows), kept);
  });

  it("of a setting that reloads is in force without a restart, as the preview says", async () => {
    const change = { "database.image": now, "database.settings.log_min_duration_statement": "1234ms" };
    const { output } = await preview(change);
    assert.match(output, /Reloads without a restart: log_min_duration_statement default → 1234ms/);
    assert.doesNotMatch(output, /Restarts the server/);
    const before = await server();
    await deploy(change);
    await until(
      "the setting is in force",
      async () => (await sql("show log_min_duration_statement")) === "1234ms",
    );
    assert.deepEqual(await server(), before);
  });

  it("of a setting that needs a restart restarts the server once, as the preview says", async () => {
    const change = { "database.image": now, "database.settings.max_worker_processes": 9 };
    const { output } = await preview(change);
    assert.match(output, /Requires a restart of the server: max_worker_processes \S+ → 9/);
    assert.match(output, /Restarts the server, once: settings that require it/);
    const before = await server();
    await deploy(change);
    const after = await server();
    assert.notEqual(after.uid, before.uid);
    assert.equal(await sql("show max_worker_processes"), "9");
    await deploy(change);
    assert.deepEqual(await server(), after);
  });

  it("to another pgvector or distribution is refused until it is done on purpose", async () => {
    const trixie = await tagged("0.8.6-pg16-trixie");
    const { status, output } = await preview({ "database.image": trixie });
    assert.notEqual(status, 0);
    assert.match(
      output,
      /database\.image: is \S+0\.8\.6-pg16-trixie, and the server runs \S+0\.8\.5-pg16-bookworm/,
    );
    assert.match(
      output,
      /the distribution changes from bookworm to trixie.*pgvector changes from 0\.8\.5 to 0\.8\.6/,
    );
    assert.match(output, /pulumi config set --path database\.upgradeTo \S+0\.8\.6-pg16-trixie/);
  });

  it("to another major version is refused, with the way to leave", async () => {
    const { status, output } = await preview({ "database.image": await tagged("0.8.5-pg17-bookworm") });
    assert.notEqual(status, 0);
    assert.match(
      output,
      /database\.image: is \S+, which contains PostgreSQL 17\. Allowed: PostgreSQL 16.*docs\/upgrades\.md/,
    );
  });
});
