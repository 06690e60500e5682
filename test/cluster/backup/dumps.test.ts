import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { inPod, needsEngine, npm, secretValue, shell, sql, up } from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const DUMPS = "/var/lib/postgresql/data/backup-dumps";

const lastLine = (text: string) => text.trimEnd().split("\n").at(-1) ?? "";
const objects = async () => (await inPod(["ls", DUMPS])).stdout.trim().split("\n");

/** Arguments of every process of this machine, which the nodes of the local cluster share. */
function commands(): string {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        return "";
      }
    })
    .join("\n");
}

/** The passphrase that is in the Secret. */
async function passphrase(): Promise<string> {
  const [, value] =
    /cipher-pass=(.*)/.exec(await secretValue("postgres-backup", "repo1-passphrase\\.conf")) ?? [];
  assert.ok(value);
  return value;
}

describe("logical dumps", function () {
  this.timeout(180_000);
  needsEngine();
  let name = "";
  before(async () => {
    await up();
    await sql("create table dumped as select i, md5(i::text) as words from generate_series(1, 5000) as i");
  });
  after(async () => {
    await sql("drop table if exists dumped");
  });

  it("one on request is written, read back and compared, and nobody sees the passphrase", async () => {
    const secret = await passphrase();
    let seen = false;
    let looks = 0;
    const watch = setInterval(() => {
      looks++;
      seen ||= commands().includes(secret);
    }, 20);
    const ran = await npm("backup", "dump").finally(() => {
      clearInterval(watch);
    });
    assert.equal(ran.status, 0, ran.output);
    const last = lastLine(ran.stdout);
    console.log(`      ${last}`);
    const [, made = "", tables, rows] =
      /^dump: DONE: (transcripts_db-\d{8}T\d{6}Z) in repository local: (\d+) tables with (\d+) rows, as in the database; \d+ MiB$/.exec(
        last,
      ) ?? [];
    name = made;
    assert.ok(Number(tables) > 3 && Number(rows) >= 5000, last);
    assert.ok(looks > 20);
    assert.equal(seen, false, "the passphrase was an argument of a process");
    assert.ok(!ran.output.includes(secret));
    const time = name.slice(-16);
    assert.deepEqual(await objects(), [`globals-${time}.sql.bin`, `${name}.dump.bin`, `${name}.json.bin`]);
    assert.equal((await inPod(["head", "-c", "6", `${DUMPS}/${name}.dump.bin`])).stdout, "RCLONE");
    assert.match(
      (await npm("backup", "status")).stdout,
      new RegExp(`^last dump, \\d+ s ago: DONE: ${name} `, "m"),
    );
  });

  it("an emptied table gets its rows back from it, and the roles are there without passwords", async () => {
    await sql("truncate dumped");
    const agent = `kubectl exec ${NAMESPACE.join(" ")} postgres-backup-0 --`;
    const server = `kubectl exec -i ${NAMESPACE.join(" ")} postgres-0 --`;
    const rclone = (object: string) =>
      `${agent} bash -c 'RCLONE_CONFIG_DUMPS1_PASSWORD=$(sed -n s/^repo1-cipher-pass=//p /etc/pgbackrest-secrets/repo1-passphrase.conf | rclone obscure -) exec rclone --config /etc/pgbackrest/rclone.conf cat dumps1:${object}'`;
    const restored = await shell(
      `set -o pipefail; ${rclone(`${name}.dump`)} | ${server} pg_restore -U transcript_user -d transcripts_db --data-only --table=dumped`,
    );
    assert.equal(restored.status, 0, restored.output);
    assert.equal(await sql("select count(*), sum(i) from dumped"), "5000|12502500");
    const roles = await shell(rclone(`globals-${name.slice(-16)}.sql`));
    assert.match(roles.stdout, /^CREATE ROLE transcript_user;$/m);
    assert.doesNotMatch(roles.stdout, /PASSWORD|SCRAM/);
    const proof = JSON.parse((await shell(rclone(`${name}.json`))).stdout) as {
      rows: Record<string, number>;
    };
    assert.equal(proof.rows["public.dumped"], 5000);
  });

  it("a table that the owner may not read fails it, by name, and the dump before stays", async () => {
    await sql("create schema strange; create table strange.secret (i int)", "postgres");
    try {
      const ran = await npm("backup", "dump");
      assert.equal(ran.status, 1, ran.output);
      assert.match(
        lastLine(ran.stdout),
        /^dump: FAILED: repository local: .*the owner may not read strange\.secret/,
      );
      assert.ok((await objects()).includes(`${name}.json.bin`));
    } finally {
      await sql("drop schema strange cascade", "postgres");
    }
  });
});
