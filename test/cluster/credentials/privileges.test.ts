/**
 * Least privilege, proved by doing: each role, over TCP with its password, does what it is for and is refused the rest.
 * The logins come from a configuration, so they are also seen to appear, change and disappear under a running server.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { clusterProcesses } from "../../../tools/local-cluster/cgroups.ts";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import {
  CLUSTER,
  configured,
  execute,
  inPod,
  kubectl,
  needsEngine,
  pulumi,
  type Ran,
  sql,
  succeed,
  theCluster,
  until,
  up,
} from "../support.ts";

const NAMESPACE = "transcript-pipeline";
const LOGINS = { scribe: "readwrite", reader: "readonly", watcher: "monitoring" } as const;
type LoginName = keyof typeof LOGINS;
const names = Object.keys(LOGINS) as LoginName[];
/** A role created by hand that belongs to no group. */
const STRANGER = "stranger";
/** What a password may contain that a shell, psql, a password file or SQL would interpret. */
const ODD_PASSWORD = `  it's "odd": a\\ss $(id) \`id\` %s #;--  ${Math.random()} `;

/** psql's whole answer to a statement that requires a privilege which the role does not have. */
const DENIED = "ERROR:  42501";

const passwords: Record<string, string> = {};
/** Statements that were refused, all roles together. */
let refused = 0;

/** SQL over TCP, as clients connect. Errors are answered only by their code. */
async function as(role: string, statements: string, database = "transcripts_db"): Promise<string> {
  const ran = await shellInPod(
    `IFS= read -r PGPASSWORD || exit 99; export PGPASSWORD; exec psql -X -q -w -At -v VERBOSITY=sqlstate -h 127.0.0.1 -U ${role} -d ${database} 2>&1`,
    `${passwords[role] ?? ""}\n${statements}`,
  );
  return ran.stdout.trim();
}

/** A command line in the server's container. */
const shellInPod = (line: string, input = "") => inPod(["bash", "-c", line], input, 60_000);

/** Each statement in the same session, and each must be refused for want of a privilege, and for nothing else. */
async function denied(role: string, statements: readonly string[]): Promise<void> {
  const script = statements.map((statement) => `${statement};\n\\echo ---\n`).join("");
  const answers = (await as(role, script)).split("---").map((answer) => answer.trim());
  assert.deepEqual(
    statements.map((statement, index) => `${role}: ${statement}: ${answers[index]}`),
    statements.map((statement) => `${role}: ${statement}: ${DENIED}`),
  );
  refused += statements.length;
}

const logsIn = async (role: string) => (await as(role, "select 'in'")) === "in";

async function reconcileLog(): Promise<string> {
  return kubectl("logs", "-n", NAMESPACE, "postgres-0", "-c", "reconcile");
}

/** The pod, and the restart count of each of its containers. */
function thePod(): Promise<string> {
  return kubectl(
    ...["get", "pod", "postgres-0", "-n", NAMESPACE, "-o"],
    "jsonpath={.metadata.uid} {.status.containerStatuses[*].restartCount} {.status.containerStatuses[*].ready}",
  );
}

/** Deploys with these logins and no others. */
async function deploy(logins: Record<string, string>): Promise<Ran> {
  const file = configured({ "database.logins": logins });
  const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", file]);
  assert.equal(ran.status, 0, ran.output);
  return ran;
}

async function readPasswords(): Promise<void> {
  for (const login of names) {
    const { data } = JSON.parse(
      await kubectl("get", "secret", `postgres-login-${login}`, "-n", NAMESPACE, "-o", "json"),
    ) as { data: Record<string, string> };
    const value = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
    assert.equal(value("POSTGRES_USER"), login);
    assert.equal(value("POSTGRES_DB"), "transcripts_db");
    passwords[login] = value("POSTGRES_PASSWORD");
    assert.equal(passwords[login].length, 40);
  }
}

/** The Secret that reconcile reads, changed by hand. */
async function writeLogins(text: string): Promise<void> {
  const secret = JSON.parse(
    await kubectl("get", "secret", "postgres-logins", "-n", NAMESPACE, "-o", "json"),
  ) as object;
  const data = { credentials: Buffer.from(text).toString("base64") };
  await succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, "replace", "-f", "-"], {
    input: JSON.stringify({ ...secret, data }),
  });
  // The kubelet looks at a Secret again when its pod changes, and not only in a minute.
  await kubectl("annotate", "pod", "postgres-0", "-n", NAMESPACE, "--overwrite", `look=${Date.now()}`);
}

/** Every table, view and sequence in the schema, except those of extensions. */
async function relations(kinds: string): Promise<string[]> {
  const found = await sql(
    `select c.oid::regclass from pg_class as c
      where relnamespace = 'public'::regnamespace and relkind = any ('${kinds}')
        and not exists (select from pg_depend where objid = c.oid and deptype = 'e')`,
  );
  return found.split("\n");
}

describe("least privilege in the database", function () {
  this.timeout(300_000);
  needsEngine();
  let podBefore: string;
  const outputs: string[] = [];
  /** Command lines of the node's processes with a password in them, seen while the logins were made. */
  const shown = new Set<string>();

  before(async function () {
    this.timeout(300_000);
    await up();
    passwords[STRANGER] = "no-group-at-all-0123";
    await sql(`create role ${STRANGER} login password '${passwords[STRANGER]}'`, "postgres");
    podBefore = await thePod();
  });

  after(async function () {
    if (podBefore === undefined) return;
    console.log(`      ${refused} statements refused for want of a privilege`);
    await sql([...names, STRANGER].map((role) => `drop role if exists ${role};`).join("\n"), "postgres");
  });

  describe("logins from the configuration", () => {
    it("appear without a restart, and one whose group does not exist yet delays neither the pod nor the others", async () => {
      await sql("alter role transcripts_monitoring rename to not_there_yet", "postgres");
      try {
        outputs.push((await deploy(LOGINS)).output);
        await readPasswords();
        const lookAround = setInterval(() => {
          for (const pid of clusterProcesses(clusterPaths(CLUSTER))) {
            const line = commandLine(pid);
            if (names.some((login) => line.includes(passwords[login] ?? ""))) shown.add(line);
          }
        }, 10);
        try {
          await until("reader and scribe log in", async () => (await logsIn("reader")) && logsIn("scribe"));
        } finally {
          clearInterval(lookAround);
        }
        assert.ok(!(await logsIn("watcher")));
        await until("reconcile has looked again", async () =>
          /wait for the init Job/.test(await reconcileLog()),
        );
        assert.equal(await thePod(), podBefore);
      } finally {
        await sql("alter role not_there_yet rename to transcripts_monitoring", "postgres");
      }
      await until("watcher logs in", () => logsIn("watcher"));
      assert.equal((await reconcileLog()).match(/the logins wait for the init Job/g)?.length, 1);
      assert.deepEqual([...shown], []);
    });

    it("are members of their group and of nothing else, and may do nothing to the server", async () => {
      assert.equal(
        await sql(
          `select string_agg(member::regrole || ' ' || roleid::regrole || admin_option || set_option, ', ' order by 1)
             from pg_auth_members where member::regrole::text in ('scribe', 'reader', 'watcher')`,
          "postgres",
        ).then((line) => line.split(", ").sort().join(", ")),
        "reader transcripts_readonlyfalsefalse, scribe transcripts_readwritefalsefalse, watcher transcripts_monitoringfalsefalse",
      );
      for (const login of names) {
        await denied(login, [
          "create role other",
          "create database other",
          "alter system set work_mem = '1MB'",
          `alter role ${login} superuser`,
          "set role transcript_user",
          `set role transcripts_${LOGINS[login]}`,
          "set session authorization postgres",
          "copy (select 1) to program 'true'",
          "select pg_read_file('/etc/passwd')",
          "create extension hstore",
        ]);
      }
    });

    it("connect to no other database, but monitoring to that of the figures; a role without a group does not connect at all", async () => {
      for (const role of [STRANGER, ...names]) {
        const databases = [
          ...(role !== STRANGER && LOGINS[role as keyof typeof LOGINS] === "monitoring" ? [] : ["postgres"]),
          "template1",
          ...(role === STRANGER ? ["transcripts_db"] : []),
        ];
        const tried = await shellInPod(
          `IFS= read -r PGPASSWORD || exit 99; export PGPASSWORD
           for database in ${databases.join(" ")}; do
             psql -X -w -h 127.0.0.1 -U ${role} -d $database -c 'select 1' 2>&1 | grep -o 'permission denied for database.*'
           done`,
          `${passwords[role] ?? ""}\n`,
        );
        const refusals = databases.map((database) => `permission denied for database "${database}"\n`);
        assert.equal(tried.stdout, refusals.join(""), role);
      }
    });
  });

  describe("readonly", () => {
    it("reads every table, searches, and dumps the whole database", async () => {
      const readable = await relations("{r,v,m,p,S}");
      const counts = await as(
        "reader",
        readable.map((name) => `select count(*) >= 0 from ${name};`).join("\n"),
      );
      assert.equal(counts, readable.map(() => "t").join("\n"));
      const vector = "array_fill(0.1, array[1024])::vector";
      assert.equal(
        await as(
          "reader",
          `select count(*) >= 1 from search_segments_text('foxes');
           select count(*) >= 1 from search_segments_fuzzy('foxes');
           select count(*) >= 0 from search_segments_similar(${vector}, 'smoke-test');
           select count(*) >= 1 from search_segments_hybrid('foxes', ${vector}, 'smoke-test');`,
        ),
        "t\nt\nt\nt",
      );
      const dump = await shellInPod(
        `IFS= read -r PGPASSWORD || exit 99; export PGPASSWORD; set -o pipefail
         pg_dump -w -h 127.0.0.1 -U reader -d transcripts_db | grep -cE '^(COPY|CREATE TABLE|CREATE FUNCTION)'`,
        `${passwords.reader ?? ""}\n`,
      );
      assert.equal(dump.status, 0, dump.output);
      const tables = (await relations("{r}")).length;
      assert.ok(Number(dump.stdout) > 2 * tables, dump.output);
    });

    it("writes nothing: no row, no table, no temporary table, no large object, no lock, no job", async () => {
      await denied("reader", [
        ...(await relations("{r,p}")).map((table) => `delete from ${table}`),
        ...(await relations("{S}")).map((sequence) => `select nextval('${sequence}')`),
        "insert into recordings (source_uri) values ('no')",
        "update recordings set title = 'no'",
        "truncate recordings cascade",
        "create table no ()",
        "create temporary table no ()",
        "create schema no",
        "create function no() returns int language sql return 1",
        "select lo_create(0)",
        "select lo_creat(-1)",
        "select lo_from_bytea(0, 'x')",
        "do $$ begin lock table recordings in exclusive mode; end $$",
        "select * from recordings for update",
        "select enqueue_job('embed')",
        "select * from claim_jobs('no', '{embed}')",
        "alter table recordings add column no int",
        "drop table recordings",
      ]);
    });
  });

  describe("readwrite", () => {
    it("writes rows, and works through the queue", async () => {
      assert.equal(
        await as(
          "scribe",
          `begin;
           insert into recordings (source_uri) values ('privileges:1') returning title is null;
           update recordings set title = 'written' where source_uri = 'privileges:1' returning title;
           delete from recordings where source_uri = 'privileges:1' returning title;
           create temporary table loaded (n int) on commit drop;
           commit;
           select enqueue_job('privileges', unique_key => 'one') > 0;
           select attempts from claim_jobs('scribe-1', '{privileges}');
           select extend_lease(id, 'scribe-1'), fail_job(id, 'scribe-1', 'once', retry => false) from jobs where kind = 'privileges';
           select retry_job(id) from jobs where kind = 'privileges';
           select attempts from claim_jobs('scribe-1', '{privileges}');
           select complete_job(id, 'scribe-1') from jobs where kind = 'privileges';
           delete from jobs where kind = 'privileges' returning status;
           select count(*) >= 1 from search_segments_text('foxes');
           select count(*) > 5 from schema_migrations;`,
        ),
        "t\nwritten\nwritten\nt\n1\nt|dead\nt\n1\nt\ndone\nt\nt",
      );
    });

    it("changes no schema, empties no table at once, and says nothing about migrations", async () => {
      await denied("scribe", [
        ...(await relations("{r,p}")).flatMap((table) => [
          `truncate ${table} cascade`,
          `alter table ${table} add column no int`,
        ]),
        "insert into schema_migrations values ('29990101000000')",
        "update schema_migrations set version = version",
        "delete from schema_migrations",
        "create table no ()",
        "create schema no",
        "create function no() returns int language sql return 1",
        "create index on recordings (title)",
        "create trigger no before update on recordings for each row execute function set_updated_at()",
        "create view no as select 1",
        "drop function enqueue_job(text, jsonb, text, integer, timestamptz, integer)",
        "alter database transcripts_db set work_mem = '1GB'",
        "select lo_create(0)",
      ]);
    });
  });

  describe("monitoring", () => {
    it("sees what everybody does, and how long the queue is", async () => {
      const marked = shellInPod(
        "psql -X -U transcript_user -d transcripts_db -c 'select pg_sleep(60) /* watched */'",
      );
      const seen = (role: string) =>
        as(
          role,
          "select count(*) from pg_stat_activity where usename = 'transcript_user' and query like '%/* watched */'",
        );
      await until("the owner's statement is seen", async () => (await seen("watcher")) === "1");
      assert.equal(await seen("reader"), "0", "a reader sees the owner's statements");
      assert.equal(
        await as(
          "watcher",
          `select count(*) > 0 from pg_stat_statements where userid = 'transcript_user'::regrole and query <> '<insufficient privilege>';
           select count(*) from pg_stat_statements where query = '<insufficient privilege>';
           select count(*) >= 0 from job_counts;
           select pg_database_size(current_database()) > 0, (select count(*) > 0 from pg_ls_waldir());`,
        ),
        "t\n0\nt\nt|t",
      );
      await sql(
        "select pg_cancel_backend(pid) from pg_stat_activity where query like '%/* watched */'",
        "postgres",
      );
      assert.match((await marked).output, /canceling statement due to user request/);
    });

    it("sees no row of any table, and searches none", async () => {
      const relationsOfOthers = (await relations("{r,v,m,p,S}")).filter((name) => name !== "job_counts");
      await denied("watcher", [
        ...relationsOfOthers.map((relation) => `select * from ${relation}`),
        "select search_segments_text('foxes')",
        "select search_segments_fuzzy('foxes')",
        "insert into jobs (kind) values ('no')",
        "create table no ()",
        "create temporary table no ()",
        "select lo_create(0)",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres' limit 1",
      ]);
    });
  });

  describe("the owner", () => {
    it("creates tables and functions in a later migration that are covered from the start", async () => {
      await sql(
        `create table privileges_later (id bigint generated always as identity primary key, word text);
       create function privileges_later() returns int language sql return 1;`,
      );
      try {
        assert.equal(await as("reader", "select count(*) from privileges_later"), "0");
        assert.equal(
          await as(
            "scribe",
            "insert into privileges_later (word) values ('w') returning id; select privileges_later()",
          ),
          "1\n1",
        );
        await denied("reader", [
          "insert into privileges_later (word) values ('w')",
          "select privileges_later()",
        ]);
        await denied("scribe", ["truncate privileges_later", "drop table privileges_later"]);
        await denied("watcher", ["select * from privileges_later", "select privileges_later()"]);
      } finally {
        await sql("drop table privileges_later; drop function privileges_later()");
      }
    });

    it("is not a superuser, and restores its own dump without an error", async () => {
      const password = JSON.parse(
        await kubectl("get", "secret", "postgres-secret", "-n", NAMESPACE, "-o", "json"),
      ) as { data: Record<string, string> };
      passwords.transcript_user = Buffer.from(password.data.POSTGRES_PASSWORD ?? "", "base64").toString();
      await denied("transcript_user", [
        "create role other",
        "create database other",
        "alter system set work_mem = '1MB'",
        "copy (select 1) to program 'true'",
        "select pg_read_file('/etc/passwd')",
        "set session authorization postgres",
        "grant transcripts_readwrite to transcript_user",
      ]);
      const { bootstrapFiles } = await import("../../../sql/files.ts");
      try {
        await sql("create database restored owner transcript_user template template0", "postgres");
        const restored = await shellInPod(
          `set -e -o pipefail
         psql -X -q -U postgres -d restored -v ON_ERROR_STOP=1 -v owner=transcript_user -v database=restored >/dev/null
         pg_dump -U transcript_user -d transcripts_db | psql -X -q -U transcript_user -d restored -v ON_ERROR_STOP=1 >/dev/null
         for database in transcripts_db restored; do
           psql -X -At -U transcript_user -d $database -c "select count(*), (select count(*) from schema_migrations), (select count(*) from segment_embeddings) from recordings"
         done`,
          Object.values(bootstrapFiles()).join("\n"),
        );
        assert.equal(restored.status, 0, restored.output);
        assert.doesNotMatch(restored.output, /ERROR/);
        const [there, here] = restored.stdout.trim().split("\n");
        assert.match(there ?? "", /^[1-9]\d*\|[1-9]/);
        assert.equal(here, there);
        assert.match(await as("reader", "select count(*) from recordings", "restored"), /^[1-9]/);
      } finally {
        await sql("drop database if exists restored with (force)", "postgres");
      }
    });
  });

  describe("over the socket", () => {
    const enter = (role: string) =>
      `psql -X -w -h /var/run/postgresql -U ${role} -d transcripts_db -Atc 'select 1' 2>&1`;

    it("only postgres and the owner come in, without a password", async () => {
      const others = [
        ...[...names, STRANGER],
        ...["transcripts_readonly", "transcripts_readwrite", "transcripts_monitoring"],
      ];
      const roles = ["postgres", "transcript_user", ...others];
      const tried = await shellInPod(roles.map(enter).join("\n"));
      assert.deepEqual(tried.stdout.match(/^1$|(?<=Peer authentication failed for user ").*(?="$)/gm), [
        "1",
        "1",
        ...others,
      ]);
    });

    it("a process of another operating system user is nobody, root included", async () => {
      const server = clusterProcesses(clusterPaths(CLUSTER)).find(
        (pid) => commandLine(pid).startsWith("postgres -D /var/lib/postgresql/data/pgdata") && isFirst(pid),
      );
      assert.ok(server, "the server's process is not found");
      const environment = readFileSync(`/proc/${server}/environ`, "utf8").split("\0").filter(Boolean);
      const entered = (uid: number, role: string) =>
        execute("nsenter", [
          ...[`--target=${server}`, "--mount", "--pid", `--setuid=${uid}`, `--setgid=${uid}`, "--"],
          ...["env", "-i", ...environment, "bash", "-c", enter(role)],
        ]);
      assert.equal((await entered(999, "postgres")).stdout, "1\n", "the way in does not work for anybody");
      for (const uid of [0, 1000, 65534]) {
        for (const role of ["postgres", "transcript_user", "reader"]) {
          assert.match(
            (await entered(uid, role)).stdout,
            new RegExp(`Peer authentication failed for user "${role}"`),
            `uid ${uid} as ${role}`,
          );
        }
      }
    });
  });

  describe("a change of the logins", () => {
    it("accepts an odd password, leaves a role of the same name alone, and is not stopped by a wrong line", async () => {
      await writeLogins(
        `superuser intruder ${"x".repeat(40)}\nreadwrite transcript_user ${"x".repeat(40)}\nreadonly ${STRANGER} ${passwords[STRANGER] ?? ""}\n` +
          `readwrite scribe ${ODD_PASSWORD}\nreadonly reader ${passwords.reader ?? ""}\nmonitoring watcher ${passwords.watcher ?? ""}\n`,
      );
      const old = passwords.scribe ?? "";
      passwords.scribe = ODD_PASSWORD;
      await until("the odd password is in force", () => logsIn("scribe"));
      passwords.scribe = old;
      assert.ok(!(await logsIn("scribe")), "the old password is in force as well");
      passwords.scribe = ODD_PASSWORD;
      assert.match(await as(STRANGER, "select 1"), /permission denied for database/);
      assert.equal(await sql("select count(*) from pg_roles where rolname = 'intruder'", "postgres"), "0");
      await until("reconcile has said what is wrong", async () =>
        /role of that name/.test(await reconcileLog()),
      );
      const log = await reconcileLog();
      assert.equal(log.match(/login stranger: a role of that name was not made here/g)?.length, 1);
      assert.match(log, /login intruder: a line of the Secret is not/);
      assert.match(log, /login transcript_user: a line of the Secret is not/);
    });

    it("applies another kind at once, and refuses a removed login, whose session ends", async () => {
      const session = as("reader", "select pg_sleep(120)");
      await until(
        "the session is there",
        async () =>
          (await sql("select count(*) from pg_stat_activity where usename = 'reader'", "postgres")) === "1",
      );
      outputs.push((await deploy({ scribe: "readonly" })).output);
      // The generated one is back in the Secret.
      const { data } = JSON.parse(
        await kubectl("get", "secret", "postgres-login-scribe", "-n", NAMESPACE, "-o", "json"),
      ) as { data: Record<string, string> };
      passwords.scribe = Buffer.from(data.POSTGRES_PASSWORD ?? "", "base64").toString();
      await until(
        "scribe may only read",
        async () => (await as("scribe", "insert into recordings (source_uri) values ('no')")) === DENIED,
      );
      assert.match(await as("scribe", "select count(*) from recordings"), /^\d+$/);
      for (const removed of ["reader", "watcher"]) {
        assert.match(await as(removed, "select 1"), /password authentication failed|not permitted to log in/);
      }
      assert.match(await session, /57P01|terminating|closed/);
      assert.equal(
        await sql(
          `select string_agg(rolname || ' ' || rolcanlogin || ' ' || (rolpassword is null)
                             || ' ' || (select count(*) from pg_auth_members where member = r.oid), ', ' order by rolname)
             from pg_authid as r where rolname in ('reader', 'watcher')`,
          "postgres",
        ),
        "reader false true 0, watcher false true 0",
      );
      assert.match(
        await kubectl("get", "secrets", "-n", NAMESPACE, "-o", "name"),
        /postgres-login-scribe\n(?!.*postgres-login-)/s,
      );
    });

    it("removes the last one, too, in a server that none of it has restarted", async () => {
      const ran = await pulumi(["up", "--yes", "--skip-preview"]);
      assert.equal(ran.status, 0, ran.output);
      outputs.push(ran.output);
      await until("scribe is refused", async () => !(await logsIn("scribe")));
      assert.equal(
        await sql(`select rolcanlogin from pg_roles where rolname = '${STRANGER}'`, "postgres"),
        "t",
      );
      assert.equal(await thePod(), podBefore);
    });

    it("leaves no password in Pulumi's output or state, in a log or in the statistics", async () => {
      const state = (await pulumi(["stack", "export"])).stdout;
      const log = await kubectl("logs", "-n", NAMESPACE, "postgres-0", "--all-containers");
      const statements = await sql("select query from pg_stat_statements", "postgres");
      for (const [role, password] of Object.entries(passwords)) {
        if (role === STRANGER) continue;
        for (const [where, text] of Object.entries({ state, log, statements, output: outputs.join("\n") }))
          assert.ok(!text.includes(password), `${role}'s password is in the ${where}`);
      }
      assert.doesNotMatch(log, /odd/);
      assert.doesNotMatch(statements.replace(/create role stranger.*/, ""), /SCRAM-SHA/);
    });
  });
});

/** Words of a process's command line, separated by spaces; of one that has ended, none. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** Whether a process is the first of its container. */
function isFirst(pid: number): boolean {
  return /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
