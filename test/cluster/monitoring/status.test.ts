import assert from "node:assert/strict";
import type { StatusReport } from "../../../tools/status/findings.ts";
import { kubectl, npm, sql, until, up } from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];

/** `npm run status -- --json`, with its exit status. */
async function status(): Promise<StatusReport & { exit: number | null; seconds: number }> {
  const { stdout, output, status: exit, seconds } = await npm("status", "--json");
  assert.ok(stdout.startsWith("{"), output);
  return { ...(JSON.parse(stdout) as StatusReport), exit, seconds };
}

const names = ({ findings }: StatusReport) => findings.map(({ name }) => name);

/** Waits until nothing is wrong, as another suite's restart may have left it. */
const well = () => until("all is well", async () => (await status()).exit === 0, 180_000, 2000);

describe("npm run status", function () {
  this.timeout(300_000);
  let deployed: string;
  before(async () => {
    deployed = (await up()).output;
  });

  it("is how npm run up ends", () => {
    const lines = deployed.split("\n");
    for (const question of ["Is it up?", "Is it safe?", "Is it fast?", "What runs out next?"])
      assert.ok(
        lines.some((line) => line.startsWith(question)),
        deployed,
      );
    assert.match(deployed, /^Is it up\? +PostgreSQL 16\.\d+/m);
  });

  it("asks all parts itself, and says in words that all is well", async function () {
    const first = await status();
    assert.deepEqual(first.unanswered, []);
    assert.match(first.version ?? "", /^16\.\d+$/);
    const figures = new Set(first.figures.map(({ name }) => name));
    for (const name of [
      ...["server_running_seconds", "connections_used_ratio", "damaged_pages", "cache_hit_ratio"],
      ...["disk_free_ratio", "disk_read_only", "certificate_left_seconds", "configuration_refused"],
    ])
      assert.ok(figures.has(name), `${name}: ${[...figures].join()}`);
    assert.equal(first.backups?.repositories[0]?.name, "local");
    await well();
    const words = await npm("status");
    assert.match(words.output, /^dev: all is well\n/);
    console.log(`      the status took ${words.seconds.toFixed(1)} s`);
  });

  it("is a page too", async () => {
    const { stdout, status: exit } = await npm("status", "--html");
    assert.equal(exit, 0);
    assert.match(stdout, /^<!doctype html>\n[^]*dev: all is well[^]*<\/html>\n$/);
  });

  it("tells of jobs that were given up and of jobs that wait, by their kinds, until they are gone", async () => {
    await sql(
      `insert into jobs (kind, status, finished_at, run_at) values
         ('status_dead', 'dead', now(), now()), ('status_waits', 'queued', null, now() - interval '2 hours')`,
    );
    const found = await status();
    await sql("delete from jobs where kind in ('status_dead', 'status_waits')");
    assert.deepEqual([found.exit, names(found)], [1, ["jobs-dead", "jobs-waiting"]]);
    assert.match(found.findings[0]?.words ?? "", /^1 jobs of kind status_dead/);
    assert.match(found.findings[1]?.words ?? "", /^a job of kind status_waits has waited for 2 hours/);
    await well();
  });

  it("runs nothing of the owner's as the superuser", async () => {
    // What an owner would write to become one: its view calls it with the rights of whoever reads the view.
    await sql(`create table status_seen (who text);
      create function status_spy() returns bigint language plpgsql as
        $$ begin insert into public.status_seen values (session_user); return 0; end $$;
      alter view job_counts rename to job_counts_kept;
      create view job_counts as select kind, status, jobs + status_spy() as jobs, oldest_run_at from job_counts_kept;
      insert into jobs (kind) values ('status_spied')`);
    try {
      await status();
      assert.equal(await sql("select distinct who from status_seen where who <> current_user"), "");
    } finally {
      await sql(`drop view job_counts; alter view job_counts_kept rename to job_counts; drop function status_spy();
        drop table status_seen; delete from jobs where kind = 'status_spied'`);
    }
  });

  it("writes the figures for those who may monitor, 15 seconds old at most or so", async () => {
    await until(
      "the figures are there and new",
      async () => {
        const found = await sql("select 1", "postgres").then(() =>
          kubectl(
            ...[
              "exec",
              ...NAMESPACE,
              "postgres-0",
              "-c",
              "postgres",
              "--",
              "psql",
              "-X",
              "-At",
              "-U",
              "postgres",
            ],
            ...["-d", "postgres", "-c"],
            `select count(distinct name) > 15 and max(clock_timestamp() - at) < interval '40 seconds' and
                    count(*) filter (where name = 'backup_age_seconds') = 1 from monitoring.figure`,
          ),
        );
        return found.trim() === "t";
      },
      120_000,
      2000,
    );
  });

  it("is critical while the server is down, and says so within ten seconds", async () => {
    await kubectl("scale", "statefulset", "postgres", ...NAMESPACE, "--replicas=0");
    try {
      await until("the pod is gone", async () => names(await status()).includes("server-down"), 60_000);
      const found = await status();
      assert.equal(found.exit, 2);
      assert.deepEqual(names(found), ["server-down"]);
      assert.ok(found.seconds < 15, String(found.seconds));
    } finally {
      await kubectl("scale", "statefulset", "postgres", ...NAMESPACE, "--replicas=1");
      await kubectl("wait", ...NAMESPACE, "--for=condition=Ready", "pod/postgres-0", "--timeout=120s").catch(
        () => undefined,
      );
    }
    await well();
  });

  it("tells that nothing is archived while the backup agent is away", async () => {
    await kubectl("scale", "statefulset", "postgres-backup", ...NAMESPACE, "--replicas=0");
    try {
      await until(
        "the agent is gone",
        async () => names(await status()).includes("backup-agent-down"),
        60_000,
      );
      assert.equal((await status()).exit, 2);
    } finally {
      await kubectl("scale", "statefulset", "postgres-backup", ...NAMESPACE, "--replicas=1");
    }
    await well();
  });
});
