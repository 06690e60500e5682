import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NewerPostgres } from "../backup/newer-postgres.ts";
import { STORE } from "../backup/store.ts";
import {
  archiveNow,
  burnDown,
  info,
  NAMESPACE,
  onStored,
  REPOSITORY,
  stored,
  theStore,
  untilReady,
} from "../backup/stored.ts";
import { projectFile } from "../../../tools/cli.ts";
import { STACK } from "../checkout.ts";
import { allRunbooks, type Runbook } from "../runbook.ts";
import { shell, sql } from "../support.ts";

const ROWS = 20_000;
const FINGERPRINT = "select count(*), md5(string_agg(words, ',' order by id)) from precious";

/** Follows a runbook of the page. Returns what it printed. */
const follow = (name: string) => stored().checkout.follow(runbook(name), variables());

function runbook(name: string): Runbook {
  const found = allRunbooks().find((candidate) => candidate.name === name);
  assert.ok(found, `no page of docs/ has a runbook ${name}`);
  return found;
}

let moment = "";
const variables = () => ({ DIRECTORY: stored().checkout.dataDirectory, REPOSITORY, MOMENT: moment });

const pause = () => new Promise((resolve) => setTimeout(resolve, 1500));

describe("docs/restoring.md", function () {
  this.timeout(600_000);
  onStored();

  before(async () => {
    await sql(`create table precious (id int primary key, words text);
      insert into precious select i, md5(i::text) from generate_series(1, ${ROWS}) as i`);
  });

  it("a dump comes back in PostgreSQL 17, with every row, the roles and the extensions, by the commands of the page", async () => {
    await sql(`create table embedded (id int primary key, e vector(3));
      insert into embedded select i, array[i, 1, 2]::vector from generate_series(1, 500) as i;
      create index on embedded using hnsw (e vector_l2_ops)`);
    const dumped = await stored().checkout.succeed('npm run --silent backup -- --stack "$STACK" dump');
    const [, dump = ""] = /^dump: DONE: (\S+) in repository/m.exec(dumped.output) ?? [];
    const machine = new NewerPostgres();
    await machine.start();
    try {
      // The page's own file, with this store's values.
      const page = readFileSync(projectFile("docs/restoring.md"), "utf8");
      const [, conf = ""] = /```ini\n(\[store\]\n[^`]*)```/.exec(page) ?? [];
      const written = conf
        .replace("https://s3.eu-central-1.amazonaws.com", `https://${STORE.host}:${STORE.port}`)
        .replace("force_path_style = false", "force_path_style = true")
        .replace("<accessKey>", STORE.accessKey)
        .replace("<secretKey>", STORE.secretKey)
        .replace("example-transcripts-backup/", `${STORE.bucket}/`);
      assert.doesNotMatch(written, /<|amazonaws|example/);
      const passphrase = await stored().checkout.succeed(
        'pulumi stack output backupPassphrase --show-secrets --stack "$STACK"',
      );
      await machine.write("rclone.conf", written);
      await machine.write("ca.crt", String(theStore().fields.ca));
      await machine.write("passphrase.txt", passphrase.output.trim());
      machine.variables = { DUMP: dump, RCLONE_CA_CERT: "ca.crt" };
      const follow = (name: string) => machine.follow(runbook(name));
      const fetched = await follow("fetch-dump");
      const proof = JSON.parse(/^\{.*\}$/m.exec(fetched)?.[0] ?? "") as {
        sha256: string;
        rows: Record<string, number>;
      };
      assert.ok(fetched.includes(`${proof.sha256}  dump`), fetched);
      await follow("restore-newer");
      assert.match(await machine.psql("show server_version"), /^17\./);
      assert.ok(Object.keys(proof.rows).length > 4);
      assert.equal(proof.rows["public.precious"], ROWS);
      for (const [table, rows] of Object.entries(proof.rows))
        assert.equal(await machine.psql(`select count(*) from only ${table}`), String(rows), table);
      assert.equal(await machine.psql(FINGERPRINT), await sql(FINGERPRINT));
      const nearest =
        "select string_agg(id::text, ',') from (select id from embedded order by e <-> '[7,1,2]' limit 3) as n";
      assert.equal(await machine.psql(nearest), await sql(nearest));
      const owner = "select tableowner from pg_tables where tablename = 'embedded'";
      assert.equal(await machine.psql(owner), "transcript_user");
      const members =
        "select string_agg(rolname, ',' order by rolname) from pg_roles where rolname like 'transcript%'";
      assert.equal(await machine.psql(members), await sql(members, "postgres"));
      // As an application writes it.
      assert.equal(await machine.psql("select '[1,2,3]'::vector <-> '[1,2,4]'::vector"), "1");
    } finally {
      await machine.remove();
      await sql("drop table embedded");
    }
  });

  it("everything comes back to the latest moment, and the database that was there stays aside until it is removed", async () => {
    await archiveNow();
    const rows = await sql(FINGERPRINT);
    const { dataDirectory } = stored().checkout;
    await follow("restore-aside");
    await follow("restore");
    assert.match(await follow("restored"), /backup: done in/);
    assert.equal(await sql(FINGERPRINT), rows);
    assert.ok(existsSync(join(dataDirectory, "pgdata.before/PG_VERSION")));
    await archiveNow();
    assert.ok((await info()).backup.length >= 2);
    await follow("restored-end");
    assert.ok(!existsSync(join(dataDirectory, "pgdata.before")));
  });

  it("everything comes back to a moment before a mistake", async () => {
    const rows = await sql(FINGERPRINT);
    await pause();
    moment = await sql("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'");
    await pause();
    await sql("drop table precious");
    await archiveNow();
    await follow("restore-aside");
    await follow("restore-moment");
    await follow("restore");
    await follow("restored-moment");
    await follow("restored-end");
    await untilReady();
    assert.equal(await sql(FINGERPRINT), rows);
    await archiveNow();
  });

  it("everything comes back after node, cluster and state are lost together, from repository and passphrase", async () => {
    const { checkout } = stored();
    const rows = await sql(FINGERPRINT);
    await archiveNow();
    const passphrase = await checkout.succeed(
      'pulumi stack output backupPassphrase --show-secrets --stack "$STACK"',
    );
    await burnDown();
    await shell(`kubectl delete namespace ${NAMESPACE}; kubectl delete pv postgres-pv`);
    rmSync(checkout.backend, { recursive: true });
    // As the page says of a lost passphrase of the state.
    const file = join(checkout.directory, `Pulumi.${STACK}.yaml`);
    const kept = readFileSync(file, "utf8")
      .replace(/^encryptionsalt:.*\n/m, "")
      .replace(/^  transcript-pipeline:secrets:\n(?: {4}.*\n)*/m, "");
    assert.doesNotMatch(kept, /secure:/);
    writeFileSync(file, kept);

    await checkout.succeed('mkdir -p "$BACKEND"', { BACKEND: checkout.backend });
    await follow("restore-without-state");
    const values = [passphrase.stdout.trim(), STORE.accessKey, STORE.secretKey];
    const lines = runbook("restore-secrets").blocks.join("").trim().split("\n");
    assert.equal(lines.length, values.length);
    // Each command asks for its value, so it cannot be `follow("restore-secrets")`.
    for (const [index, line] of lines.entries())
      await checkout.succeed(`printf %s "$VALUE" | ${line}`, { VALUE: values[index] ?? "" });
    await follow("restore-all");
    await untilReady();
    assert.equal(await sql(FINGERPRINT), rows);
    await archiveNow();
  });
});
