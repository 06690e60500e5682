import assert from "node:assert/strict";
import {
  configured,
  kubectl,
  needsEngine,
  npm,
  pulumi,
  settingSecret,
  sql,
  succeed,
  theCluster,
  until,
  up,
} from "../support.ts";
import { upWithMigration } from "../checkout.ts";

describe("npm run up, with the engine", function () {
  this.timeout(300_000);
  needsEngine();

  it("brings the database up, and it passes the smoke test", async () => {
    const { stdout } = await up();
    assert.match(stdout, /deploying stack dev with Pulumi v?\d/);
    assert.match(
      stdout,
      /smoke test passed: "The foxes were jumping" found at cosine distance 0, written 1 time/,
    );
    assert.match(stdout, /npm run psql/);
  });

  it("says in a line that this cluster does not enforce the network policies that it accepts", async () => {
    const { output, seconds } = await up();
    assert.match(
      output,
      /this cluster accepts network policies and does not enforce them: the server's pod reached the API server/,
    );
    console.log(`      npm run up, without a change: ${seconds.toFixed(1)} s`);
  });

  it("changes nothing the second time: no update, no replacement", async () => {
    const ran = await pulumi(["up", "--yes", "--skip-preview", "--expect-no-changes"]);
    assert.equal(ran.status, 0, ran.output);
    assert.match(ran.stdout, /Resources:\s+\d+ unchanged/);
  });

  it("previews no change of what is deployed", async () => {
    const ran = await pulumi(["preview", "--expect-no-changes"]);
    assert.equal(ran.status, 0, ran.output);
  });

  it("gives a prompt as the owner, who is not a superuser", async () => {
    const ran = await npm(
      "psql",
      "-At",
      "-c",
      "select current_user, rolsuper from pg_roles where rolname = current_user",
    );
    assert.equal(ran.stdout.trim(), "transcript_user|f", ran.output);
  });

  it("has the extensions, and every migration", async () => {
    const extensions = await sql("select string_agg(extname, ' ' order by extname) from pg_extension");
    assert.equal(extensions, "pg_stat_statements pg_trgm plpgsql uuid-ossp vector");
    const { migrationFiles } = await import("../../../sql/files.ts");
    assert.equal(
      Number(await sql("select count(*) from schema_migrations")),
      Object.keys(migrationFiles()).length,
    );
  });

  it("lets the owner read every statement's statistics", async () => {
    assert.equal(
      await sql("select count(*) from pg_stat_statements where query = '<insufficient privilege>'"),
      "0",
    );
  });

  it("lets nobody in without the password, over TCP", async () => {
    const answer = await succeed("bash", [
      "-c",
      `kubectl --kubeconfig ${theCluster().kubeconfig} exec -n transcript-pipeline postgres-0 -- ` +
        `bash -c 'PGPASSWORD=wrong psql -w -h 127.0.0.1 -U transcript_user -d transcripts_db -c "" 2>&1; ` +
        `psql -w -h 127.0.0.1 -U postgres -c "" 2>&1; true'`,
    ]);
    assert.match(answer.stdout, /password authentication failed for user "transcript_user"/);
    assert.match(answer.stdout, /no password supplied/);
  });

  it("builds an HNSW index in parallel, which needs more shared memory than a container has", async () => {
    await sql(`
      create table parallel_build as
        select (select array_agg(random()) from generate_series(1, 64) where i > 0)::vector(64) as embedding
        from generate_series(1, 20000) as i;
      alter table parallel_build set (parallel_workers = 2);
      set maintenance_work_mem = '96MB';
      set max_parallel_maintenance_workers = 2;
      create index on parallel_build using hnsw (embedding vector_cosine_ops);
      drop table parallel_build;
    `);
  });

  it("runs in a namespace that refuses an unrestricted pod", async () => {
    const ran = await succeed("bash", [
      "-c",
      `kubectl --kubeconfig ${theCluster().kubeconfig} run intruder --image=${theCluster().postgresImage} ` +
        "-n transcript-pipeline --restart=Never 2>&1 || true",
    ]);
    assert.match(ran.stdout, /violates PodSecurity "restricted:latest"/);
  });

  it("applies a changed password without touching the pod or an open connection", async () => {
    const pod = (path: string) =>
      kubectl("get", "pod", "postgres-0", "-n", "transcript-pipeline", "-o", `jsonpath={${path}}`);
    const prompted = () => pod(".metadata.annotations.transcript-pipeline/looked-at");
    const [before, promptedBefore] = [await pod(".metadata.uid"), await prompted()];
    const started = await sql("select pg_postmaster_start_time()");
    const password = `changed-${"p:a\\ss".repeat(3)}-word`;
    const file = configured({});
    const set = await pulumi(
      [...settingSecret("secrets.databasePassword"), "--config-file", file],
      {},
      password,
    );
    assert.equal(set.status, 0, set.output);
    const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", file]);
    assert.equal(ran.status, 0, ran.output);
    assert.ok(!ran.output.includes(password), "the password is in Pulumi's output");
    assert.equal(await pod(".metadata.uid"), before);
    // The kubelet was told to look, and does not wait for its own interval.
    assert.notEqual(await prompted(), promptedBefore);
    assert.equal(await sql("select pg_postmaster_start_time()"), started);
    const logsIn = async () =>
      (
        await succeed(
          "bash",
          [
            "-c",
            `kubectl --kubeconfig ${theCluster().kubeconfig} exec -i -n transcript-pipeline postgres-0 -- ` +
              `bash -c 'read -r PGPASSWORD; export PGPASSWORD; psql -w -h 127.0.0.1 -U transcript_user -d transcripts_db -Atc "select 1" 2>&1 || true'`,
          ],
          { input: `${password}\n` },
        )
      ).stdout.trim() === "1";
    await until("the new password is in force", logsIn);
    assert.equal(
      await sql("select count(*) from pg_stat_statements where query ilike '%SCRAM-SHA%'", "postgres"),
      "0",
    );
  });

  it("keeps secrets out of the state file and the server's log", async () => {
    const exported = await succeed("bash", [
      "-c",
      `kubectl --kubeconfig ${theCluster().kubeconfig} get secret -n transcript-pipeline -o json`,
    ]);
    const secrets = (JSON.parse(exported.stdout) as { items: { data?: Record<string, string> }[] }).items
      .flatMap(({ data }) => data?.POSTGRES_PASSWORD ?? [])
      .map((encoded) => Buffer.from(encoded, "base64").toString());
    assert.equal(secrets.length, 3);
    const stateFile = (await pulumi(["stack", "export"])).stdout;
    const log = await kubectl("logs", "-n", "transcript-pipeline", "postgres-0", "--all-containers");
    for (const secret of secrets) {
      assert.ok(secret.length >= 16);
      assert.ok(!stateFile.includes(secret), "a password is in the state");
      assert.ok(!log.includes(secret), "a password is in the log");
    }
  });

  it("reports the SQL error of a failed migration, and continues from there", async () => {
    const broken = (statement: string, back = "") =>
      upWithMigration("29990101000000_broken.sql", `-- migrate:up\n${statement};\n-- migrate:down\n${back}`);
    const failed = await broken("select no_such_column from recordings");
    assert.notEqual(failed.status, 0);
    assert.match(failed.output, /column \\?"no_such_column\\?" does not exist/);
    const mended = await broken("create table mended ()", "drop table mended;\n");
    assert.equal(mended.status, 0, mended.output);
    assert.equal(await sql("select to_regclass('mended') is not null"), "t");
    await sql("drop table mended; delete from schema_migrations where version = '29990101000000'");
    // With a preview: the API server is asked for a new Job next to the finished one.
    const back = await pulumi(["up", "--yes"]);
    assert.equal(back.status, 0, back.output);
    assert.match(back.output, /Job postgres-init create replacement/);
  });

  it("takes any number of init runs at once", async () => {
    const job = JSON.parse(
      await kubectl("get", "job", "postgres-init", "-n", "transcript-pipeline", "-o", "json"),
    ) as {
      metadata: unknown;
      spec: { selector?: unknown; template: { metadata: { labels: Record<string, string> } } };
    };
    delete job.spec.selector;
    const { labels } = job.spec.template.metadata;
    for (const name of Object.keys(labels))
      if (name.includes("uid") || name.includes("job-name")) delete labels[name];
    const runs = [1, 2, 3].map((run) => ({
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: `again-${run}`, namespace: "transcript-pipeline" },
      spec: job.spec,
    }));
    const file = JSON.stringify({ apiVersion: "v1", kind: "List", items: runs });
    await succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, "apply", "-f", "-"], { input: file });
    await kubectl(
      "wait",
      "--for=condition=complete",
      "job/again-1",
      "job/again-2",
      "job/again-3",
      "-n",
      "transcript-pipeline",
      "--timeout=120s",
    );
    await kubectl("delete", "job", "again-1", "again-2", "again-3", "-n", "transcript-pipeline");
  });
});
