/**
 * The Secrets and the program stay the truth: changes by a role, the owner or somebody by hand are corrected, invalid
 * Secrets are refused, and no failure next to the server takes the server out of its Service.
 */
import assert from "node:assert/strict";
import { clusterProcesses } from "../../../tools/local-cluster/cgroups.ts";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { readFileSync } from "node:fs";
import {
  CLUSTER,
  configured,
  inPod,
  kubectl,
  needsEngine,
  pulumi,
  secretValue,
  setSecretValue,
  sql,
  until,
  up,
} from "../support.ts";
import { itLong, sampled } from "../../sample.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const LOGINS = { scribe: "readwrite", reader: "readonly", leaver: "readonly" } as const;

const passwords: Record<string, string> = {};

/** SQL over TCP, as clients come. */
async function as(role: string, statements: string): Promise<string> {
  const line = `IFS= read -r PGPASSWORD || exit 99; export PGPASSWORD; exec psql -X -q -w -At -h 127.0.0.1 -U ${role} -d transcripts_db 2>&1`;
  const ran = await inPod(["bash", "-c", line], `${passwords[role] ?? ""}\n${statements}`, 120_000);
  return ran.stdout.trim();
}

const reconcileLog = () => kubectl("logs", ...NAMESPACE, "postgres-0", "-c", "reconcile");

/** Whether both containers of the pod are ready, and which pod it is. */
const readiness = () =>
  kubectl(
    ...["get", "pod", "postgres-0", ...NAMESPACE, "-o"],
    "jsonpath={.metadata.uid} {.status.containerStatuses[*].ready} {.status.containerStatuses[*].restartCount}",
  );

/** Checks the pod all the time while something is done, and returns every result that differs from the first. */
async function unsteadiness(work: () => Promise<void>): Promise<string[]> {
  const first = await readiness();
  const others = new Set<string>();
  let working = true;
  const looking = (async () => {
    while (working) {
      const look = await readiness();
      if (look !== first) others.add(`${first} → ${look}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  try {
    await work();
  } finally {
    working = false;
    await looking;
  }
  return [...others];
}

/** Processes of the reconciler's script, except the first of its container. */
function reconcilers(): number[] {
  return clusterProcesses(clusterPaths(CLUSTER)).filter((pid) => {
    try {
      return /^bash\0[^\0]*\/reconcile\.sh\0$/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
    } catch {
      return false;
    }
  });
}

async function deploy(changes: Record<string, unknown>): Promise<string> {
  const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", configured(changes)]);
  assert.equal(ran.status, 0, ran.output);
  return ran.output;
}

describe("the Secrets and the program stay the truth", function () {
  this.timeout(400_000);
  needsEngine();

  before(async () => {
    await up();
    await deploy({ "database.logins": LOGINS });
    for (const login of Object.keys(LOGINS))
      passwords[login] = await secretValue(`postgres-login-${login}`, "POSTGRES_PASSWORD");
    passwords.transcript_user = await secretValue("postgres-secret", "POSTGRES_PASSWORD");
    await until("all logins are there", async () =>
      (await Promise.all(Object.keys(LOGINS).map((login) => as(login, "select 1")))).every(
        (answer) => answer === "1",
      ),
    );
  });

  after(async () => {
    if (passwords.reader === undefined) return;
    await up();
    await sql("drop role if exists scribe, reader, leaver", "postgres");
  });

  for (const role of ["scribe", "transcript_user"]) {
    it(`a password that ${role} changed for itself gives way to the one in its Secret`, async () => {
      const own = passwords[role] ?? "";
      assert.equal(await as(role, "alter role current_user password 'stolen-password-0123'"), "");
      // The control: for a moment the thief's is in force, and the Secret's is not.
      assert.match(await as(role, "select 1"), /password authentication failed/);
      passwords[role] = "stolen-password-0123";
      const taken = await as(role, "select 1");
      passwords[role] = own;
      await until("the Secret's is in force again", async () => (await as(role, "select 1")) === "1", 30_000);
      passwords[role] = "stolen-password-0123";
      const still = await as(role, "select 1");
      passwords[role] = own;
      assert.equal(taken, "1");
      assert.match(still, /password authentication failed/);
      assert.match(await reconcileLog(), new RegExp(`the password of ${role} is now the one in its Secret`));
    });
  }

  it("a login's own settings are removed, and its limits restored", async () => {
    const own = "synchronous_commit = off; alter role scribe set search_path = nowhere";
    await as("scribe", `alter role scribe set ${own}; alter role scribe set statement_timeout = 0`);
    await as("scribe", "alter role scribe in database transcripts_db set work_mem = '1MB'");
    const shown = () => as("scribe", "show synchronous_commit; show search_path; show statement_timeout");
    assert.equal(await shown(), "off\nnowhere\n0");
    await until(
      "they are as the program says",
      async () => (await shown()) === 'on\n"$user", public, extensions\n5min',
      30_000,
    );
    assert.equal(
      await sql(
        "select rolconnlimit, (select count(*) from pg_db_role_setting where setrole = pg_roles.oid) from pg_roles where rolname = 'scribe'",
        "postgres",
      ),
      "20|1",
    );
  });

  itLong(
    "what the owner attached to the database is taken off, and stops neither sessions nor a deployment",
    async () => {
      for (const attached of [
        ...["default_transaction_read_only = on", "role = 'transcripts_readonly'", "search_path = nowhere"],
        ...["statement_timeout = 1", "local_preload_libraries = 'not-there'"],
      ]) {
        assert.doesNotMatch(
          await as("transcript_user", `alter database transcripts_db set ${attached}`),
          /ERROR/,
        );
        // The bootstrap runs again, whatever the sessions of others have to do with.
        await kubectl("delete", "job", "postgres-init", ...NAMESPACE);
        await deploy({ "database.logins": LOGINS });
        await until(
          `${attached} is off`,
          async () => (await as("reader", "select count(*) >= 0 from recordings")) === "t",
          30_000,
        );
      }
      // And without a deployment.
      await as("transcript_user", "alter database transcripts_db set default_transaction_read_only = on");
      assert.equal(await as("scribe", "show default_transaction_read_only"), "on", "the control");
      await until(
        "it is off",
        async () => (await as("scribe", "show default_transaction_read_only")) === "off",
        30_000,
      );
      assert.match(
        await reconcileLog(),
        /removed settings that were attached to database transcripts_db by hand: default_transaction_read_only/,
      );
      // What only tunes a search may stay.
      await as(
        "transcript_user",
        "select '[1]'::vector; alter database transcripts_db set hnsw.ef_search = 41",
      );
      await new Promise((resolve) => setTimeout(resolve, 8000));
      assert.match(
        await sql("select setconfig from pg_db_role_setting where setrole = 0", "postgres"),
        /hnsw.ef_search=41/,
      );
      await as("transcript_user", "select '[1]'::vector; alter database transcripts_db reset hnsw.ef_search");
    },
  );

  it("a login that is removed while it holds its own role is retired, and delays neither the others nor the pod", async () => {
    const session = as("leaver", "begin; alter role leaver set work_mem = '1MB'; select pg_sleep(300)");
    await until(
      "it holds its role",
      async () =>
        (await sql(
          "select count(*) from pg_stat_activity where usename = 'leaver' and query like '%sleep%'",
          "postgres",
        )) === "1",
    );
    const seen = await unsteadiness(async () => {
      await deploy({ "database.logins": { scribe: "readwrite", reader: "readonly", later: "readonly" } });
      await until(
        "it cannot log in, and the next one can",
        async () =>
          (await sql(
            "select string_agg(rolname || rolcanlogin, ' ' order by rolname) from pg_roles where rolname in ('leaver', 'later')",
            "postgres",
          )) === "latertrue leaverfalse",
        60_000,
      );
    });
    assert.deepEqual(seen, []);
    assert.match(await session, /terminating connection/);
    await sql("alter role later nologin", "postgres");
    await deploy({ "database.logins": { scribe: "readwrite", reader: "readonly" } });
    await until("later is retired", async () => /login later is no longer/.test(await reconcileLog()));
    await sql("drop role later", "postgres");
  });

  describe("an invalid Secret", () => {
    const roles = () =>
      sql("select md5(string_agg(a::text, ' ' order by rolname)) from pg_authid a", "postgres");
    const databases = () =>
      sql("select string_agg(datname, ' ' order by datname) from pg_database", "postgres");
    const every = [
      ["POSTGRES_PASSWORD", "", /POSTGRES_PASSWORD is empty/],
      ["POSTGRES_PASSWORD", "with a line\nbreak-0123456", /POSTGRES_PASSWORD holds a line break/],
      ["POSTGRES_DB", "postgres", /POSTGRES_DB is 'postgres', which cannot be the database/],
      ["POSTGRES_DB", "transcripts", /POSTGRES_DB is 'transcripts', and this server has transcripts_db/],
      ["POSTGRES_USER", "postgres", /POSTGRES_USER is 'postgres', which cannot be the owner/],
      [
        "POSTGRES_USER",
        "transcripts_readonly",
        /POSTGRES_USER is 'transcripts_readonly', which cannot be the owner/,
      ],
      ["POSTGRES_USER", "reader", /POSTGRES_USER is 'reader', which is a login of postgres-logins/],
      ["POSTGRES_USER", "a'b", /POSTGRES_USER is 'a'b', which cannot be the owner/],
    ] as const;
    for (const [key, value, said] of sampled("Secrets that cannot be meant", every, 3)) {
      it(`${key} ${JSON.stringify(value)} is refused, reported once, and changes nothing`, async () => {
        const own = await secretValue("postgres-secret", key);
        const [rolesBefore, databasesBefore, logBefore] = [
          await roles(),
          await databases(),
          await reconcileLog(),
        ];
        try {
          await setSecretValue("postgres-secret", key, value);
          await kubectl("annotate", "pod", "postgres-0", ...NAMESPACE, "--overwrite", `look=${Date.now()}`);
          const news = async () => (await reconcileLog()).slice(logBefore.length);
          await until("it is said", async () => said.test(await news()), 120_000);
          // It is tried again every ten seconds: for one of the cases that is waited for.
          await new Promise((resolve) => setTimeout(resolve, value === "" ? 12_000 : 2_000));
          assert.equal((await news()).match(/REFUSED/g)?.length, 1);
          assert.equal(await roles(), rolesBefore);
          assert.equal(await databases(), databasesBefore);
          assert.match(await readiness(), / true true /);
        } finally {
          await setSecretValue("postgres-secret", key, own);
          await kubectl("annotate", "pod", "postgres-0", ...NAMESPACE, "--overwrite", `look=${Date.now()}`);
        }
        assert.equal(await as("transcript_user", "select 1"), "1");
      });
    }
  });

  it("a reconciler that is killed is restarted, and the pod stays ready", async () => {
    const [before] = reconcilers();
    assert.ok(before, "no reconciler is running");
    const seen = await unsteadiness(async () => {
      process.kill(before, "SIGKILL");
      await until("another one runs", () => reconcilers().some((pid) => pid !== before), 20_000);
      await until("and works", async () => /starting it again/.test(await reconcileLog()));
    });
    assert.deepEqual(seen, []);
  });

  itLong("a reconciler that hangs is started again within two minutes, and the pod stays ready", async () => {
    // It may be between two of them: the test before this one ends one.
    await until("a reconciler runs", () => reconcilers().length > 0, 30_000);
    let hung: number[] = [];
    const seen = await unsteadiness(async () => {
      // Its parts in parentheses come and go.
      hung = reconcilers().filter((pid) => {
        try {
          return process.kill(pid, "SIGSTOP");
        } catch {
          return false;
        }
      });
      assert.ok(hung.length > 0);
      await until("another one runs", () => reconcilers().some((pid) => !hung.includes(pid)), 120_000).catch(
        async (error: unknown) => assert.fail(`${String(error)}\n${await reconcileLog()}`),
      );
    });
    assert.deepEqual(seen, []);
    assert.match(await reconcileLog(), /no sign of life/);
  });

  it("no password is in the statistics or the log, whoever changes it and however it fails", async () => {
    await as(
      "scribe",
      "alter role scribe password 'seen-by-nobody-0123'; alter role scribe pasword 'seen-by-nobody-0124'",
    );
    await sql("alter role scribe password 'seen-by-nobody-0125'", "postgres");
    const statistics = await sql("select query from extensions.pg_stat_statements", "postgres");
    assert.ok(statistics.length > 0);
    assert.doesNotMatch(statistics, /seen-by-nobody/);
    assert.doesNotMatch(
      await kubectl("logs", ...NAMESPACE, "postgres-0", "--all-containers"),
      /seen-by-nobody/,
    );
    await until("scribe logs in again", async () => (await as("scribe", "select 1")) === "1", 30_000);
  });

  it("writing too much to the pod's /tmp fails, and evicts nobody", async () => {
    const written = await inPod(["dd", "if=/dev/zero", "of=/tmp/x", "bs=1M", "count=100"]);
    await inPod(["rm", "-f", "/tmp/x"]);
    assert.match(written.output, /No space left on device/);
    assert.equal(
      await kubectl(
        "get",
        "pod",
        "postgres-0",
        ...NAMESPACE,
        "-o",
        "jsonpath={.spec.volumes[?(@.name=='tmp')].emptyDir.medium}",
      ),
      "Memory",
    );
  });

  itLong(
    "a claim that was deleted under the running server is reported by preview and up, with the way back",
    async () => {
      const rows = await sql("select count(*) from recordings");
      await kubectl("delete", "pvc", "postgres-pvc", ...NAMESPACE, "--wait=false");
      for (const args of [["preview"], ["up", "--yes", "--skip-preview"]]) {
        const ran = await pulumi(args);
        assert.notEqual(ran.status, 0, args.join(" "));
        assert.match(
          ran.output,
          /PersistentVolumeClaim postgres-pvc was deleted at \S+ and is kept only for the pod that uses it/,
        );
        assert.match(ran.output, /kubectl delete pod --all -n transcript-pipeline; then deploy again/);
      }
      assert.equal(await sql("select count(*) from recordings"), rows);
      await kubectl("delete", "pvc", "postgres-pvc", ...NAMESPACE, "--ignore-not-found", "--wait=false");
      await kubectl("delete", "job", "--all", ...NAMESPACE);
      await kubectl("delete", "pod", "--all", ...NAMESPACE);
      await until(
        "the claim is gone",
        async () => (await kubectl("get", "pvc", ...NAMESPACE, "-o", "name")) === "",
      );
      await deploy({ "database.logins": { scribe: "readwrite", reader: "readonly" } });
      assert.equal(await sql("select count(*) from recordings"), rows);
    },
  );
});
