import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { cacheRoot, clusterPaths } from "../../tools/local-cluster/paths.ts";
import {
  CLUSTER,
  configured,
  kubectl,
  needsEngine,
  pulumi,
  sql,
  succeed,
  theCluster,
  up,
} from "./support.ts";

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

/** The stand-in image under another name: what it holds stays the same, whatever its tag says. */
async function tagged(tag: string, repository = "change"): Promise<string> {
  const { postgresImage } = theCluster();
  const name = `localhost/${repository}/pgvector-standin:${tag}`;
  const binaries = join(cacheRoot(), "binaries");
  const containerd = readdirSync(binaries).find((entry) => entry.startsWith("containerd-")) ?? "";
  await succeed(join(binaries, containerd, "ctr"), [
    ...["--address", clusterPaths(CLUSTER).containerdSocket, "--namespace", "k8s.io"],
    ...["images", "tag", "--force", postgresImage, name],
  ]);
  return name;
}

const preview = (changes: Record<string, unknown>) =>
  pulumi(["preview", "--config-file", configured(changes)]);

async function deploy(changes: Record<string, unknown>): Promise<string> {
  const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", configured(changes)]);
  assert.equal(ran.status, 0, ran.output);
  return ran.output;
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 90_000;
  while (!(await condition())) assert.ok(Date.now() < deadline, `not within 90 s: ${what}`);
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
    await up();
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

  it("of a setting that takes a restart restarts the server once, as the preview says", async () => {
    const change = { "database.image": now, "database.settings.max_worker_processes": 9 };
    const { output } = await preview(change);
    assert.match(output, /Takes a restart of the server: max_worker_processes \S+ → 9/);
    assert.match(output, /Restarts the server, once: settings that take one/);
    const before = await server();
    await deploy(change);
    const after = await server();
    assert.notEqual(after.uid, before.uid);
    assert.equal(await sql("show max_worker_processes"), "9");
    await deploy(change);
    assert.deepEqual(await server(), after);
  });

  it("to an image of the same pgvector and distribution restarts it once", async () => {
    const other = await tagged("0.8.5-pg16-bookworm", "changed");
    const { output } = await preview({ "database.image": other });
    assert.match(
      output,
      /Restarts the server, once: .*containers\.postgres\.image \S+ → localhost\/changed\//,
    );
    const before = await server();
    await deploy({ "database.image": other });
    const after = await server();
    assert.notEqual(after.uid, before.uid);
    assert.equal(after.image, other);
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

  it("to another pgvector or distribution, on purpose, brings the existing database along", async () => {
    // As an older image left them: the extension's SQL objects, a collation of older libraries, and its index.
    await sql(
      `create collation sorted (provider = icu, locale = 'de');
       create index kept_text on kept (text collate sorted);
       create index kept_upper on kept ((upper(text) collate sorted)) where id > 10;
       create index kept_other on kept (id);
       update pg_collation set collversion = '1.0' where collname = 'sorted';
       update pg_extension set extversion = '0.8.4' where extname = 'vector'`,
      "postgres",
    );
    const files =
      "select string_agg(relname || relfilenode, ' ' order by relname) from pg_class where relname";
    const [sorted, other] = [`${files} in ('kept_text', 'kept_upper')`, `${files} = 'kept_other'`];
    const [sortedBefore, otherBefore] = [await sql(sorted), await sql(other)];
    const trixie = await tagged("0.8.6-pg16-trixie");
    await deploy({ "database.image": trixie, "database.upgradeTo": trixie });
    assert.equal((await server()).image, trixie);

    const log = await kubectl("logs", "job/postgres-upgrade", ...NAMESPACE);
    assert.match(log, /ALTER EXTENSION vector UPDATE TO '0\.8\.5' \/\* from 0\.8\.4 \*\//);
    assert.match(log, /REINDEX INDEX public\.kept_text/);
    const noticed = await kubectl("logs", "postgres-0", ...NAMESPACE, "-c", "reconcile");
    assert.match(noticed, /extension vector of transcripts_db is at 0\.8\.4, and the image brings 0\.8\.5/);
    assert.match(noticed, /collation sorted of transcripts_db was sorted by version 1\.0/);

    assert.equal(await sql("select extversion from pg_extension where extname = 'vector'"), "0.8.5");
    const outdated =
      "select count(*) from pg_collation where collversion <> pg_collation_actual_version(oid)";
    assert.equal(await sql(outdated), "0");
    const after = (await sql(sorted)).split(" ");
    for (const [index, before] of sortedBefore.split(" ").entries()) assert.notEqual(after[index], before);
    assert.equal(await sql(other), otherBefore, "an index was built again that no collation concerns");
  });

  it("to another major version is refused, with the way to leave", async () => {
    const { status, output } = await preview({ "database.image": await tagged("0.8.5-pg17-bookworm") });
    assert.notEqual(status, 0);
    assert.match(
      output,
      /database\.image: is \S+, which holds PostgreSQL 17\. Allowed: PostgreSQL 16.*docs\/upgrades\.md/,
    );
  });
});
