import assert from "node:assert/strict";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { describeProcess, type NodeProcess, podProcesses, signal } from "../faults/node-processes.ts";
import { CLUSTER, kubectl, sql, until } from "../support.ts";
import {
  archiveNow,
  burnDown,
  configure,
  deploy,
  info,
  logOf,
  NAMESPACE,
  onStored,
  pgbackrest,
  processesOf,
  restoreEverything,
  startBackup,
  untilReady,
} from "./stored.ts";

/** Waits for a process of pgBackRest that copies files for a command, and returns all of that command. */
async function untilCopying(command: "backup" | "restore"): Promise<NodeProcess[]> {
  let found: NodeProcess[] = [];
  const copying = new RegExp(`^pgbackrest .* ${command}:local$`);
  await until(
    `pgBackRest copies files: ${command}`,
    () => {
      found = podProcesses(clusterPaths(CLUSTER))
        .flatMap((pid) => describeProcess(pid) ?? [])
        .filter(({ title }) => title.startsWith("pgbackrest ") && title.includes(command));
      return found.some(({ title }) => copying.test(title));
    },
    120_000,
    20,
  );
  return found;
}

const FINGERPRINT = "select count(*), md5(string_agg(words, ',' order by id)) from bulk";

describe("a backup and a restore that are interrupted", function () {
  this.timeout(400_000);
  onStored();
  let before = "";

  it("the server is killed during a base backup: the backup is made in the end, and the next one too", async () => {
    await sql(`create table bulk (id int primary key, words text);
      insert into bulk select i, (select string_agg(md5(i::text || j), '') from generate_series(1, 30) as j)
      from generate_series(1, 60000) as i`);
    before = await sql(FINGERPRINT);
    const job = await startBackup("full", "backup-interrupted");
    await untilCopying("backup");
    const killed = await processesOf("postgres-0");
    signal(
      killed.filter(({ title }) => title.startsWith("postgres")),
      "SIGKILL",
    );
    await untilReady();
    await kubectl(...["wait", "-n", NAMESPACE, "--for=condition=Complete", `job/${job}`, "--timeout=200s"]);
    const log = await logOf(`job/${job}`);
    assert.match(log, /trying again/, log);
    const next = await startBackup("incremental", "backup-next");
    await kubectl(...["wait", "-n", NAMESPACE, "--for=condition=Complete", `job/${next}`, "--timeout=120s"]);
    const { backup, status } = await info();
    assert.equal(status.code, 0, status.message);
    assert.deepEqual(
      backup.map(({ error }) => error),
      backup.map(() => false),
    );
    assert.equal(backup.at(-1)?.type, "incr");
    assert.equal(backup.at(-2)?.type, "full");
    assert.doesNotMatch(
      await pgbackrest("verify", "--output=text", "--verbose"),
      /status: error|(?:missing|checksum invalid|size invalid|other): [1-9]/,
    );
    assert.equal(await sql(FINGERPRINT), before);
  });

  it("a restore that is killed half-way goes on, and the database is whole", async () => {
    await archiveNow();
    await burnDown();
    const restored = restoreEverything({});
    for (let round = 0; round < 2; round++) {
      await untilCopying("restore");
      // The agent as a whole: as if its pod had been evicted.
      signal(await processesOf("postgres-backup-0"), "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    console.log(`      back after ${(await restored).toFixed(0)} s (with pulumi up)`);
    assert.equal(await sql(FINGERPRINT), before);
    await archiveNow();
    configure({ "backup.restoreFrom": undefined });
    await deploy();
  });
});
