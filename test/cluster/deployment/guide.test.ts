/**
 * The deployment guide's commands, as it prints them, against what was deployed. Two kinds of change are made to a
 * line: what watches or follows is stopped after a few seconds, and the file of a backup has the day's name.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../tools/cli.ts";
import { execute, kubectl, npm, shell, sql, state, succeed, theCluster, up } from "../support.ts";
import { itLong } from "../../sample.ts";
import { skip } from "../../skip.ts";

interface GuideCommand {
  line: string;
  /** What its output must say. */
  shows: RegExp;
  /** Follows until it is stopped: seconds to let it. */
  follows?: number;
}

const inPod =
  "kubectl exec -n transcript-pipeline postgres-0 -- \\\n  psql -U transcript_user -d transcripts_db -c";

/** The migrations' log: what was applied, or nothing but kubectl's own word on the container. */
const MIGRATED = /Appl|^(Defaulted container "migrate"[^\n]*\n)?$/;

const commands: Record<string, GuideCommand[]> = {
  "Manual Deployment 4, Apply Manifests": [
    { line: "kubectl apply -k manifests/k3s/", shows: /statefulset\.apps\/postgres (configured|unchanged)/ },
    { line: "kubectl get all -n transcript-pipeline", shows: /pod\/postgres-0\s+3\/3\s+Running/ },
  ],
  "Manual Deployment 5, Wait for PostgreSQL": [
    { line: "kubectl get pods -n transcript-pipeline -w", shows: /postgres-0/, follows: 3 },
    {
      line: "kubectl wait --for=condition=ready pod -l app=postgres -n transcript-pipeline --timeout=300s",
      shows: /pod\/postgres-0 condition met/,
    },
  ],
  "Manual Deployment 6, Initialize Database": [
    { line: "kubectl apply -f manifests/k3s/08-init-db-job.yaml", shows: /job\.batch\/postgres-init/ },
    {
      line: "kubectl wait --for=condition=complete job/postgres-init -n transcript-pipeline --timeout=180s",
      shows: /condition met/,
    },
    { line: "kubectl logs -n transcript-pipeline job/postgres-init", shows: MIGRATED },
  ],
  "Manual Deployment 7, Verify Deployment": [
    { line: `${inPod} '\\dx'`, shows: /pg_trgm[^]*uuid-ossp[^]*vector/ },
  ],
  "Monitoring, View Logs": [
    {
      line: "kubectl logs -n transcript-pipeline postgres-0 -f",
      shows: /ready to accept connections/,
      follows: 3,
    },
    { line: "kubectl logs -n transcript-pipeline job/postgres-init", shows: MIGRATED },
    {
      line: "kubectl logs -n transcript-pipeline --all-containers=true -l app=postgres",
      shows: /ready to accept connections|reconcile/,
    },
  ],
  "Troubleshooting, Pod Not Starting": [
    {
      line: "kubectl describe pod -n transcript-pipeline postgres-0",
      shows: /Node-Selectors:\s+kubernetes.io\/hostname=/,
    },
  ],
  "Troubleshooting, Database Connection Refused": [
    { line: "kubectl exec -n transcript-pipeline postgres-0 -- pg_isready", shows: /accepting connections/ },
    { line: "kubectl get endpoints -n transcript-pipeline postgres", shows: /:5432/ },
    {
      line: "kubectl get secret -n transcript-pipeline postgres-secret -o jsonpath='{.data}' | jq 'map_values(@base64d)'",
      shows: /"POSTGRES_USER": "transcript_user"/,
    },
  ],
  "Troubleshooting, Init Job Failing": [
    { line: "kubectl get jobs -n transcript-pipeline", shows: /postgres-init\s+Complete/ },
  ],
  "Troubleshooting, Storage Issues": [
    {
      line: "kubectl get pv,pvc -n transcript-pipeline",
      shows: /postgres-pv\s+2Gi\s+RWO\s+Retain\s+Bound[^]*postgres-pvc\s+Bound/,
    },
  ],
  "Troubleshooting, Performance Issues": [
    {
      line: `${inPod} \\\n  "SELECT * FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 10;"`,
      shows: /total_exec_time[^]*\(10 rows\)/,
    },
    { line: `${inPod} \\\n  "SELECT count(*) FROM pg_stat_activity;"`, shows: /count[^]*\(1 row\)/ },
  ],
};

describe("the guide's commands work as printed", function () {
  this.timeout(240_000);
  let directory: string;

  before(async function () {
    this.timeout(300_000);
    await up();
    directory = mkdtempSync(join(tmpdir(), "guide-"));
    const rendered = await npm(
      "render",
      ...["--stack", "dev", "--config-file", state().configFile, "--out", join(directory, "manifests/k3s")],
    );
    assert.equal(rendered.status, 0, rendered.output);
  });
  after(() => {
    if (directory) rmSync(directory, { recursive: true, force: true });
  });

  for (const [section, lines] of Object.entries(commands)) {
    describe(section, () => {
      for (const { line, shows, follows } of lines) {
        it(line.split("\n")[0] ?? line, async function () {
          if (line.includes("| jq") && !existsSync("/usr/bin/jq")) {
            skip(this, "jq is not installed");
          }
          const ran = await shell(follows === undefined ? line : `timeout ${follows} ${line}`, {
            cwd: directory,
          });
          assert.equal(ran.status, follows === undefined ? 0 : 124, ran.output);
          assert.match(ran.output, shows);
        });
      }
    });
  }

  it("Exec into Pod: kubectl exec -it -n transcript-pipeline postgres-0 -- bash", async () => {
    const ran = await succeed("bash", ["-c", "kubectl exec -it -n transcript-pipeline postgres-0 -- bash"], {
      env: { KUBECONFIG: theCluster().kubeconfig },
      input: "id -un\nexit\n",
    });
    assert.match(ran.stdout, /^postgres$/m);
  });

  it("Accessing: port-forward, and psql from this machine", async function () {
    // The guide's port may be a PostgreSQL's of this machine, which is none of ours to stop.
    if ((await execute("bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/5432"])).status === 0) {
      skip(this, "port 5432 of this machine is in use");
    }
    if (!existsSync("/usr/bin/psql")) {
      skip(this, "psql is not installed");
    }
    const ran = await shell(
      `set -m
       kubectl port-forward -n transcript-pipeline svc/postgres 5432:5432 >/dev/null &
       until (exec 3<>/dev/tcp/127.0.0.1/5432) 2>/dev/null; do sleep 0.1; done
       export PGPASSWORD=$(kubectl get secret -n transcript-pipeline postgres-secret -o jsonpath='{.data.POSTGRES_PASSWORD}' | base64 -d)
       psql -h localhost -p 5432 -U transcript_user -d transcripts_db <<<'select 40 + 2'
       status=$?; kill %1; exit $status`,
      { timeout: 60_000 },
    );
    assert.equal(ran.status, 0, ran.output);
    assert.match(ran.stdout, /42/);
  });

  it("Accessing: the Service's DNS name, from another pod of the cluster", async () => {
    const ran = await kubectl(
      ...["exec", "-n", "transcript-pipeline", "postgres-0", "--", "bash", "-c"],
      "pg_isready -h postgres.transcript-pipeline.svc.cluster.local -p 5432",
    );
    assert.match(ran, /accepting connections/);
  });

  it("Backup: a dump goes out, and back into an emptied database", async () => {
    await sql("insert into recordings (source_uri, title) values ('guide:backup', 'kept in the backup')");
    const dump = await shell(
      "kubectl exec -n transcript-pipeline postgres-0 -- \\\n  pg_dump -U transcript_user -d transcripts_db > backup-$(date +%Y%m%d).sql",
      { cwd: directory },
    );
    assert.equal(dump.status, 0, dump.output);
    // Emptied as an administrator would: the extensions, which only a superuser can create, are in a schema of their own.
    await sql("drop schema public cascade; create schema public authorization pg_database_owner", "postgres");
    const restore = await shell(
      "kubectl exec -i -n transcript-pipeline postgres-0 -- \\\n  psql -U transcript_user -d transcripts_db < backup-$(date +%Y%m%d).sql",
      { cwd: directory },
    );
    assert.equal(restore.status, 0, restore.output);
    assert.doesNotMatch(restore.output, /^ERROR/m);
    assert.equal(
      await sql("select title from recordings where source_uri = 'guide:backup'"),
      "kept in the backup",
    );
    // The roles' privileges are the bootstrap's: it can be run again at any time.
    await kubectl("delete", "job", "postgres-init", "-n", "transcript-pipeline");
    assert.match((await up()).stdout, /smoke test passed/);
  });

  it("Cleanup, Remove Only Database Data: the next `up` binds the volume again and finds the rows", async () => {
    await sql("insert into recordings (source_uri) values ('guide:cleanup-1')");
    for (const line of [
      "kubectl delete statefulset postgres -n transcript-pipeline",
      // Not in the guide: backups into a folder of the volume use its claim too.
      "kubectl delete statefulset postgres-backup -n transcript-pipeline",
      "kubectl delete job postgres-backup-first -n transcript-pipeline",
      "kubectl delete job postgres-init -n transcript-pipeline",
      "kubectl delete pvc postgres-pvc -n transcript-pipeline",
    ]) {
      const ran = await shell(line);
      assert.equal(ran.status, 0, ran.output);
    }
    assert.match(await kubectl("get", "pv", "postgres-pv"), /Released/);
    await up();
    assert.equal(await sql("select count(*) from recordings where source_uri = 'guide:cleanup-1'"), "1");
  });

  itLong("Cleanup, Remove All Resources, the directory kept: the next `up` finds the rows", async () => {
    for (const line of ["kubectl delete namespace transcript-pipeline", "kubectl delete pv postgres-pv"]) {
      const ran = await shell(line);
      assert.equal(ran.status, 0, ran.output);
    }
    await up();
    assert.equal(await sql("select count(*) from recordings where source_uri = 'guide:cleanup-1'"), "1");
  });

  itLong(
    "Cleanup, Remove All Resources, the directory removed too: the next `up` makes a new database",
    async () => {
      for (const line of [
        "kubectl delete namespace transcript-pipeline",
        "kubectl delete pv postgres-pv",
        `rm -rf ${state().dataDirectory}`,
      ]) {
        const ran = await shell(line);
        assert.equal(ran.status, 0, ran.output);
      }
      assert.match((await up()).stdout, /written 1 time/);
      assert.equal(await sql("select count(*) from recordings"), "1");
    },
  );

  it("is deployed from a checkout that these tests left as it was", async () => {
    const changes = await succeed(
      "git",
      ["status", "--porcelain", "Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml"],
      {
        cwd: projectFile("."),
      },
    );
    assert.equal(changes.stdout, "");
  });
});
