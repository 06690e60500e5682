/**
 * The runbooks of docs/, executed as they are printed, in a checkout with the stack `prod`, whose storage is protected.
 * One database lives through all of them; every row of it is looked for after each.
 */
import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { preparationScript } from "../../components/storage/node-storage.ts";
import { projectFile } from "../../tools/cli.ts";
import { start, stop } from "../../tools/local-cluster/cluster.ts";
import { Checkout, STACK } from "./checkout.ts";
import { allRunbooks } from "./runbook.ts";
import {
  CLUSTER,
  execute,
  inPod,
  kubectl,
  needsEngine,
  pulumi,
  restoreCluster,
  shell,
  sql,
  state,
  succeed,
  tagged,
  theCluster,
  until,
} from "./support.ts";

const NAMESPACE = "transcript-pipeline";
const ROWS = 5000;
/** Changes when a row is lost, changed or there twice. */
const EVERY_ROW = "select count(*), md5(string_agg(r::text, ';' order by id)) from recordings as r";

const get = (what: string, path: string) => kubectl("get", ...what.split(" "), "-n", NAMESPACE, "-o", path);
/** The server's pod, its containers' restarts, and the start of its postmaster. */
const server = async () =>
  (await get("pod postgres-0", "jsonpath={.metadata.uid} {.status.containerStatuses[*].restartCount}")) +
  (await sql("select pg_postmaster_start_time()", "postgres"));

/** A server of somebody's own, with nothing in it. */
function emptyServer(name: string): object {
  const command =
    "initdb --username=postgres --auth=trust /tmp/data && exec postgres -D /tmp/data -k /var/run/postgresql";
  const container = {
    name: "postgres",
    image: theCluster().postgresImage,
    command: ["bash", "-ec", command],
    securityContext: { runAsUser: 999, runAsGroup: 999 },
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { containers: [container], terminationGracePeriodSeconds: 1 },
  };
}

describe("the runbooks", function () {
  this.timeout(300_000);
  needsEngine();

  const runbooks = allRunbooks();
  const followed = new Set<string>();
  let checkout: Checkout;
  let fingerprint: string;

  /** Follows a runbook by its name; what the reader fills in are the variables. */
  async function follow(name: string, variables: Record<string, string> = {}): Promise<string> {
    const runbook = runbooks.find((candidate) => candidate.name === name);
    assert.ok(runbook, `no page of docs/ has a runbook ${name}`);
    const output = await checkout.follow(runbook, variables);
    followed.add(name);
    return output;
  }

  async function findEveryRow(): Promise<void> {
    assert.equal(await sql(EVERY_ROW), fingerprint);
  }

  async function password(): Promise<string> {
    return (
      await checkout.succeed("pulumi stack output password --show-secrets --stack $STACK")
    ).stdout.trim();
  }

  /** Logs in over TCP; the server's answer where it refuses. */
  async function logIn(user: string, secret: string): Promise<void> {
    const line = `read -r PGPASSWORD; export PGPASSWORD; psql -w -h 127.0.0.1 -U ${user} -d transcripts_db -c ''`;
    const ran = await inPod(["bash", "-c", line], `${secret}\n`);
    assert.equal(ran.status, 0, ran.output);
  }

  const assertLogsIn = (secret: string) => logIn("transcript_user", secret);

  const untilLogsIn = (user: string, secret: string) =>
    until(`${user} logs in`, () =>
      logIn(user, secret).then(
        () => true,
        () => false,
      ),
    );

  before(async function () {
    this.timeout(300_000);
    await restoreCluster();
    // One namespace, one database: `dev` makes room, and keeps its files.
    if (state().deployment) {
      const ran = await pulumi(["destroy", "--yes", "--skip-preview"]);
      assert.equal(ran.status, 0, ran.output);
    }
    checkout = new Checkout();
    const first = await checkout.succeed(
      'pulumi stack init "$STACK" && pulumi up --skip-preview --stack "$STACK"',
    );
    // A first start is allowed once, knowingly.
    assert.match(
      first.output,
      /a new database is made in it, once\. storage\.mount is not set, so a disk that/,
    );
    assert.match(first.output, /is ready, new, for one new database: transcript-pipeline\/prod/);
    await sql(
      `insert into recordings (source_uri, title)
         select 'runbook:' || i, repeat(md5(i::text), 1 + i % 20) from generate_series(1, ${ROWS}) as i`,
    );
    fingerprint = await sql(EVERY_ROW);
    assert.match(fingerprint, new RegExp(`^${ROWS}\\|[0-9a-f]{32}$`));
  });

  after(async () => {
    if (!checkout) return;
    // Nothing is left of it after the last test; after a failed one the tests that follow need the room.
    await shell(`kubectl delete namespace ${NAMESPACE} --ignore-not-found`);
    await shell("kubectl delete pv postgres-pv --ignore-not-found");
    checkout.remove();
  });

  it("growing.md: the volume grows under the running server, to what the disk has room for", async () => {
    const before = await server();
    const refused = await checkout.run(
      'pulumi config set --path storage.capacity 900Ti --stack "$STACK"; pulumi up --skip-preview --stack "$STACK"',
    );
    assert.notEqual(refused.status, 0);
    assert.match(refused.output, /bytes free and \d+ in use, together less than the capacity/);

    const output = await follow("grow", { SIZE: "2Gi" });
    assert.match(output, /postgres-pv\s+2Gi/);
    assert.equal(await server(), before);
    assert.equal(await get("pvc postgres-pvc", "jsonpath={.spec.resources.requests.storage}"), "1Gi");
    await checkout.succeed("pulumi preview --stack $STACK --expect-no-changes");
    await findEveryRow();
  });

  it("growing.md: rendered files are applied with a larger size too", async () => {
    const before = await server();
    await checkout.succeed('pulumi config set --path storage.capacity 3Gi --stack "$STACK"');
    await follow("grow-rendered", { RENDERED: "rendered" });
    assert.equal(await get("pv postgres-pv", "jsonpath={.spec.capacity.storage}"), "3Gi");
    assert.equal(await server(), before);
    await findEveryRow();
  });

  it("passwords.md: one key changes every generated password of a protected stack, without a restart", async () => {
    const [running, old] = [await server(), await password()];
    const superuser = await get("secret postgres-superuser", "jsonpath={.data.POSTGRES_PASSWORD}");
    await follow("rotate-passwords");
    const anew = await password();
    assert.notEqual(anew, old);
    assert.notEqual(await get("secret postgres-superuser", "jsonpath={.data.POSTGRES_PASSWORD}"), superuser);
    await untilLogsIn("transcript_user", anew);
    await assert.rejects(logIn("transcript_user", old), /password authentication failed/);
    assert.equal(await server(), running);
  });

  it("logins.md: a login comes and goes, protected stack or not, without a restart", async () => {
    const running = await server();
    await follow("add-login");
    const secret = Buffer.from(
      await get("secret postgres-login-worker", "jsonpath={.data.POSTGRES_PASSWORD}"),
      "base64",
    ).toString();
    await untilLogsIn("worker", secret);
    await follow("remove-login");
    const refused = () =>
      logIn("worker", secret).then(
        () => false,
        () => true,
      );
    await until("the login is refused", refused);
    assert.equal(await server(), running);
  });

  it("upgrades.md: another image of the same pgvector and distribution restarts the server once", async () => {
    // The stand-in's own tag does not say what it holds.
    await follow("minor-image", { IMAGE: await tagged("0.8.5-pg16-bookworm") });
    const before = await server();
    const IMAGE = await tagged("0.8.5-pg16-bookworm", "changed");
    const output = await follow("minor-image", { IMAGE });
    assert.match(
      output,
      /Restarts the server, once: .*containers\.postgres\.image \S+ → localhost\/changed\//,
    );
    assert.notEqual(await server(), before);
    assert.match(
      await get("pod postgres-0", "jsonpath={.spec.containers[0].image}"),
      /^localhost\/changed\//,
    );
    assert.equal(await get("pod postgres-0", "jsonpath={.status.containerStatuses[*].restartCount}"), "0 0");
    await findEveryRow();
  });

  it("upgrades.md: another pgvector and distribution bring the existing database along", async () => {
    // As an older image left them: the extension's SQL objects, a collation of older libraries, and its indexes.
    await sql(
      `create collation sorted (provider = icu, locale = 'de');
       create index sorted_title on recordings (title collate sorted);
       create index sorted_upper on recordings ((upper(title) collate sorted)) where duration_ms is null;
       update pg_collation set collversion = '1.0' where collname = 'sorted';
       update pg_extension set extversion = '0.8.4' where extname = 'vector'`,
      "postgres",
    );
    const files = async (names: string) =>
      (
        await sql(
          `select string_agg(relfilenode::text, ' ' order by relname) from pg_class where relname ${names}`,
        )
      ).split(" ");
    const sorted = () => files("like 'sorted%'");
    const other = () => files("= 'recordings_recorded_at_idx'");
    const [sortedBefore, otherBefore] = [await sorted(), await other()];
    const output = await follow("upgrade-image", { IMAGE: await tagged("0.8.6-pg16-trixie") });
    assert.match(output, /ALTER EXTENSION vector UPDATE TO '0\.8\.5' \/\* from 0\.8\.4 \*\//);
    assert.match(output, /REINDEX INDEX public\.sorted_title/);
    assert.match(output, /vector +\| 0\.8\.5 +\| 0\.8\.5/);
    const noticed = await kubectl("logs", "postgres-0", "-n", NAMESPACE, "-c", "reconcile");
    assert.match(noticed, /extension vector of transcripts_db is at 0\.8\.4, and the image brings 0\.8\.5/);
    assert.match(noticed, /collation sorted of transcripts_db was sorted by version 1\.0/);

    const outdated =
      "select count(*) from pg_collation where collversion <> pg_collation_actual_version(oid)";
    assert.equal(await sql(outdated), "0");
    for (const [index, file] of (await sorted()).entries()) assert.notEqual(file, sortedBefore[index]);
    assert.deepEqual(await other(), otherBefore, "an index was built again that no collation concerns");
    await findEveryRow();
    await sql("drop collation sorted cascade", "postgres");
    // A cluster that is set up anew knows the stand-in by its own name alone.
    await follow("minor-image", { IMAGE: theCluster().postgresImage });
  });

  it("upgrades.md: the way to another major version takes every row and every right along", async () => {
    const pod = "newer";
    const NEW = `kubectl exec -i -n default ${pod} --`;
    const env = { NEW, KUBECONFIG: theCluster().kubeconfig };
    await succeed("kubectl", ["apply", "-f", "-"], { env, input: JSON.stringify(emptyServer(pod)) });
    try {
      await until("the new server answers", async () => (await shell(`${NEW} pg_isready`)).status === 0);
      await follow("leave", { NEW });
      const there = async (statement: string) => {
        const psql = "$NEW psql -X -At -v ON_ERROR_STOP=1 -U postgres -d transcripts_db";
        return (await succeed("bash", ["-c", psql], { env, input: statement })).stdout.trim();
      };
      assert.equal(await there(EVERY_ROW), fingerprint);
      const rights = `select relname, relowner::regrole, (select array_agg(a order by a) from unnest(relacl::text[]) as a)
        from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'S') order by relname`;
      assert.equal(await there(rights), await sql(rights));
    } finally {
      await shell(`kubectl delete pod ${pod} -n default --now`);
    }
  });

  it("dumps.md: a dump goes back in without an ERROR, and so does one from before the schema extensions", async () => {
    await follow("keep-a-dump");
    const before = projectFile("test/cluster/fixtures/dump-with-extensions-in-public.sql");
    const output = await follow("restore-old-dump", { DUMP: before });
    assert.match(output, /vector +\| \S+ +\| extensions/);
    assert.equal(
      await sql("select title from recordings where source_uri = 'before:1'"),
      "Of the version before",
    );
    assert.equal(
      await sql("select text from search_segments_text('Füchse', language => 'de')"),
      "Die Füchse sprangen über den Bach",
    );
    await follow("restore-dump", { DUMP: "replaced.sql" });
    await findEveryRow();
    const said = await checkout.succeed("cat restored.log");
    assert.doesNotMatch(said.output, /ERROR/);
  });

  it("settings-refused.md: what PostgreSQL refuses fails `up` while the server runs on, and is taken back", async () => {
    const before = await server();
    const set = (key: string, value: string) =>
      `pulumi config set --path database.${key} '${value}' --stack "$STACK"; `;
    // Which libraries there are, only an image of somebody's own knows.
    const refused = await checkout.run(
      set("image", await tagged("0.8.5-pg16-bookworm")) +
        set("settings.shared_preload_libraries", "pg_stat_statements, nowhere") +
        'pulumi up --skip-preview --stack "$STACK"',
    );
    assert.notEqual(refused.status, 0, refused.output);
    assert.match(refused.output, /settings: REFUSED: .*nowhere/);
    assert.equal(await server(), before);
    await checkout.succeed(set("image", theCluster().postgresImage));
    const output = await follow("settings-refused", { SETTING: "shared_preload_libraries" });
    assert.match(output, /settings: REFUSED: .*nowhere/);
    assert.match(output, /\(0 rows\)/);
    assert.equal(await server(), before);
    await findEveryRow();
  });

  it("settings-refused.md: rendered files are tried before they are applied", async () => {
    const before = await server();
    await checkout.succeed("npm run --silent render -- --stack $STACK --out rendered");
    assert.match(await follow("try-rendered", { RENDERED: "rendered" }), /postgres-settings condition met/);
    assert.equal(await server(), before);
    await findEveryRow();
  });

  it("memory.md: less for each session and more for all, in force after one restart", async () => {
    const output = await follow("more-memory", { WORK_MEM: "6MB", MEMORY_LIMIT: "1100Mi" });
    assert.match(output, /^ 6MB$/m);
    assert.equal(
      await get("pod postgres-0", "jsonpath={.spec.containers[0].resources.limits.memory}"),
      "1100Mi",
    );
  });

  it("full-disk.md, server-refuses-to-start.md: what to look at, and a start without waiting", async () => {
    assert.match(await follow("look-at-disk", { DIRECTORY: checkout.dataDirectory }), /pgdata\/base$/m);
    const before = await server();
    await follow("restart-server");
    await follow("check-start");
    assert.notEqual(await server(), before);
    await findEveryRow();
  });

  it("migrations.md: the init Job runs again without a change", async () => {
    const uid = await get("job postgres-init", "jsonpath={.metadata.uid}");
    await follow("run-init-again");
    assert.notEqual(await get("job postgres-init", "jsonpath={.metadata.uid}"), uid);
  });

  it("interrupted.md: a `pulumi up` that was killed is taken up without a prompt", async () => {
    await checkout.run(
      `kubectl delete namespace ${NAMESPACE}
       setsid pulumi up --stack "$STACK" --skip-preview >/dev/null 2>&1 & sleep 6; kill -9 "-$!"; wait || true`,
    );
    const locked = await checkout.run('pulumi up --stack "$STACK" --skip-preview');
    assert.match(locked.output, /the stack is currently locked by/);
    const output = await follow("take-up");
    assert.match(output, /stack prod is deployed/);
    assert.match(output, /job\.batch\/postgres-init +Complete/);
    await findEveryRow();
  });

  it("redeploy.md: a lost state is made anew over the running server, with a new password", async () => {
    const [running, old] = [await server(), await password()];
    rmSync(checkout.backend, { recursive: true });
    assert.match(
      (await checkout.run("mkdir $BACKEND; pulumi preview --stack $STACK", { BACKEND: checkout.backend }))
        .output,
      /no stack named/,
    );
    await follow("state-lost");
    assert.equal(await server(), running);
    const anew = await password();
    assert.notEqual(anew, old);
    await assertLogsIn(anew);
    await findEveryRow();
  });

  it("removal.md: a protected stack refuses to be destroyed, and nothing is deleted", async () => {
    const running = await server();
    const ran = await checkout.run('pulumi destroy --stack "$STACK"');
    assert.notEqual(ran.status, 0);
    for (const name of ["postgres-pvc", "postgres-credentials-owner"]) {
      assert.match(ran.output, new RegExp(`${name}.?.? cannot be deleted\\s+because it is protected`));
    }
    assert.equal(await server(), running);
  });

  it("removal.md: all but the data goes, and comes back with every row and the same password", async () => {
    const secret = await password();
    await follow("destroy-but-data");
    assert.equal(await get("all,secrets,configmaps", "name"), "configmap/kube-root-ca.crt\n");
    assert.equal(await get("pvc", "name"), "persistentvolumeclaim/postgres-pvc\n");
    await follow("come-back");
    assert.equal(await password(), secret);
    await assertLogsIn(secret);
    await findEveryRow();
  });

  it("renaming.md: the database and its owner get other names, with every row, and no other way", async () => {
    const before = await server();
    const secret = await password();
    const names = { DATABASE: "interviews", OWNER: "interviewer" };
    const stopped = await checkout.run(
      'pulumi config set --path database.name interviews --stack "$STACK"; pulumi preview --stack "$STACK"',
    );
    assert.notEqual(stopped.status, 0, stopped.output);
    assert.match(
      stopped.output,
      /database\.name: is "interviews", but the database is called transcripts_db.*renaming\.md/,
    );

    const inRenamed = (statement: string) =>
      inPod(["psql", "-X", "-At", "-U", names.OWNER, "-d", names.DATABASE, "-c", statement]);
    await follow("rename", names);
    assert.equal((await inRenamed(EVERY_ROW)).stdout.trim(), fingerprint);
    const line = `read -r PGPASSWORD; export PGPASSWORD; psql -w -h 127.0.0.1 -U ${names.OWNER} -d ${names.DATABASE} -c ''`;
    assert.equal((await inPod(["bash", "-c", line], `${secret}\n`)).status, 0);
    assert.equal(
      (
        await inRenamed(
          "select string_agg(datname, ' ' order by datname) from pg_database where not datistemplate",
        )
      ).stdout.trim(),
      "interviews postgres",
    );
    assert.match((await checkout.succeed("pulumi preview --stack $STACK")).output, /unchanged/);

    await follow("rename", { DATABASE: "transcripts_db", OWNER: "transcript_user" });
    await findEveryRow();
    await logIn("transcript_user", await password());
    assert.equal(await server(), before);
  });

  it("refused-configuration.md: what differs is shown, and a corrected file is in force", async () => {
    const conf = (await get("configmap postgres-config", "jsonpath={.data.postgresql\\.conf}")) + "\n";
    const write = (text: string) =>
      kubectl(
        ...["patch", "configmap", "postgres-config", "-n", NAMESPACE, "--type=merge", "-p"],
        JSON.stringify({ data: { "postgresql.conf": text } }),
      );
    await write(`${conf}work_mem = '32kB'\n`);
    await shell(
      `kubectl delete pod postgres-0 -n ${NAMESPACE} && kubectl wait -n ${NAMESPACE} --for=condition=Ready pod/postgres-0 --timeout=170s`,
    );
    assert.match(await follow("refused-look"), /the last configuration that started.*work_mem/);
    assert.match(await follow("refused-difference"), /^> work_mem = '32kB'$/m);
    await write(conf);
    await until(
      "the corrected file is in force",
      async () =>
        (await sql(
          "select current_setting('transcript_pipeline.refused_configuration', true)",
          "postgres",
        )) === "",
    );
    await until("the state is gone", () =>
      follow("refused-check").then(
        () => true,
        () => false,
      ),
    );
    await findEveryRow();
  });

  it("moving.md: the data moves to another directory, and the old one is never started again", async () => {
    const old = checkout.dataDirectory;
    const anew = `${old}-2`;
    const setPath = (path: string) =>
      checkout.run(
        'pulumi config set --path storage.path "$TO" --stack "$STACK"; pulumi preview --stack "$STACK"',
        { TO: path },
      );
    const refused = await setPath(anew);
    assert.notEqual(refused.status, 0);
    assert.match(refused.output, /storage\.path: is ".*-2", but the data is in .*: docs\/moving\.md/);

    await follow("move-path", { OLD: old, NEW: anew });
    await findEveryRow();
    assert.equal(await get("pv postgres-pv", "jsonpath={.spec.hostPath.path}"), anew);
    // Made anew, it asks for what the volume has by now.
    assert.equal(await get("pvc postgres-pvc", "jsonpath={.spec.resources.requests.storage}"), "3Gi");
    const damage = await execute("kubectl", [
      ...["--kubeconfig", theCluster().kubeconfig, "exec", "-n", NAMESPACE, "postgres-0", "--"],
      ...["psql", "-U", "postgres", "-d", "transcripts_db", "-Atc"],
      `create extension if not exists amcheck schema extensions;
       select c.relname, blkno, msg from pg_class as c, extensions.verify_heapam(c.oid) where c.relkind in ('r', 't', 'm')`,
    ]);
    assert.equal(damage.status, 0, damage.output);
    assert.equal(damage.stdout.replace(/^CREATE EXTENSION\s*/, ""), "", damage.output);

    // Setting the path back stops at the preflight; past it, at the old directory's marker.
    const back = await setPath(old);
    assert.notEqual(back.status, 0);
    assert.match(back.output, /the data is in .*-2: /);
    const facts = { path: old, capacity: "1Mi", identity: `transcript-pipeline/${STACK}` };
    const prepared = await execute("/bin/sh", ["-c", preparationScript(facts)]);
    assert.notEqual(prepared.status, 0);
    assert.match(
      prepared.stderr,
      /belongs to transcript-pipeline\/prod, moved to .*-2, and this deployment is/,
    );

    assert.equal((await setPath(anew)).status, 0);
    await follow("move-path-end", { OLD: old });
    assert.ok(!existsSync(`${old}/pgdata.moved`) && existsSync(`${old}/volume.identity`));
  });

  it("moving.md: the disk of a machine that died goes into another node", async function () {
    const [OLD, NEW] = [theCluster().nodeName, `${CLUSTER}-other`];
    await stop({ name: CLUSTER });
    await start({ name: CLUSTER, gpu: 1, nodeName: NEW });
    await restoreCluster();
    assert.equal(theCluster().nodeName, NEW);
    const stuck = await checkout.run(
      'pulumi config set --path node.hostname "$NEW" --stack "$STACK"; pulumi preview --stack "$STACK"',
      { NEW },
    );
    assert.notEqual(stuck.status, 0);
    assert.match(
      stuck.output,
      new RegExp(`node\\.hostname: .*the data is on node ${OLD}: .*docs/moving\\.md`),
    );

    const output = await follow("move-node", { OLD, NEW });
    assert.match(output, new RegExp(`postgres-0 .*${NEW}`));
    await findEveryRow();
  });

  it("moving.md: the same disk under a cluster that was set up again, with the same password", async () => {
    const secret = await password();
    await stop({ name: CLUSTER, purge: true });
    await restoreCluster();
    await follow("move-cluster", { CONTEXT: checkout.nameContext("new"), NEW: theCluster().nodeName });
    await assertLogsIn(secret);
    await findEveryRow();
  });

  it("removal.md: everything goes, the directory too, and the next up makes a new database", async () => {
    const path = `${checkout.dataDirectory}-2`;
    const secret = await password();
    const output = await follow("remove-everything", { DIRECTORY: path });
    assert.match(output, /No resources found/);
    assert.ok(!existsSync(path));
    const left = await succeed("bash", [
      "-c",
      `kubectl --kubeconfig ${theCluster().kubeconfig} get ns,pv -o name | grep -E 'postgres|${NAMESPACE}' || true`,
    ]);
    assert.equal(left.stdout, "");

    await follow("forget-stack");
    await checkout.succeed('pulumi stack init "$STACK" && pulumi up --skip-preview --stack "$STACK"');
    assert.equal(await sql("select count(*) from recordings"), "0");
    assert.notEqual(await password(), secret);
    const ran = await checkout.run('pulumi destroy --stack "$STACK"');
    assert.match(ran.output, /because it is protected/);
  });

  it("of all pages have been followed here", () => {
    assert.deepEqual(
      runbooks
        .map(({ page, name }) => `${page}: ${name}`)
        .filter((it) => !followed.has(it.split(": ")[1] ?? "")),
      [],
    );
  });
});
