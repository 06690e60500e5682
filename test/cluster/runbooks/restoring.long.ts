import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { STORE } from "../backup/store.ts";
import {
  archiveNow,
  burnDown,
  info,
  NAMESPACE,
  onStored,
  REPOSITORY,
  stored,
  untilReady,
} from "../backup/stored.ts";
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
