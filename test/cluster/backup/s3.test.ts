import assert from "node:assert/strict";
import { kubectl, sql } from "../support.ts";
import {
  archiveNow,
  backupSecret,
  info,
  inAgent,
  logOf,
  NAMESPACE,
  onStored,
  pgbackrest,
  stored,
} from "./stored.ts";
import { STORE } from "./store.ts";

/**
 * How pgBackRest begins what it encrypts (https://github.com/pgbackrest/pgbackrest, src/common/crypto/cipherBlock.c). What
 * is inside a bundle begins without it; were it not encrypted, it would begin as zst does.
 */
const MAGIC = "Salted__";
const ZST = "\\x28\\xb5\\x2f\\xfd";

describe("backups in an object store, over TLS, by an access key for one bucket", function () {
  this.timeout(300_000);
  onStored();

  it("WAL is archived within seconds, and the first backup is a full one", async () => {
    const seconds = await archiveNow();
    console.log(`      a segment is in the store after ${seconds.toFixed(1)} s`);
    const { backup, status, archive } = await info();
    assert.equal(status.code, 0, status.message);
    assert.equal(backup[0]?.type, "full");
    assert.equal(backup[0].error, false);
    assert.equal(backup[0].annotation?.identity, "transcript-pipeline/prod");
    assert.ok(archive[0] && archive[0].min <= archive[0].max);
  });

  it("whoever reads the bucket reads nothing: every object is encrypted", async () => {
    const marker = "a row that nobody else may read";
    await sql(`create table if not exists secret (words text); insert into secret
      select '${marker}' from generate_series(1, 1000)`);
    await archiveNow();
    const listed = JSON.parse(await pgbackrest("repo-ls", "--recurse", "--output=json")) as Record<
      string,
      { type: string; size?: number }
    >;
    const objects = Object.entries(listed).filter(([, { type }]) => type === "file");
    assert.ok(objects.length > 5, JSON.stringify(Object.keys(listed)));
    // Of each object as the store gives it: how it begins, how often it holds the row, and how often what zst begins with.
    const look = `export LC_ALL=C
      count() { grep -aobP "$1" /tmp/object | wc -l; }
      for object; do
        pgbackrest --stanza=main repo-get --raw "$object" >/tmp/object || exit 1
        printf '%s %s %s %s\\n' "$(head -c 8 /tmp/object | tr -c 'A-Za-z_' '?')" "$(count "$MARKER")" "$(count '${ZST}')" "$object"
      done; rm -f /tmp/object`;
    const paths = objects.filter(([, { size }]) => size !== 0).map(([path]) => path);
    const small = paths.filter((path) => (listed[path]?.size ?? 0) < 8 << 20);
    const ran = await inAgent("env", `MARKER=${marker}`, "bash", "-c", look, "bash", ...small);
    assert.equal(ran.status, 0, ran.output);
    const lines = ran.stdout.trim().split("\n");
    assert.equal(lines.length, small.length);
    assert.deepEqual(
      lines.filter((line) => {
        const [begin, rows, zst, object = ""] = line.split(" ");
        // Four bytes can be there by chance, once.
        return rows !== "0" || Number(zst) > 1 || (begin !== MAGIC && !object.includes("/bundle/"));
      }),
      [],
      "these objects are not encrypted",
    );
  });

  it("the passphrase and the keys are in Secrets alone: in no pod, ConfigMap, Job, event or log", async () => {
    const passphrase = await stored().checkout.succeed(
      'pulumi stack output backupPassphrase --show-secrets --stack "$STACK"',
    );
    const secrets = [passphrase.stdout.trim(), STORE.secretKey, STORE.accessKey];
    const files = [await backupSecret("repo1-passphrase.conf"), await backupSecret("repo1-keys.conf")].join(
      "",
    );
    for (const secret of secrets) assert.ok(files.includes(secret));

    const kinds = "pods,configmaps,statefulsets,cronjobs,jobs,events,services";
    const places: Record<string, string> = {
      objects: await kubectl("get", kinds, "-n", NAMESPACE, "-o", "yaml"),
      agent: await logOf("postgres-backup-0"),
      "first backup": await logOf("job/postgres-backup-first"),
      server: await logOf("postgres-0"),
    };
    for (const [place, text] of Object.entries(places)) {
      assert.ok(text.length > 20, `${place}: nothing was read`);
      for (const secret of secrets) {
        assert.ok(secret.length > 8);
        assert.ok(!text.includes(secret), `${place}: there is a secret in plain text`);
        assert.ok(!text.includes(Buffer.from(secret).toString("base64")), `${place}: there is a secret`);
      }
    }
    const titles = await inAgent("bash", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    for (const secret of secrets) assert.ok(!titles.stdout.includes(secret), "a process list shows a secret");
  });
});
