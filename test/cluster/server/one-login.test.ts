/**
 * No login takes the database away from the others: what PostgreSQL bounds is bounded, each with the control that shows
 * what the attack does where it is not. What cannot be bounded is in docs/logins.md.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { clusterProcesses } from "../../../tools/local-cluster/cgroups.ts";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import {
  AS_SUPERUSER,
  CLUSTER,
  configured,
  execute,
  inPod,
  kubectl,
  needsEngine,
  pulumi,
  type Ran,
  secretValue,
  sql,
  theCluster,
  until,
  up,
} from "../support.ts";
import { itLong } from "../../sample.ts";
import { upWithMigration } from "../checkout.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const LOGINS = { scribe: "readwrite", reader: "readonly", watcher: "monitoring" } as const;
const logins = Object.keys(LOGINS);
const passwords: Record<string, string> = {};
/** Connections that a login may have at once: half of the dev stack's 40. */
const CONNECTIONS = 20;

const tcp = (role: string, rest = "") =>
  `psql -X -q -w -At -v VERBOSITY=verbose -h 127.0.0.1 -U ${role} -d transcripts_db ${rest} 2>&1`;

/** A shell's line in the pod, with the password of a role in its environment. */
const shellAs = (role: string, line: string, input = ""): Promise<Ran> =>
  inPod(
    ["bash", "-c", `IFS= read -r PGPASSWORD || exit 99; export PGPASSWORD; ${line}`],
    `${passwords[role] ?? ""}\n${input}`,
    180_000,
  );

/** SQL over TCP, as clients connect; an error with its code. */
const as = async (role: string, statements: string): Promise<string> =>
  (await shellAs(role, tcp(role), statements)).stdout.trim();

const superuser = (statement: string) => sql(statement, "postgres");
const started = () => sql("select pg_postmaster_start_time()");

/** Waits until a session of this role runs a statement with this text, and returns its process in the pod. */
async function session(role: string, text: string): Promise<string> {
  let found = "";
  await until(`${role}: ${text}`, async () => {
    found = await superuser(
      `select pid from pg_stat_activity where usename = '${role}' and query like '%${text}%' limit 1`,
    );
    return found !== "";
  });
  return found;
}

const withLogins = (changes: Record<string, unknown>) =>
  configured({ "database.logins": LOGINS, ...changes });

async function deploy(changes: Record<string, unknown>): Promise<Ran> {
  const file = withLogins(changes);
  return pulumi(["up", "--yes", "--skip-preview", "--config-file", file]);
}

describe("no login takes the database away from the others", function () {
  this.timeout(300_000);
  needsEngine();
  let startedBefore: string;

  before(async () => {
    await up();
    const ran = await deploy({});
    assert.equal(ran.status, 0, ran.output);
    for (const login of logins)
      passwords[login] = await secretValue(`postgres-login-${login}`, "POSTGRES_PASSWORD");
    passwords.transcript_user = await secretValue("postgres-secret", "POSTGRES_PASSWORD");
    await until("the logins are there", async () =>
      (await Promise.all(logins.map((login) => as(login, "select 1")))).every((answer) => answer === "1"),
    );
    startedBefore = await started();
  });

  after(async () => {
    if (startedBefore === undefined) return;
    await up();
    await sql("drop role if exists scribe, reader, watcher", "postgres");
  });

  // Whatever was tried: it is the same server all the time.
  afterEach(async () => {
    if (startedBefore === undefined) return;
    assert.equal(await started(), startedBefore, "the server was started again");
  });

  it("by locks of its own invention: only the owner may take them, and a full table of them lets nobody in", async () => {
    const functions = await superuser(
      "select oid::regprocedure from pg_proc where proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'",
    );
    const calls = functions.split("\n").map((signature) => {
      const values = signature.includes(",") ? "1, 2" : "1";
      return `select ${signature.replace(/\(.*$/, "")}(${values});`;
    });
    assert.equal(calls.length, 16);
    for (const login of logins) {
      const answers = (await as(login, calls.join("\n"))).match(/ERROR: {2}42501/g);
      assert.equal(answers?.length, calls.length, login);
    }
    const attack =
      "do $$ begin for i in 1..10000000 loop perform pg_advisory_lock(i); end loop; exception when out_of_memory then perform pg_sleep(6); end $$";
    const held = as("transcript_user", attack);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const meanwhile = await as("reader", "select count(*) from recordings");
    assert.match(meanwhile, /out of shared memory/, "the control: the lock table is not full");
    await held;
    assert.match(await as("reader", "select count(*) from recordings"), /^\d+$/);
  });

  it("by looking at everything on every connection it may have", async () => {
    const everything =
      "begin; do $$ declare r record; begin for r in select oid::regclass::text as name from pg_class where relkind in ('r', 'm', 'p', 'v') " +
      "and has_table_privilege(oid, 'select') loop begin execute 'select 1 from ' || r.name || ' limit 0'; exception when others then null; end; end loop; end $$; select pg_sleep(8)";
    const one = `psql -X -q -w -h 127.0.0.1 -U reader -d transcripts_db -c "$STATEMENTS" >/dev/null 2>&1 &`;
    const holding = shellAs(
      "reader",
      `IFS= read -r STATEMENTS; for i in $(seq ${CONNECTIONS}); do ${one} done; wait`,
      `${everything}\n`,
    );
    let locks = 0;
    await until(
      "the connections hold their locks",
      async () =>
        (locks = Number(
          await superuser("select count(*) from pg_locks where not fastpath and relation is not null"),
        )) >
        CONNECTIONS * 100,
      30_000,
    );
    assert.match(await as("scribe", "select count(*) from recordings"), /^\d+$/, `${locks} locks are held`);
    await holding;
  });

  it("by connections: it has a number of them, and the others find theirs", async () => {
    const open = `psql -X -q -w -h 127.0.0.1 -U reader -d transcripts_db -c 'select pg_sleep(6)' 2>&1 >/dev/null &`;
    const ran = shellAs("reader", `for i in $(seq ${CONNECTIONS + 5}); do ${open} done; wait`);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.equal(
      await superuser("select count(*) from pg_stat_activity where usename = 'reader'"),
      String(CONNECTIONS),
    );
    assert.equal(await as("scribe", "select 1"), "1");
    assert.equal((await ran).stdout.match(/too many connections for role "reader"/g)?.length, 5);
  });

  it("by connections that never authenticate: they end after ten seconds", async () => {
    // A startup packet of version 3.0, and then silence.
    const packet = "\\0\\0\\0\\50\\0\\3\\0\\0user\\0reader\\0database\\0postgres\\0\\0";
    const length = 4 + 4 + "user.reader.database.postgres..".length;
    const silent = `exec {fd}<>/dev/tcp/127.0.0.1/5432 && printf '${packet.replace("\\50", `\\${length.toString(8)}`)}' >&$fd`;
    const ran = inPod(["bash", "-c", `for i in $(seq 45); do ${silent}; done; sleep 14`], "", 60_000);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.match(
      await as("scribe", "select 1"),
      /too many clients|remaining connection slots/,
      "the control: there is still room",
    );
    await until("there is room again", async () => (await as("scribe", "select 1")) === "1", 12_000);
    await ran;
  });

  it("by files: what a sort writes is bounded, and no login can say otherwise", async () => {
    const sort =
      "select count(*) from (select i, repeat('x', 100) from generate_series(1, 1500000) as i order by i desc offset 0) as s";
    for (const login of logins) {
      assert.match(await as(login, "set temp_file_limit = -1"), /ERROR: {2}42501/, login);
    }
    assert.match(await as("reader", `set work_mem = '1MB'; ${sort}`), /ERROR: {2}53400/);
    assert.equal(
      await superuser(`set work_mem = '1MB'; set temp_file_limit = -1; ${sort}`),
      "1500000",
      "the control",
    );
  });

  it("by memory: a statement that requests too much fails, and the server keeps running", async () => {
    const hungry =
      "select count(*) from (select string_agg(repeat('x', 1000), '') over (partition by i % 3) from generate_series(1, 30) as i) as s";
    assert.equal(await as("reader", `set work_mem = '1500GB'; ${hungry}`), "30");
    const greedy =
      "set work_mem = '1500GB'; set max_parallel_workers_per_gather = 0; set hash_mem_multiplier = 1000; " +
      "select count(*) from (select i, repeat(i::text, 60) as t from generate_series(1, 20000000) as i order by t, i) as greedy";
    assert.match(await as("reader", greedy), /ERROR: {2}53200/);

    // The control: a twentieth of it succeeds, and uses so much that the whole would use more than the server has.
    const share = greedy.replace("20000000", "1000000");
    const ran = as("reader", `${share}; select pg_sleep(4) /* measured */`);
    const inside = await session("reader", "measured");
    const pid = clusterProcesses(clusterPaths(CLUSTER)).find((candidate) => {
      const status = readStatus(candidate);
      return new RegExp(`^NSpid:.*\\t${inside}$`, "m").test(status) && /^Name:\tpostgres$/m.test(status);
    });
    assert.ok(pid, "the session's process is not found");
    const status = readStatus(pid);
    const [, taken = "0"] = /^VmHWM:\s+(\d+)/m.exec(status) ?? [];
    assert.match(await ran, /^1000000/);
    assert.ok(Number(taken) * 1024 * 20 > 2 * 2 ** 30, `${taken} kB for a twentieth`);
    console.log(`      a twentieth takes ${(Number(taken) / 1024).toFixed(0)} MiB; the server has 1024`);
  });

  it("by WAL, files and numbers that reading makes", async () => {
    const calls = [
      "select pg_logical_emit_message(false, 'x', repeat('y', 1000000))",
      "select pg_logical_emit_message(false, 'x', repeat('y', 1000000)::bytea)",
      "select pg_export_snapshot()",
      "select lo_create(0)",
    ];
    const numbers = ["select txid_current()", "select pg_current_xact_id()"];
    for (const login of logins) {
      const tried = login === "scribe" ? calls : [...calls, ...numbers];
      const answers = (await as(login, tried.map((call) => `${call};`).join("\n"))).match(/ERROR: {2}42501/g);
      assert.equal(answers?.length, tried.length, login);
    }
    const before = await sql("select pg_current_wal_insert_lsn()");
    await sql(calls[0] ?? "");
    assert.ok(
      Number(await sql(`select pg_current_wal_insert_lsn() - '${before}'`)) >= 1_000_000,
      "the control writes no WAL",
    );
  });

  it("by notifications: the queue is emptied, and jobs go on being queued", async () => {
    const listening = shellAs(
      "reader",
      tcp("reader", `-c 'listen flood' -c 'begin; select 1' -c 'select pg_sleep(60) /* listening */'`),
    );
    await session("reader", "listening");
    const flood =
      "do $$ begin for i in 1..30000 loop perform pg_notify('flood', repeat('y', 7000) || i); end loop; end $$";
    const usage = await as("reader", `${flood}; select pg_notification_queue_usage() > 0.02`);
    assert.equal(usage, "t", "the control: the queue is not filling up");
    assert.match(await as("scribe", "select enqueue_job('flooded')"), /^\d+$/);
    await until(
      "the queue is empty",
      async () => Number(await superuser("select pg_notification_queue_usage()")) < 0.001,
      30_000,
    );
    assert.match((await listening).output, /terminating connection/);
    assert.match(
      await kubectl("logs", ...NAMESPACE, "postgres-0", "-c", "reconcile"),
      /queue of notifications was filling up.*reader/,
    );
    await as("scribe", "delete from jobs where kind = 'flooded'");
  });

  it("by a statement that fails: its text is not in the log", async () => {
    const length = async () =>
      (await kubectl("logs", ...NAMESPACE, "postgres-0", "-c", "postgres", "--tail=-1")).length;
    const before = await length();
    await shellAs("reader", tcp("reader"), `select no_such_function('${"x".repeat(3_000_000)}');\n`);
    const grown = (await length()) - before;
    assert.ok(grown > 0, "the control: a failed statement is not in the log at all");
    assert.ok(grown < 10_000, `${grown} bytes`);
  });

  itLong("by time: statements, waits and idle transactions end; migrations and dumps do not", async () => {
    const short = { statementTimeout: 2, lockTimeout: 1, idleInTransactionTimeout: 2 };
    const ran = await upWithMigration(
      "29990101000001_slow.sql",
      "-- migrate:up\nselect pg_sleep(4);\ncreate table slow (i int);\ncreate index on slow (i);\n-- migrate:down\ndrop table slow;\n",
      withLogins({ "database.sessions": short, "database.ownerSessions": short }),
    );
    assert.equal(ran.status, 0, ran.output);
    await until("the limits are there", async () => (await as("reader", "show statement_timeout")) === "2s");
    for (const role of ["reader", "scribe", "transcript_user"]) {
      assert.match(await as(role, "select pg_sleep(4)"), /ERROR: {2}57014/, role);
      const idle = await shellAs(
        role,
        `{ echo 'begin; select 1;'; sleep 4; echo 'select 2;'; } | ${tcp(role)}`,
      );
      assert.match(idle.stdout, /terminating connection due to idle-in-transaction timeout/, role);
    }
    const locked = inPod([
      ...AS_SUPERUSER,
      "-d",
      "transcripts_db",
      "-c",
      "begin; lock table slow; select pg_sleep(6)",
    ]);
    await until(
      "the lock is held",
      async () =>
        (await superuser(
          "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and relation = 'slow'::regclass",
        )) === "1",
    );
    assert.match(await as("scribe", "select * from slow"), /ERROR: {2}55P03/);
    // Waits longer than any of the limits, and is whole.
    const dump = await shellAs(
      "reader",
      "pg_dump -w -h 127.0.0.1 -U reader -d transcripts_db | grep -c '^COPY'",
    );
    assert.ok(Number(dump.stdout) > 5, dump.output);
    await locked;
    await sql("drop table slow; delete from schema_migrations where version = '29990101000001'");
    assert.equal((await deploy({})).status, 0);
    await until(
      "the usual limits are back",
      async () => (await as("reader", "show statement_timeout")) === "5min",
    );
  });

  itLong(
    "by a lock on a table: a migration that needs it makes nobody wait for long, and says who is in the way",
    async () => {
      // The control: everybody queues behind a statement that waits.
      const reading = (seconds: number) =>
        shellAs(
          "reader",
          tcp(
            "reader",
            `-c 'begin; select 1 from recordings limit 1; select pg_sleep(${seconds}) /* in the way */'`,
          ),
        );
      const wait = async () => {
        const begun = Date.now();
        await as("scribe", "select 1 from recordings limit 1");
        return (Date.now() - begun) / 1000;
      };
      let holder = reading(9);
      await session("reader", "in the way");
      const unbounded = sql(
        "set lock_timeout = 0; begin; alter table recordings add column in_the_way int; rollback",
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.ok((await wait()) > 6, "the control: nobody waits");
      await Promise.all([holder, unbounded]);

      holder = reading(200);
      await session("reader", "in the way");
      try {
        let done = false;
        const deployment = upWithMigration(
          "29990101000002_locked.sql",
          "-- migrate:up\nalter table recordings add column in_the_way int;\n-- migrate:down\nalter table recordings drop column in_the_way;\n",
          withLogins({}),
        ).finally(() => (done = true));
        const waits: number[] = [];
        const said = /a lock blocks the migration, which was rolled back; trying again for \d+ s: .*reader/;
        let gone = false;
        while (!done) {
          waits.push(await wait());
          if (gone || !said.test(await migrationLog())) continue;
          gone = true;
          await superuser("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader'");
        }
        const ran = await deployment;
        assert.equal(ran.status, 0, ran.output);
        const longest = Math.max(...waits);
        console.log(`      the longest wait behind a migration that waits: ${longest.toFixed(1)} s`);
        // 5 s of waiting, and what it takes to get into the pod on a busy machine.
        assert.ok(longest < 10, `${longest} s`);
        assert.ok(gone, "it was not said who is in the way");
      } finally {
        await holder;
      }
      await sql(
        "alter table recordings drop column in_the_way; delete from schema_migrations where version = '29990101000002'",
      );
      assert.equal((await deploy({})).status, 0);
    },
  );
});

/** The log of the migrations; empty without a Job. */
async function migrationLog(): Promise<string> {
  const log = ["logs", ...NAMESPACE, "job/postgres-init", "-c", "migrate"];
  return (await execute("kubectl", ["--kubeconfig", theCluster().kubeconfig, ...log])).stdout;
}

/** What the system says of a process; nothing of one that has ended. */
function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}
