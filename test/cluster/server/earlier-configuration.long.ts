/**
 * A configuration that PostgreSQL refuses, applied past everything that would have refused it: by kubectl, into the
 * ConfigMap itself. docs/refused-configuration.md is followed as printed.
 */
import assert from "node:assert/strict";
import { smokeTest } from "../../../tools/dev/smoke-test.ts";
import { allRunbooks } from "../runbook.ts";
import {
  theCluster,
  inPod,
  kubectl,
  needsEngine,
  npm,
  pulumi,
  shell,
  sql,
  succeed,
  until,
  up,
} from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];

interface ConfigMap {
  data: Record<string, string>;
}

const deployed = async () =>
  JSON.parse(await kubectl("get", "configmap", "postgres-config", ...NAMESPACE, "-o", "json")) as ConfigMap;

/** Replaces files of the ConfigMap by hand. */
async function replace(files: Record<string, string>): Promise<void> {
  const patch = JSON.stringify({ data: files });
  await kubectl("patch", "configmap", "postgres-config", ...NAMESPACE, "--type=merge", "-p", patch);
}

/** A new pod, which reads the ConfigMap as it is. */
async function restart(): Promise<void> {
  await kubectl("delete", "pod", "postgres-0", ...NAMESPACE);
  await kubectl("wait", ...NAMESPACE, "--for=condition=Ready", "pod/postgres-0", "--timeout=170s");
}

/** No container of the pod was restarted, however many it has. */
const NONE = /^0( 0)*$/;

const restarts = () =>
  kubectl(
    "get",
    "pod",
    "postgres-0",
    ...NAMESPACE,
    "-o",
    "jsonpath={.status.containerStatuses[*].restartCount}",
  );
const logs = (container: string) => kubectl("logs", ...NAMESPACE, "postgres-0", "-c", container);
const superuser = (statement: string) => sql(statement, "postgres");

/** The output of a page's runbook. */
async function follow(name: string): Promise<string> {
  const runbook = allRunbooks().find((candidate) => candidate.name === name);
  assert.ok(runbook, `no page has a runbook ${name}`);
  let output = "";
  for (const block of runbook.blocks) {
    const ran = await shell(`set -euo pipefail\n${block}`);
    assert.equal(ran.status, 0, ran.output);
    output += ran.output;
  }
  return output;
}

describe("a start with a configuration that PostgreSQL refuses, on a cluster", function () {
  this.timeout(400_000);

  let good: Record<string, string>;
  before(async () => {
    await up();
    good = (await deployed()).data;
    await sql("create table if not exists safe as select i as id from generate_series(1, 1000) as i");
  });
  after(async () => {
    if (good === undefined) return;
    await replace(good);
    await restart();
    await up();
    await sql("drop table safe");
  });

  const changed = (lines: string) => ({ "postgresql.conf": `${good["postgresql.conf"]}${lines}\n` });

  it("becomes ready with the last one that started, without a crash, and says so everywhere", async () => {
    await replace(changed("idle_in_transaction_session_timeout = '5m'"));
    await restart();
    assert.match(await restarts(), NONE);
    assert.equal(await sql("select count(*) from safe"), "1000");
    const words =
      /runs with the last configuration that started, because PostgreSQL refuses.*idle_in_transaction_session_timeout.*5m/;

    assert.match(await follow("refused-look"), words);
    assert.match(await follow("refused-difference"), /^> idle_in_transaction_session_timeout = '5m'$/m);
    assert.match(await logs("postgres"), /start-server: CONFIGURATION REFUSED/);
    await until("the reconciler says it", async () => words.test(await logs("reconcile")));
    assert.equal(
      (await sql("select current_setting('transcript_pipeline.refused_configuration')")).startsWith(
        "the server runs",
      ),
      true,
    );
    assert.match((await npm("psql", "-c", "select 1")).output, /CONFIGURATION REFUSED/);
    await assert.rejects(smokeTest({ kubeconfig: theCluster().kubeconfig }), words);
  });

  describe("with the engine", () => {
    needsEngine();

    it("makes a preview warn and an up fail, though nothing is left to deploy", async () => {
      await replace(changed("idle_in_transaction_session_timeout = '5m'"));
      await restart();
      const words =
        /database\.settings: the server runs with the last configuration.*idle_in_transaction_session_timeout/;
      assert.match((await pulumi(["preview"])).output, words);
      const failed = await pulumi(["up", "--yes", "--skip-preview"]);
      assert.notEqual(failed.status, 0, failed.output);
      assert.match(failed.output, words);
    });
  });

  it("takes up the corrected files by a reload, and refuses others that are wrong as well", async () => {
    await replace(changed("idle_in_transaction_session_timeout = '5m'"));
    await restart();
    await replace(changed("work_mem = '32kB'"));
    await until("it is refused as well", async () =>
      /refused as well, and the server runs as before: .*work_mem/.test(await logs("reconcile")),
    );
    await replace(changed("work_mem = '5MB'"));
    await until("the corrected one is in force", async () => (await superuser("show work_mem")) === "5MB");
    await until("it is said", async () =>
      /the deployed configuration is in force/.test(await logs("reconcile")),
    );
    await follow("refused-check");
    assert.equal(
      await superuser("select current_setting('transcript_pipeline.refused_configuration', true)"),
      "",
    );
    assert.match(await restarts(), NONE);
  });

  it("is found where only the data decides: fewer prepared transactions than exist", async () => {
    await replace(changed("max_prepared_transactions = 5"));
    await restart();
    await superuser("begin; create table public.prepared (id int); prepare transaction 'theirs'");
    await replace(changed("max_prepared_transactions = 0"));
    await restart();
    assert.match(await restarts(), NONE);
    assert.equal(await superuser("show max_prepared_transactions"), "5");
    assert.match(await follow("refused-look"), /Increase max_prepared_transactions/);
    assert.equal(await superuser("select gid from pg_prepared_xacts"), "theirs");
    await superuser("rollback prepared 'theirs'");
    await restart();
    assert.equal(await superuser("show max_prepared_transactions"), "0");
  });

  it("lets nobody in over the network when who may connect cannot be read, until it can", async () => {
    await replace({ ...good, "pg_hba.conf": "host all all all nonsense\n" });
    await restart();
    const comes = () =>
      inPod(["bash", "-c", 'psql -w -h "$(hostname -i)" -U transcript_user -d transcripts_db -c "" 2>&1']);
    assert.match((await comes()).output, /no pg_hba\.conf entry/);
    await replace(good);
    await until("clients are asked for their password again", async () =>
      /no password supplied/.test((await comes()).output),
    );
  });

  it("does not hide another fault: a damaged database is reported as such", async () => {
    const scale = (replicas: number) =>
      kubectl("scale", "statefulset", "postgres", ...NAMESPACE, `--replicas=${replicas}`);
    // The node's directory is this machine's.
    const path = await kubectl("get", "pv", "postgres-pv", "-o", "jsonpath={.spec.hostPath.path}");
    const move = async (from: string, to: string) => {
      await scale(0);
      await kubectl("wait", ...NAMESPACE, "--for=delete", "pod/postgres-0", "--timeout=120s");
      await succeed("mv", [`${path}/pgdata/global/${from}`, `${path}/pgdata/global/${to}`]);
      await scale(1);
    };
    await replace(changed("work_mem = '6MB'"));
    await move("pg_control", "hidden");
    await until("the start is refused", async () => {
      const { output } = await shell(`kubectl logs ${NAMESPACE.join(" ")} postgres-0 -c postgres || true`);
      return /starts neither with the deployed configuration nor with the last one.*pg_control/.test(output);
    });
    await move("hidden", "pg_control");
    await until(
      "the server runs",
      async () => (await shell(`kubectl get pod postgres-0 ${NAMESPACE.join(" ")}`)).status === 0,
    );
    await kubectl("wait", ...NAMESPACE, "--for=condition=Ready", "pod/postgres-0", "--timeout=170s");
    assert.equal(await superuser("show work_mem"), "6MB");
    assert.equal(await sql("select count(*) from safe"), "1000");
  });
});
