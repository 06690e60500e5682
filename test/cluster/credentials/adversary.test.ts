/**
 * Nobody becomes superuser: the owner and a login of each group plant what they can under the names that the product's
 * superuser sessions use, and then every such session is run. Each trap is first sprung by a session without protection.
 */
import assert from "node:assert/strict";
import { smokeTest } from "../../../tools/dev/smoke-test.ts";
import { namesIn, productNames } from "./adversary/names.ts";
import * as product from "./adversary/product.ts";
import { REFUSED_TO_LOGINS, REFUSED_TO_OWNER } from "./adversary/refused.ts";
import { rehearseQueries } from "./adversary/rehearsal.ts";
import { sprungTraps, superuserSessions, unprotectedSessions } from "./adversary/server-log.ts";
import {
  answersToLogin,
  answersToOwner,
  asOwner,
  asSuperuser,
  asUnprotected,
  attachingAllTheTime,
  MARK,
  reached,
  sqlFile,
} from "./adversary/sessions.ts";
import { ADVERSARY_OPTIONS, HOSTILE, type Hostile, TOLERABLE } from "./adversary/settings.ts";
import { inPod, secretValue, theCluster, until, up } from "../support.ts";

const LOGINS = { scribe: "readwrite", reader: "readonly", watcher: "monitoring" } as const;
const DENIED = "ERROR:  42501";

/** Queries in which nobody can lie: each reads a view by its full name, and has no function and no operator. */
const NOTHING_TO_LIE_ABOUT = [
  "components/backup/scripts/drill-archived.sql: SELECT n, lost FROM backup.archived",
];

/** Everybody's attributes and memberships, and the settings of those whom the adversary cannot set any. */
const SNAPSHOT = `
  select jsonb_pretty(jsonb_agg(to_jsonb(r) - 'rolpassword' order by rolname)) from pg_authid as r;
  select roleid::regrole, member::regrole, grantor::regrole, admin_option, inherit_option, set_option
    from pg_auth_members order by 1, 2, 3;
  select setrole::regrole, setdatabase, setconfig from pg_db_role_setting
   where setrole <> 0 and setrole::regrole::text <> all ('{transcript_user,${Object.keys(LOGINS).join()}}') order by 1, 2;`;

describe("the adversary", function () {
  this.timeout(300_000);
  const log = new product.WholeLog();
  /** Words of a session that broke a rule, for the message. */
  const described = (sessions: ReturnType<typeof superuserSessions>) =>
    sessions.map(({ application, database }) => `${application || "no name"}, on ${database}`);

  before(async () => {
    await up();
    await product.deploy({ "database.logins": LOGINS, "database.settings.log_connections": "on" });
    await until("every login is a member of its group", async () =>
      /^3$/m.test(
        await asSuperuser(
          `select count(*) from pg_auth_members where member::regrole::text = any ('{${Object.keys(LOGINS).join()}}');`,
        ),
      ),
    );
    await until("connections are logged", async () => (await asSuperuser("show log_connections")) === "on");
  });

  after(async () => {
    await asSuperuser(sqlFile("clean.sql"));
    await asSuperuser("alter database transcripts_db reset all; alter role transcript_user reset all");
    await inPod(["rm", "-f", "/tmp/adversary"]);
  });

  describe("what is planted", () => {
    it("has the names of the product's own SQL, and those of SQL that is added later", () => {
      const { functions, words, operators } = productNames();
      for (const name of [
        "hashtext",
        "format",
        "pg_reload_conf",
        "to_regclass",
        "string_to_array",
        "bool_and",
      ])
        assert.ok(functions.includes(name), name);
      for (const name of ["shobj_description", "pg_get_userbyid", "pg_advisory_lock", "pg_terminate_backend"])
        assert.ok(functions.includes(name), name);
      for (const name of ["pg_authid", "pg_extension", "pg_stat_activity", "regclass", "regrole", "int4"])
        assert.ok(words.includes(name), name);
      for (const name of ["=", "<>", ">", "||"]) assert.ok(operators.includes(name), name);
      const later = namesIn(["select pg_size_pretty(size) from pg_stat_wal where name ~~* 'a' and b @> c"]);
      assert.ok(later.functions.includes("pg_size_pretty") && later.words.includes("pg_stat_wal"));
      assert.ok(later.operators.includes("~~*") && later.operators.includes("@>"));
    });

    it("springs, every trap, in a superuser's session without protection", async () => {
      await asOwner(sqlFile("witness.sql"));
      const { functions, words, operators } = productNames();
      await asOwner(sqlFile("plant.sql"), {
        functions: functions.join(" "),
        words: words.join(" "),
        operators: operators.join(" "),
      });
      const planted = await asOwner(
        "select string_agg(kind, ', ' order by kind) from (select count(*) || ' ' || family || ' ' || split_part(what, ' ', 1) from traps group by family, split_part(what, ' ', 1)) as kinds (kind)",
      );
      console.log(`      ${planted}`);
      for (const kind of ["function", "operator", "aggregate", "relation", "type"])
        assert.match(planted, new RegExp(`\\d+ \\w+ ${kind}`));
      const rehearsed = await asUnprotected(sqlFile("rehearse.sql"));
      assert.equal(rehearsed.output.trim(), "");
    });

    it("lies where the product's own queries go: unprotected, each of them springs one", async () => {
      const hidden = await rehearseQueries('"$user", public, pg_catalog');
      assert.ok(hidden.length > 20);
      assert.deepEqual(
        hidden.filter(({ sprung }) => sprung.length === 0).map(({ path, query }) => `${path}: ${query}`),
        NOTHING_TO_LIE_ABOUT,
      );
      const matched = (await rehearseQueries('"$user", public')).filter(({ sprung }) => sprung.length > 0);
      console.log(
        `      ${hidden.length} queries, of which ${matched.length} spring one by a better-matching signature alone`,
      );
      assert.ok(matched.length > 0);
    });

    it("makes a superuser, reads a file and runs a program, where a superuser's session is not protected", async () => {
      const ran = await asUnprotected(
        `begin;
         select pg_catalog.length(format('%s', null::pg_catalog.name));
         set local search_path = pg_catalog;
         select rolname, rolsuper from pg_authid where rolname in ('mallory', 'transcript_user') order by 1;
         select count(*) from public.loot;
         rollback;`,
      );
      assert.match(ran.stdout, /mallory\|t\ntranscript_user\|t\n1\n/, ran.output);
      assert.equal((await inPod(["rm", "/tmp/adversary"])).status, 0);
      assert.match(
        sprungTraps(await log.text()).join("\n"),
        /postgres as postgres: function \S+\.format\(text, name\)/,
      );
    });

    it("waits in a table, too, for whoever touches it; an index and statistics run as their owner", async () => {
      await asOwner(sqlFile("bait.sql"));
      const { stdout } = await asUnprotected(sqlFile("spring-bait.sql"));
      assert.deepEqual(stdout.match(/^.* as .*$/gm), [
        ...["cast", "check constraint", "default", "domain", "generated column"].map(
          (trap) => `${trap} as postgres`,
        ),
        ...["index condition as postgres", "index condition as transcript_user"],
        ...["index expression as postgres", "materialized view as transcript_user"],
        ...["policy as postgres", "rule as postgres", "statistics as postgres"],
        ...["statistics as transcript_user", "trigger as postgres"],
      ]);
      // The owner's own dump would stop at it.
      await asOwner("alter table bait no force row level security");
    });

    it("reaches every session as a setting of the database, but for session_authorization", async () => {
      let answers: string[] = [];
      const wanted = HOSTILE.map(({ name, answer }) => `${name}: ${answer}`);
      // Whoever takes such settings off may have come in between.
      for (let attempt = 0; attempt < 3; attempt++) {
        answers = (await reached(HOSTILE)).map((answer, index) => `${HOSTILE[index]?.name}: ${answer}`);
        if (answers.join() === wanted.join()) break;
      }
      assert.deepEqual(answers, wanted);
    });
  });

  describe("what only a superuser may plant", () => {
    it("is refused to the owner", async () => {
      const wanted = REFUSED_TO_OWNER.map((statement) => `${statement}: ${DENIED}`);
      assert.deepEqual(await answersToOwner(REFUSED_TO_OWNER), wanted);
      await asOwner("drop function for_postgres()");
    });

    it("is refused to the owner in the extensions' schema", async () => {
      const schemas = await asSuperuser(
        "select string_agg(distinct extnamespace::regnamespace::text, ' ') from pg_extension where extname <> 'plpgsql'",
      );
      assert.equal(schemas, "extensions");
      const statements = [
        "create function extensions.format(text, name) returns text language sql as 'select 1'",
        "create operator extensions.~~~~ (leftarg = int, rightarg = int, function = int4eq)",
        "create view extensions.pg_stat_statements as select 1",
        "alter schema extensions rename to planted",
        "drop extension vector",
        "alter extension vector update",
      ];
      assert.deepEqual(
        await answersToOwner(statements),
        statements.map((statement) => `${statement}: ${DENIED}`),
      );
    });

    it("is refused to the owner as a setting: every one of a superuser, a server or a connection", async () => {
      const settings = (
        await asSuperuser(
          `select name from pg_settings
            where context <> 'user' and not has_parameter_privilege('transcript_user', name, 'set') order by 1`,
        )
      ).split("\n");
      assert.ok(settings.length > 150 && settings.includes("session_preload_libraries"));
      const answers = await answersToOwner(
        settings.map((name) => `alter database transcripts_db set ${name} from current`),
      );
      // 42501, or for a setting of the server's or the connection's: cannot be changed now (55P02).
      assert.deepEqual(
        answers.filter((answer) => !/: ERROR: {2}(42501|55P02)$/.test(answer)),
        [],
      );
    });

    it("is refused to the logins of every group, who may set what their own sessions have", async () => {
      for (const login of Object.keys(LOGINS)) {
        const password = await secretValue(`postgres-login-${login}`, "POSTGRES_PASSWORD");
        assert.deepEqual(
          await answersToLogin(login, password, REFUSED_TO_LOGINS),
          REFUSED_TO_LOGINS.map((statement) => `${statement}: ${DENIED}`),
          login,
        );
        const own = [
          `alter role ${login} set search_path = postgres, public, pg_catalog`,
          `alter role ${login} set role = ${login}`,
          `alter role ${login} in database transcripts_db set statement_timeout = '1ms'`,
          `alter role ${login} set session_authorization = ${login}`,
        ];
        assert.deepEqual(
          await answersToLogin(login, password, own),
          own.map((statement) => `${statement}: `),
          login,
        );
      }
    });
  });

  describe("the product's superuser sessions", () => {
    let atFirst: string;

    before(async () => {
      atFirst = await asSuperuser(SNAPSHOT);
      // So that there is something to notice, and something to follow.
      await asSuperuser(
        "update pg_extension set extversion = '0.8.4' where extname = 'vector'; update pg_collation set collversion = '1.0' where collname = 'bait_order'",
      );
    });

    const flow = (title: string, work: () => Promise<unknown>, settings: readonly Hostile[] = TOLERABLE) =>
      it(`do their work among the traps: ${title}`, async () => {
        const started = Date.now();
        await attachingAllTheTime(settings, work);
        console.log(`      ${((Date.now() - started) / 1000).toFixed(0)} s`);
      });

    flow("another pod, and the notice of what has not followed", async () => {
      await product.anotherPod(log);
      await product.noticed(/extension vector of transcripts_db is at 0\.8\.4/);
    });
    flow("changed passwords", product.changePasswords);
    flow("a login that comes and goes", async () => {
      await product.makeAndRetireLogin();
      await asSuperuser("drop role guest");
    });
    flow("the init Job", product.bootstrapAgain);
    flow(
      "the upgrade Job",
      async () => {
        await product.upgradeAgain();
        assert.notEqual(
          await asSuperuser("select extversion from pg_extension where extname = 'vector'"),
          "0.8.4",
        );
      },
      HOSTILE,
    );
    flow("a reload of the settings", product.reloadSettings);
    flow("proof by use", async () => {
      // The flow before attached what lets nobody in but the superuser.
      const locked = `select count(*) from pg_db_role_setting where setconfig::text like '%local_preload_libraries%'`;
      await until("nobody is locked out", async () => (await asSuperuser(locked)) === "0", 60_000);
      // The reconciler takes the owner's shield off, too, and not always after the trap: the next look puts it right.
      await until(
        "the deployment is proved",
        () =>
          smokeTest(theCluster()).then(
            () => true,
            () => false,
          ),
        60_000,
      );
    });
    flow("dumps, the owner's and the superuser's", async () => {
      for (const user of ["transcript_user", "postgres"]) {
        // The bait's policy is forced upon its owner.
        const own = user === "postgres" ? "" : "--enable-row-security";
        const command = `PGAPPNAME=${MARK} PGOPTIONS='${ADVERSARY_OPTIONS}' pg_dump -U ${user} -d transcripts_db ${own}`;
        const { stdout, output } = await inPod([
          "bash",
          "-c",
          `set -o pipefail; ${command} | grep -c '^CREATE '; echo $?`,
        ]);
        assert.match(stdout, /^\d{3,}\n0\n$/, `${user}: ${output}`);
      }
    });

    it("sprang no trap", async () => {
      const sprung = sprungTraps(await log.text()).filter((trap) => !trap.startsWith(`${MARK}: `));
      assert.deepEqual(sprung, []);
      assert.equal(
        await asSuperuser(
          "select string_agg(distinct session || ': ' || trap, E'\\n') from public.sprung where super",
        ),
        "",
      );
    });

    it("left every role, its attributes, memberships and settings as they were", async () => {
      assert.equal(await asSuperuser(SNAPSHOT), atFirst);
    });

    it("read no file for anybody and ran no program", async () => {
      assert.equal(await asSuperuser("select count(*) from public.loot"), "0");
      assert.notEqual((await inPod(["test", "-e", "/tmp/adversary"])).status, 0);
    });

    it("are each named and protected in the server's log", async () => {
      // A session that has just come in is in the log before it is protected: what is not by now is not later.
      const atOnce = superuserSessions(await log.text()).length;
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const text = await log.text();
      const names = new Set(superuserSessions(text).map(({ application }) => application));
      console.log(`      ${superuserSessions(text).length} sessions: ${[...names].sort().join(", ")}`);
      const looked = superuserSessions(text).slice(0, atOnce);
      const unprotected = unprotectedSessions(text, [MARK]).filter(({ pid, application }) =>
        looked.some((one) => one.pid === pid && one.application === application),
      );
      assert.deepEqual([...new Set(described(unprotected))], []);
      for (const name of ["reconcile", "notice", "bootstrap", "upgrade"])
        assert.ok(names.has(`transcript-pipeline/${name}`), name);
    });

    it("would be found: one without a name, and one with a name and without protection", async () => {
      const found = (text: string) => described(unprotectedSessions(text, [MARK]));
      const earlier = found(await log.text()).length;
      await inPod(["psql", "-X", "-U", "postgres", "-d", "postgres", "-c", ""]);
      await inPod(["env", "PGAPPNAME=", "psql", "-X", "-U", "postgres", "-d", "postgres", "-c", ""]);
      await inPod([
        "env",
        "PGAPPNAME=transcript-pipeline/reconcile",
        "psql",
        "-X",
        "-U",
        "postgres",
        "-d",
        "postgres",
        "-c",
        "",
      ]);
      assert.deepEqual(found(await log.text()).slice(earlier), [
        "psql, on postgres",
        "no name, on postgres",
        "transcript-pipeline/reconcile, on postgres",
      ]);
    });
  });
});
