import assert from "node:assert/strict";
import { kubectl, setSecretValue, sql, until } from "../support.ts";
import { SftpServer } from "./sftp-server.ts";
import { backupSecret, logOf, NAMESPACE, onStored, REPOSITORY } from "./stored.ts";

const lastLine = (text: string) => text.trimEnd().split("\n").at(-1) ?? "";

/** A Job of the dumps' CronJob, until it ends; its last line. */
async function dump(name: string): Promise<string> {
  await kubectl("create", "job", name, "--from=cronjob/postgres-backup-dump", "-n", NAMESPACE);
  const path = "jsonpath={.status.conditions[*].type}";
  await until(
    `${name} ends`,
    async () => /Complete|Failed/.test(await kubectl("get", "job", name, "-n", NAMESPACE, "-o", path)),
    240_000,
    1000,
  );
  return lastLine(await logOf(`job/${name} -c dump`));
}

/** A dump is whole in the repository, and the next one removes what is left of one that was killed. */
function keepsDumps(prefix: string): void {
  it("a dump is written, read back and compared", async () => {
    await sql("create table if not exists dumped as select i from generate_series(1, 3000) as i");
    const last = await dump(`${prefix}-first`);
    console.log(`      ${last}`);
    assert.match(
      last,
      new RegExp(
        `^dump: DONE: transcripts_db-\\S+ in repository ${REPOSITORY}: \\d+ tables with \\d+ rows, `,
      ),
    );
  });

  it("what a dump that is killed in the middle has left, the next one removes", async () => {
    // Random, so that it does not get smaller: it takes seconds.
    await sql(
      "create table if not exists large as select gen_random_uuid() as id, i from generate_series(1, 1000000) as i",
    );
    const name = `${prefix}-killed`;
    await kubectl("create", "job", name, "--from=cronjob/postgres-backup-dump", "-n", NAMESPACE);
    await until("it writes", async () => /: writing /.test(await logOf(`job/${name} -c dump`)), 90_000, 100);
    await kubectl(
      ...["delete", "pod", "-n", NAMESPACE, "-l", `job-name=${name}`, "--grace-period=0", "--force"],
    );
    assert.match(await dump(`${prefix}-next`), /^dump: DONE: /);
    await sql("drop table large");
    // An object that was not whole, or was and has no proof: the one after finds neither.
    assert.match(await dump(`${prefix}-after`), /^dump: DONE: /);
    assert.doesNotMatch(
      await logOf(`job/${prefix}-after -c dump`),
      /removing what killed or failed dumps have left/,
    );
  });
}

describe("logical dumps into an object store, over TLS", function () {
  this.timeout(400_000);
  onStored();
  keepsDumps("store");

  it("keys that the store refuses are told, with the command", async () => {
    const file = "repo1-keys.conf";
    const kept = await backupSecret(file);
    await setSecretValue("postgres-backup", file, kept.replace(/(s3-key-secret=).*/, "$1wrong"));
    try {
      // The first attempt says it; the Job tries for ten minutes.
      await kubectl("create", "job", "refused", "--from=cronjob/postgres-backup-dump", "-n", NAMESPACE);
      await until(
        "it says so",
        async () =>
          /The store refuses these keys.*secrets\.repositories\.cloud\.secretKey/.test(
            await logOf("job/refused -c dump"),
          ),
        120_000,
        1000,
      );
    } finally {
      await kubectl("delete", "job", "refused", "-n", NAMESPACE, "--ignore-not-found");
      await setSecretValue("postgres-backup", file, kept);
    }
  });
});

describe("logical dumps on another machine, over SFTP", function () {
  this.timeout(400_000);
  onStored(SftpServer);
  keepsDumps("sftp");
});
