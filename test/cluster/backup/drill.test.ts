import assert from "node:assert/strict";
import type { Status } from "../../../tools/backup/status.ts";
import { execute, inPod, kubectl, needsEngine, npm, pulumi, sql, theCluster, until, up } from "../support.ts";
import { itLong } from "../../sample.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const VOLUME = "/var/lib/postgresql/data";
const REPOSITORY = `${VOLUME}/backup`;

/** A shell command in the backup agent's container; must succeed. */
const inAgent = (script: string) =>
  kubectl("exec", ...NAMESPACE, "postgres-backup-0", "--", "bash", "-c", script);

async function status(): Promise<Status> {
  const ran = await npm("backup", "status", "--json");
  assert.equal(ran.status, 0, ran.output);
  return JSON.parse(ran.stdout) as Status;
}

const lastLine = (text: string) => text.trimEnd().split("\n").at(-1) ?? "";

/** A drill that must fail; its last line. */
async function failedDrill(): Promise<string> {
  const ran = await npm("backup", "drill");
  assert.equal(ran.status, 1, ran.output);
  return lastLine(ran.stdout);
}

/** What drills have left on the data's disk. */
const left = () => inAgent(`ls -A ${VOLUME}/drill; pgrep -x postgres || true`);

/** A Job of the drills' CronJob with a variable changed. */
async function startDrill(name: string, variable?: { name: string; value: string }): Promise<void> {
  const from = "--from=cronjob/postgres-backup-drill";
  const job = JSON.parse(
    await kubectl("create", "job", name, ...NAMESPACE, from, "--dry-run=client", "-o", "json"),
  ) as { spec: { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } } };
  for (const entry of job.spec.template.spec.containers[0]?.env ?? [])
    if (entry.name === variable?.name) entry.value = variable.value;
  const ran = await execute("kubectl", ["--kubeconfig", theCluster().kubeconfig, "create", "-f", "-"], {
    input: JSON.stringify(job),
  });
  assert.equal(ran.status, 0, ran.output);
}

const logOf = (job: string) =>
  execute("kubectl", [
    ...["--kubeconfig", theCluster().kubeconfig, "logs", ...NAMESPACE, `job/${job}`, "-c", "drill"],
  ]);

describe("restore drills", function () {
  this.timeout(180_000);
  needsEngine();
  before(async () => {
    await up();
  });

  it("the first backup is followed by a first proof, which the status and the stack's output have", async () => {
    await until("a restore is proven", async () => {
      const [first] = (await status()).drills;
      assert.ok(first?.proven !== false, first?.words);
      return first !== undefined;
    });
    const found = await status();
    const [repository] = found.repositories;
    assert.equal(found.archiving.state, "works");
    assert.deepEqual(found.unanswered, []);
    assert.equal(repository?.name, "local");
    assert.equal(repository.backups[0]?.type, "full");
    assert.equal(repository.proof?.label, repository.backups[0].label);
    assert.match(
      repository.proof.words,
      /[1-9]\d* tables with [1-9]\d* rows and [1-9]\d* migrations are what they were/,
    );
    const lost = Number(repository.proof.rpo);
    assert.ok(lost > 0 && lost <= 90, `${lost} s would have been lost`);
    console.log(
      `      a loss of the disk would have cost the last ${lost} s; proven in ${repository.proof.seconds} s`,
    );
    const [drill] = found.drills;
    assert.ok(drill);
    const words = (await npm("backup", "status")).stdout;
    assert.match(words, /last proven restore: \d+ (s|minutes) ago/);
    // The proof is no part of drift. The Job ends a moment after it.
    await until("the output has it", async () => {
      const ran = await pulumi(["preview", "--expect-no-changes"]);
      assert.equal(ran.status, 0, ran.output);
      await up();
      const { stdout } = await pulumi(["stack", "output", "lastProvenRestore"]);
      return new Date(stdout.trim()).getTime() > Date.now() - 3_600_000;
    });
    assert.equal(await left(), "");
  });

  it("a table that lost its rows on the live disk is noticed, by name and numbers", async () => {
    await sql("create table lost as select i from generate_series(1, 1000) as i");
    await sql("checkpoint", "postgres");
    const backup = await npm("backup", "now");
    assert.equal(backup.status, 0, backup.output);
    const file = await sql("select pg_relation_filepath('lost')");
    await inPod(["bash", "-c", `: >${VOLUME}/pgdata/${file}`]);
    try {
      assert.match(
        await failedDrill(),
        /^drill: FAILED for repository local: backup \S+ was restored to \S+, and is not what the live database was: table public\.lost has 1000 instead of 0 rows$/,
      );
    } finally {
      await sql("drop table lost");
    }
    assert.equal(await left(), "");
    assert.equal((await status()).drills[0]?.proven, false);
  });

  it("a damaged object of the repository fails the drill, with its name", async () => {
    // Whatever backup is the newest, it refers to the first one's files.
    const bundle = (
      await inAgent(`cd ${REPOSITORY}/backup/main && ls */bundle/1 | grep -v _ | head -n 1`)
    ).trim();
    const path = `${REPOSITORY}/backup/main/${bundle}`;
    await inAgent(`cp ${path} ${path}.whole && printf damaged | dd of=${path} bs=1 seek=2000 conv=notrunc`);
    try {
      assert.match(
        await failedDrill(),
        /^drill: FAILED for repository local: backup \S+ cannot be restored: .*error restoring '\S+'/,
      );
    } finally {
      await inAgent(`mv ${path}.whole ${path}`);
    }
    assert.equal(await left(), "");
  });

  it("without room it restores nothing, and says how much there is", async () => {
    await startDrill("drill-without-room", { name: "DRILL_FREE", value: "100" });
    await kubectl("wait", ...NAMESPACE, "job/drill-without-room", "--for=condition=failed", "--timeout=90s");
    const { stdout } = await logOf("drill-without-room");
    assert.match(
      lastLine(stdout),
      /no space: the copy needs \d+ MiB, \d+ MiB of the disk's \d+ MiB are free, and 100 % \(\d+ MiB\) must stay free\. Nothing was restored/,
    );
    assert.doesNotMatch(stdout, /restoring backup/);
    assert.equal(await left(), "");
  });

  itLong("what a killed drill leaves on the disk, the next one removes", async () => {
    await startDrill("drill-killed");
    await until(
      "the copy is there",
      async () => /restoring backup/.test((await logOf("drill-killed")).stdout),
      60_000,
      50,
    );
    await until("files are there", async () => (await left()) !== "", 30_000, 50);
    await kubectl(
      "delete",
      "pod",
      ...NAMESPACE,
      "-l",
      "job-name=drill-killed",
      "--grace-period=0",
      "--force",
    );
    const ran = await npm("backup", "drill");
    assert.equal(ran.status, 0, ran.output);
    assert.match(lastLine(ran.stdout), /^drill: PROVEN: backup /);
    assert.equal(await left(), "");
  });
});
