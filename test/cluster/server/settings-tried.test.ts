/**
 * Settings that PostgreSQL refuses, and images that cannot run the database, end the deployment before the server gets
 * them. With the engine if there is one, and with kubectl alone.
 */
import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promptKubelet } from "../../../cluster/kubelet-prompt.ts";
import { findEngine } from "../../../tools/engine/engine.ts";
import { alteredImage } from "../altered-image.ts";
import {
  configured,
  inPod,
  kubectl,
  needsEngine,
  pulumi,
  sql,
  state,
  tagged,
  theCluster,
  until,
  up,
  upWithKubectl,
} from "../support.ts";
import { describeLong } from "../../sample.ts";
import { skip } from "../../skip.ts";

const NAMESPACE = "transcript-pipeline";
const inNamespace = ["-n", NAMESPACE];
const get = (what: string, path: string) => kubectl("get", ...what.split(" "), ...inNamespace, "-o", path);

/** A configuration that no catalogue can judge: only somebody's own image knows which libraries it has. */
const missingLibrary = async () => ({
  "database.image": await tagged("0.8.5-pg16-bookworm"),
  "database.settings.shared_preload_libraries": "pg_stat_statements, not_in_this_image",
});

/** Everything that identifies a server that keeps running. */
async function server(): Promise<Record<string, string>> {
  return {
    pod: await get("pod postgres-0", "jsonpath={.metadata.uid} {.status.containerStatuses[*].restartCount}"),
    set: await get("statefulset postgres", "jsonpath={.metadata.generation}"),
    started: await sql("select pg_postmaster_start_time()"),
    files: await get("configmap postgres-config", "jsonpath={.data}"),
    libraries: await sql("show shared_preload_libraries", "postgres"),
    waiting: await sql("select string_agg(name, ', ') from pg_settings where pending_restart", "postgres"),
    unreadable: await sql("select count(*) from pg_file_settings where error is not null", "postgres"),
  };
}

/** The same, by kubectl alone. */
const byKubectl = (changes: Record<string, unknown>) => upWithKubectl(changes, true);

/** `up` of the deployed configuration with fields changed, by the engine. */
const upWithEngine = (changes: Record<string, unknown>) =>
  pulumi(["up", "--yes", "--skip-preview", "--config-file", configured(changes)]);

const EXTENSIONS = "usr/lib/postgresql/16/share/postgresql/extension";

/** As `postgres:16`, whatever the tag says. */
const withoutPgvector = () =>
  alteredImage("0.8.5-pg16-bookworm", "another-kind", {
    files: { [`${EXTENSIONS}/vector.control`]: undefined },
  });
const REFUSED_IMAGE = /image: REFUSED: this image cannot run the database: it has no extension vector/;

const reconcileLog = () => kubectl("logs", "postgres-0", "-c", "reconcile", ...inNamespace);

/** Writes the server's file by hand, as somebody does when nothing is tried. */
async function writeSettings(text: string): Promise<void> {
  const patch = JSON.stringify({ data: { "postgresql.conf": text } });
  await kubectl("patch", "configmap", "postgres-config", ...inNamespace, "--type=merge", "-p", patch);
  await promptKubelet({ kubeconfig: theCluster().kubeconfig }, NAMESPACE);
}

for (const [by, deploy] of [
  ["the engine", upWithEngine],
  ["kubectl", byKubectl],
] as const) {
  const declare = by === "the engine" ? describe : describeLong;
  declare(`what the server cannot use, deployed with ${by}`, function () {
    this.timeout(300_000);

    before(async function () {
      if (by === "the engine" && "reason" in (await findEngine())) {
        skip(this, "no Pulumi CLI can be had on this machine");
      }
      await up();
    });

    it("settings fail `up` in PostgreSQL's own words, and the server keeps those it has", async () => {
      const before = await server();
      const { status, output } = await deploy(await missingLibrary());
      assert.notEqual(status, 0, output);
      assert.match(
        output,
        /settings: REFUSED: PostgreSQL does not start with these settings .*could not access file "not_in_this_image"/,
      );
      assert.match(output, /docs\/settings-refused\.md/);
      assert.deepEqual(await server(), before);
    });

    it("an image of another kind fails `up` though its tag is right, and the server keeps running", async () => {
      const before = await server();
      const { status, output } = await deploy({ "database.image": await withoutPgvector() });
      assert.notEqual(status, 0, output);
      assert.match(output, REFUSED_IMAGE);
      assert.deepEqual(await server(), before);
    });

    it("corrected, it is deployed, and nothing restarts", async () => {
      const before = await server();
      const { status, output } = await deploy({});
      assert.equal(status, 0, output);
      assert.deepEqual(await server(), before);
      const job = await kubectl("logs", "job/postgres-settings", "-c", "settings", ...inNamespace);
      assert.match(job, /settings: PostgreSQL 16\.\d+ runs with these settings/);
    });

    it("a change that works is tried, and then in force", async () => {
      const before = await get("job postgres-settings", "jsonpath={.metadata.uid}");
      const { status, output } = await deploy({ "database.settings.log_min_duration_statement": "4321ms" });
      assert.equal(status, 0, output);
      assert.notEqual(await get("job postgres-settings", "jsonpath={.metadata.uid}"), before);
      await until("it is in force", async () => (await sql("show log_min_duration_statement")) === "4321ms");
      assert.equal((await deploy({})).status, 0);
    });
  });
}

describeLong("where nothing is tried", function () {
  this.timeout(300_000);
  let former: string;

  before(async () => {
    await up();
    former = await get("configmap postgres-config", String.raw`jsonpath={.data.postgresql\.conf}`);
  });
  after(async () => {
    await up();
  });

  const says = (words: RegExp) =>
    until(`reconcile says ${words.source}`, async () => words.test(await reconcileLog()), 60_000);
  const count = async (words: RegExp) => (await reconcileLog()).match(new RegExp(words, "g"))?.length ?? 0;

  it("the reconciler reports which line of a reloaded file the server refuses, once, and not that it was reloaded", async () => {
    const lines = former.trimEnd().split("\n").length;
    const reloaded = await count(/settings reloaded/);
    await writeSettings(`${former}idle_in_transaction_session_timeout = '5m'\nwork_mem = '3MB'\n`);
    const wrong = new RegExp(
      `/etc/postgresql/postgresql\\.conf line ${lines + 1}: idle_in_transaction_session_timeout = '5m'`,
    );
    await says(wrong);
    await says(/SETTINGS REFUSED by the server/);
    assert.equal(await count(/settings reloaded/), reloaded);
    assert.doesNotMatch(await reconcileLog(), /work_mem = '3MB'/);
    // Longer than it takes to look again.
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    assert.equal(await count(wrong), 1);
    await writeSettings(former);
    await until("it is reloaded", async () => (await count(/settings reloaded/)) > reloaded, 60_000);
  });

  it("the reconciler says what waits for a restart, and what no line of the access files allows", async () => {
    const shown = await sql("show max_connections");
    await writeSettings(former.replace(/^max_connections = .*$/m, "max_connections = '39'"));
    await says(
      new RegExp(`in force only after a restart of the server: max_connections = '39' \\(now ${shown}\\)`),
    );
    await writeSettings(former);
    const { data } = JSON.parse(await get("configmap postgres-config", "json")) as {
      data: Record<string, string>;
    };
    const hba = data["pg_hba.conf"] ?? "";
    const put = async (text: string) => {
      const patch = JSON.stringify({ data: { "pg_hba.conf": text } });
      await kubectl("patch", "configmap", "postgres-config", ...inNamespace, "--type=merge", "-p", patch);
      await promptKubelet({ kubeconfig: theCluster().kubeconfig }, NAMESPACE);
    };
    await put(`${hba}host all all everywhere scram\n`);
    await says(/pg_hba\.conf line \d+: invalid authentication method "scram"/);
    await put(hba);
  });

  it("an image of another kind is refused at its own start, and the data does not change", async () => {
    const image = await get("statefulset postgres", "jsonpath={.spec.template.spec.containers[0].image}");
    await sql("insert into recordings (source_uri) values ('before-another-image')");
    await kubectl(
      "set",
      "image",
      "statefulset/postgres",
      `postgres=${await withoutPgvector()}`,
      ...inNamespace,
    );
    await until("it is refused", async () =>
      REFUSED_IMAGE.test(
        await kubectl("logs", "postgres-0", "-c", "postgres", ...inNamespace).catch(() => ""),
      ),
    );
    await kubectl("set", "image", "statefulset/postgres", `postgres=${image}`, ...inNamespace);
    await kubectl("wait", "--for=condition=Ready", "pod/postgres-0", ...inNamespace, "--timeout=150s");
    assert.equal(await sql("select count(*) from recordings where source_uri = 'before-another-image'"), "1");
    assert.equal((await inPod(["true"])).status, 0);
  });
});

describeLong("a new stack", function () {
  this.timeout(300_000);
  after(async () => {
    await up();
  });

  it("with an image of another kind creates no database", async () => {
    await kubectl("delete", "namespace", NAMESPACE);
    await kubectl("delete", "pv", "postgres-pv");
    rmSync(state().dataDirectory, { recursive: true });
    const image = await withoutPgvector();
    const { status, output } = await byKubectl({ "database.image": image });
    assert.notEqual(status, 0, output);
    assert.match(output, REFUSED_IMAGE);
    assert.ok(!existsSync(join(state().dataDirectory, "pgdata")), "a database was made");
    assert.equal(await kubectl("get", "statefulsets", ...inNamespace, "-o", "name"), "");
  });
});

describeLong("a new stack, which starts its server next to the trial", function () {
  this.timeout(300_000);

  needsEngine();
  after(async () => {
    await up();
  });

  /** Nothing of the stack is left: no object, and no data. */
  async function removed(): Promise<void> {
    await up();
    const { status, output } = await pulumi(["destroy", "--yes", "--skip-preview"]);
    assert.equal(status, 0, output);
    rmSync(state().dataDirectory, { recursive: true });
  }

  it("whose settings are refused fails `up` with the trial's words long before its time is over, and stops the server", async () => {
    await removed();
    const begun = performance.now();
    const { status, output } = await upWithEngine(await missingLibrary());
    assert.notEqual(status, 0, output);
    assert.match(output, /settings: REFUSED: PostgreSQL does not start with these settings/);
    assert.ok(performance.now() - begun < 120_000, output);
    assert.equal(await get("statefulset postgres", "jsonpath={.spec.replicas}"), "0");
  });

  it("is deployed by the next `up`, corrected, and nothing is left to do", async () => {
    const { status, output } = await upWithEngine({});
    assert.equal(status, 0, output);
    assert.equal(await sql("select 1"), "1");
    const preview = await pulumi(["preview", "--expect-no-changes"]);
    assert.equal(preview.status, 0, preview.output);
  });

  it("whose image is of another kind makes no database", async () => {
    await removed();
    const { status, output } = await upWithEngine({ "database.image": await withoutPgvector() });
    assert.notEqual(status, 0, output);
    assert.match(output, REFUSED_IMAGE);
    assert.ok(!existsSync(join(state().dataDirectory, "pgdata")), "a database was made");
  });
});
