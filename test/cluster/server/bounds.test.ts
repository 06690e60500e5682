/**
 * No login takes the database away from the others by what it asks of the search or of the queue: what would is refused
 * or bounded. Everything happens in a database of its own, where the schema `former` has the definitions from before
 * the bounds, taken from the migrations: each attack is shown to work on those.
 */
import assert from "node:assert/strict";
import { median } from "../../../bench/figures.ts";
import { bootstrapFiles, migrationFiles } from "../../../sql/files.ts";
import { configured, inPod, kubectl, needsEngine, pulumi, type Ran, sql, until, up } from "../support.ts";

const NAMESPACE = "transcript-pipeline";
const DATABASE = "bounds";
const LOGINS = { asker: "readonly", queuer: "readwrite" } as const;
const passwords: Record<string, string> = {};
/** The first migration that sets bounds. */
const FIRST_BOUND = "20260101000010";
/** Segments with the word fox: more of them than are ranked. */
const SEGMENTS = 12_000;
const VECTOR = "(select embedding from segment_embeddings order by segment_id limit 1)";
const constant = (value: string) => `array_fill(${value}::real, array[1024])::vector`;
/** Statements that were refused because of their arguments. */
let refused = 0;

/** The two halves of a migration. */
function halves(name: string): { up: string; down: string } {
  const text = Object.entries(migrationFiles()).find(([file]) => file.includes(name))?.[1];
  assert.ok(text, `there is no migration ${name}`);
  const [above = "", down = ""] = text.split("-- migrate:down");
  return { up: above.replace("-- migrate:up", ""), down };
}

/** SQL as the owner in the tests' database; must succeed. */
async function owner(script: string): Promise<string> {
  const ran = await inPod(
    ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", "transcript_user", "-d", DATABASE],
    script,
  );
  assert.equal(ran.status, 0, ran.output);
  return ran.stdout.trim();
}

/** SQL over TCP as a login. Errors are answered only by their code, unless their text is requested. */
async function as(login: string, script: string, verbosity = "sqlstate"): Promise<string> {
  const ran = await inPod(
    [
      "bash",
      "-c",
      `IFS= read -r PGPASSWORD || exit 99; export PGPASSWORD; exec psql -X -q -w -At -v VERBOSITY=${verbosity} -h 127.0.0.1 -U ${login} -d ${DATABASE} 2>&1`,
    ],
    `${passwords[login] ?? ""}\n${script}`,
  );
  return ran.stdout.trim();
}

/** The answer to each statement, all in the same session. */
async function answers(login: string, statements: readonly string[]): Promise<string[]> {
  const script = statements.map((statement) => `${statement};\n\\echo ---\n`).join("");
  return (await as(login, script)).split("---").map((answer) => answer.trim());
}

/** Each statement is refused with this code, because of its arguments unless another is named. */
async function refuses(login: string, statements: readonly string[], code = "22023"): Promise<void> {
  const given = await answers(login, statements);
  assert.deepEqual(
    statements.map((statement, index) => `${statement}: ${given[index]}`),
    statements.map((statement) => `${statement}: ERROR:  ${code}`),
  );
  refused += statements.length;
}

/** The error code of a statement of the owner's. */
async function codeOf(statement: string): Promise<string | undefined> {
  const ran = await inPod(
    ["psql", "-X", "-q", "-v", "VERBOSITY=sqlstate", "-U", "transcript_user", "-d", DATABASE],
    statement,
  );
  return /ERROR: {2}(\w{5})/.exec(ran.output)?.[1];
}

/** Milliseconds of each statement, run in turns in one session of the owner's: medians, the first turn left out. */
async function times(statements: readonly string[], turns: number): Promise<number[]> {
  const turn = ["\\timing on", ...statements.map((statement) => `${statement} \\g /dev/null`)].join("\n");
  const output = await owner(
    `set client_min_messages = error;\n${Array(turns + 1)
      .fill(turn)
      .join("\n")}`,
  );
  const measured = [...output.matchAll(/^Time: ([\d.]+) ms/gm)].map(([, time]) => Number(time));
  assert.equal(measured.length, (turns + 1) * statements.length, output);
  return statements.map((_, index) =>
    median(measured.filter((_, at) => at >= statements.length && at % statements.length === index)),
  );
}

/** The most memory, in MB, that the server's process of a new session has used after this statement. */
async function peakMemory(statement: string): Promise<number> {
  const output = await owner(
    `select pg_backend_pid() as pid \\gset\n\\setenv BACKEND :pid\n${statement} \\g /dev/null\n\\! grep VmHWM /proc/$BACKEND/status`,
  );
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(output)?.[1];
  assert.ok(kilobytes, output);
  return Number(kilobytes) / 1024;
}

/** Deploys with these logins and no others. */
async function deploy(logins: Record<string, string>): Promise<Ran> {
  const file = configured({ "database.logins": logins });
  const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", file]);
  assert.equal(ran.status, 0, ran.output);
  return ran;
}

/** The tests' database: what migrations before the bounds make, rows outside of them, and then the bounds. */
async function createDatabase(): Promise<void> {
  await sql(`drop database if exists ${DATABASE} with (force)`, "postgres");
  await sql(`create database ${DATABASE} owner transcript_user template template0`, "postgres");
  const bootstrapped = await inPod(
    [
      ...["psql", "-X", "-q", "-U", "postgres", "-d", DATABASE, "-v", "ON_ERROR_STOP=1"],
      ...["-v", "owner=transcript_user", "-v", `database=${DATABASE}`],
    ],
    Object.values(bootstrapFiles()).join("\n"),
  );
  assert.equal(bootstrapped.status, 0, bootstrapped.output);

  const names = Object.keys(migrationFiles()).sort();
  const upward = (wanted: (name: string) => boolean) =>
    names
      .filter(wanted)
      .map((name) => `begin;\n${halves(name).up}\ncommit;\n`)
      .join("");
  const released = (name: string) => name < FIRST_BOUND;
  await owner(
    `create table schema_migrations (version varchar primary key);
     ${upward(released)}
     insert into jobs (kind, payload) values ('beyond', jsonb_build_object('x', repeat('x', 300000)));
     insert into jobs (kind, attempts, max_attempts) values ('beyond', 2147483647, 2147483647);
     insert into jobs (kind, run_at) values ('beyond', '-infinity'), ('beyond', 'infinity');
     insert into jobs (kind, last_error, unique_key) values ('beyond', repeat('x', 100000), repeat('k', 3000));
     insert into jobs (kind, status, locked_by, locked_until, created_at)
     values ('beyond', 'running', repeat('w', 5000), '200000-01-01', 'infinity');
     ${upward((name) => !released(name))}`,
  );

  // The former functions, on a table of jobs from before the bounds.
  const former = ["job_notifications", "bounded_job_functions", "bounded_search"].map((name) =>
    halves(name)
      .down.replaceAll(/^DROP FUNCTION .*$/gm, "")
      .replaceAll("SET search_path = public", "SET search_path = former, public"),
  );
  await owner(
    `create schema former;
     select set_config('search_path', 'former, ' || current_setting('search_path'), false) \\g /dev/null
     ${halves("000007_jobs").up}
     ${former.join("\n")}`,
  );

  await owner(
    `insert into recordings (id, source_uri) values ('00000000-0000-4000-8000-00000000000a', 'bounds:1');
     insert into transcripts (id, recording_id, model, language)
     values ('00000000-0000-4000-8000-00000000000b', '00000000-0000-4000-8000-00000000000a', 'm', 'en');
     select setseed(0.5) \\g /dev/null
     insert into segments (transcript_id, ordinal, start_ms, end_ms, text)
     select '00000000-0000-4000-8000-00000000000b', n, n, n,
            'fox ' || (select string_agg('w' || floor(2000 * random() ^ 3)::int, ' ')
                         from generate_series(1, 13) where n > 0)
       from generate_series(1, ${SEGMENTS}) as n;
     insert into segments (transcript_id, ordinal, start_ms, end_ms, text)
     select '00000000-0000-4000-8000-00000000000b', ${SEGMENTS + 1}, 0, 0, 'a zebra named Johnson';
     -- What a speech model makes of noise, in one segment.
     insert into segments (transcript_id, ordinal, start_ms, end_ms, text)
     select '00000000-0000-4000-8000-00000000000b', ${SEGMENTS + 2}, 0, 0, repeat('thank you ', 1500);
     insert into segment_embeddings (segment_id, model, embedding)
     select s.id, 'm', (select array_agg(random() - 0.5) from generate_series(1, 1024) where s.id > 0)::vector
       from segments as s order by s.id limit 1000;
     set client_min_messages = error;
     vacuum analyze segments, segment_embeddings, transcripts, recordings;`,
  );
}

describe("no login takes the database away from the others", function () {
  this.timeout(120_000);
  needsEngine();

  before(async function () {
    this.timeout(300_000);
    await up();
    await deploy(LOGINS);
    for (const login of Object.keys(LOGINS)) {
      const { data } = JSON.parse(
        await kubectl("get", "secret", `postgres-login-${login}`, "-n", NAMESPACE, "-o", "json"),
      ) as { data: Record<string, string> };
      passwords[login] = Buffer.from(data.POSTGRES_PASSWORD ?? "", "base64").toString();
    }
    await createDatabase();
    for (const login of Object.keys(LOGINS)) {
      await until(`${login} logs in`, async () => (await as(login, "select 'in'")) === "in");
    }
  });

  after(async function () {
    if (passwords.asker === undefined) return;
    console.log(`      ${refused} calls refused for their arguments`);
    await sql(`drop database if exists ${DATABASE} with (force)`, "postgres");
    const ran = await pulumi(["up", "--yes", "--skip-preview"]);
    assert.equal(ran.status, 0, ran.output);
    await until(
      "the logins are taken away",
      async () =>
        (await sql(
          "select count(*) from pg_roles where rolname in ('asker', 'queuer') and rolcanlogin",
          "postgres",
        )) === "0",
    );
    await sql("drop role if exists asker, queuer", "postgres");
  });

  describe("by a search text", () => {
    it("of many words: refused, before each of them takes its memory", async () => {
      await refuses("asker", [
        ...[15_000, 400].map((times) => `select search_segments_text(repeat('fox or ', ${times}) || 'fox')`),
        "select search_segments_text(string_agg('w' || n, ' ')) from generate_series(1, 33) as n",
        // To the parser alone this is one tag, and these are two words and one address.
        "select search_segments_text('<' || string_agg('w' || n, ' ') || '>') from generate_series(1, 33) as n",
        "select search_segments_text(string_agg('w' || n, '-')) from generate_series(1, 33) as n",
        "select search_segments_text('example.org/' || string_agg('w' || n, '/ ')) from generate_series(1, 33) as n",
        "select search_segments_text(repeat('x', 1001))",
        "select search_segments_text(repeat('x', 100000000))",
        "select search_segments_text(repeat('\"fox fox\" ', 5))",
        "select search_segments_text(null)",
        `select search_segments_hybrid(repeat('fox or ', 400) || 'fox', ${VECTOR}, 'm')`,
        "select search_segments_fuzzy(repeat('fox ', 33))",
        "select search_segments_fuzzy(repeat('x', 1001))",
        "select search_segments_fuzzy(null)",
      ]);
      assert.match(
        await as("asker", "select search_segments_text(repeat('w ', 401))", "default"),
        /^ERROR: {2}query has 401 words; at most 32 are allowed$/m,
      );
      assert.equal(
        await as(
          "asker",
          `select count(*) from search_segments_text((select string_agg('w' || n, ' or ') from generate_series(1, 32) as n));
           select count(*) from search_segments_text(repeat('x', 994) || ' or w1');
           select count(*) from search_segments_text('"a zebra" -fox');
           select text from search_segments_fuzzy('Jonson');
           select count(*) from search_segments_fuzzy('???');`,
        ),
        "20\n20\n1\na zebra named Johnson\n0",
      );

      const before = await peakMemory("select 1");
      const grown: number[] = [];
      for (const words of [1000, 2000]) {
        const query = `select * from former.search_segments_text(repeat('zebra or ', ${words}))`;
        grown.push((await peakMemory(query)) - before);
      }
      const [some = 0, more = 0] = grown;
      console.log(
        `      formerly: 1000 words take ${some.toFixed(0)} MB to find one segment, 2000 take ${more.toFixed(0)} MB`,
      );
      assert.ok(more > 1.7 * some && some > 30, `the former search takes ${some} and ${more} MB`);
    });

    it("of common words: at most 10,000 segments are ranked, found by the index", async () => {
      const plan = (search: string) => `explain (analyze, costs off, timing off) select * from ${search}`;
      const now = await as("asker", plan("search_segments_text('fox')"));
      assert.match(now, /Limit \(actual rows=10000 loops=1\)/);
      assert.match(now, /Bitmap Index Scan on segments_search_idx/);
      const fuzzy = await as("asker", plan("search_segments_fuzzy('fox')"));
      assert.match(fuzzy, /CTE Scan on matching \(actual rows=10000 loops=1\)/);
      assert.match(fuzzy, /Bitmap Index Scan on segments_text_trgm_idx/);
      const formerly = await owner(plan("former.search_segments_text('fox')"));
      assert.match(
        formerly,
        new RegExp(`Bitmap Heap Scan on segments \\w+ \\(actual rows=${SEGMENTS} loops=1\\)`),
      );
    });

    it("that finds segments which repeat themselves: those cost no more than others", async () => {
      const query = "search_segments_fuzzy('thank you')";
      const [formerly = 0, now = 0] = await times(
        [`select * from former.${query}`, `select * from ${query}`],
        3,
      );
      console.log(
        `      one segment of 15 kB of "thank you": ${formerly.toFixed(0)} ms formerly, ${now.toFixed(1)} ms now`,
      );
      assert.ok(formerly > 50, "the former fuzzy search is not slow");
    });
  });

  describe("by another argument of a search", () => {
    it("out of range: refused, with its name and what is allowed", async () => {
      const counts = ["0", "-1", "1001", "500000000", "null"];
      const vectors = ["null", constant("0"), constant("1e-25"), constant("1e25"), "'[1,2]'"];
      await refuses("asker", [
        ...counts.map((count) => `select search_segments_text('fox', ${count})`),
        ...counts.map((count) => `select search_segments_fuzzy('fox', ${count})`),
        ...counts.map((count) => `select search_segments_similar(${VECTOR}, 'm', ${count})`),
        ...counts.map((count) => `select search_segments_hybrid('fox', ${VECTOR}, 'm', ${count})`),
        ...vectors.map((vector) => `select search_segments_similar(${vector}, 'm')`),
        ...vectors.map((vector) => `select search_segments_hybrid('fox', ${vector}, 'm')`),
        ...["null", "''", "repeat('m', 201)"].map(
          (model) => `select search_segments_similar(${VECTOR}, ${model})`,
        ),
        ...["''", "'EN'", "'english'", "'en-' || repeat('x-', 10000000)"].map(
          (language) => `select search_segments_text('fox', language => ${language})`,
        ),
      ]);
      const said = await as(
        "asker",
        `select search_segments_hybrid('fox', ${VECTOR}, 'm', 500000000);
         select search_segments_similar(${constant("0")}, 'm');
         select search_segments_similar('[1,2]', 'm');`,
        "default",
      );
      for (const message of [
        "max_results is 500000000; it must be from 1 to 1000",
        "embedding has the length 0; it must be from 1e-15 to 1e15",
        "embedding has 2 dimensions; it must have 1024",
      ]) {
        assert.ok(said.includes(`ERROR:  ${message}\n`), said);
      }
      assert.equal(
        await as(
          "asker",
          `select count(*) from search_segments_text('fox', 1000, 'en-GB');
           select count(*) from search_segments_similar(${VECTOR}, 'm', 1000);
           select count(*) from search_segments_hybrid('fox', ${VECTOR}, 'm', 1000);`,
        ),
        "1000\n1000\n1000",
      );

      assert.equal(
        await codeOf(`select former.search_segments_hybrid('fox', ${VECTOR}, 'm', 600000000);`),
        "22003",
      );
      const nearest = (value: string) =>
        owner(`select distance from former.search_segments_similar(${constant(value)}, 'm', 1)`);
      // The same direction, and yet not the same distance: NaN for no length, the ends of the scale for others.
      const distance = Number(await nearest("1"));
      assert.ok(distance > 0.5 && distance < 1, `${distance}`);
      assert.deepEqual(await Promise.all(["0", "1e-25", "1e25"].map(nearest)), ["NaN", "0", "1"]);
    });

    it("and a vector whose distance is NaN is not stored", async () => {
      const store = (value: string) =>
        `insert into segment_embeddings select id, 'other', ${constant(value)} from segments order by id limit 1`;
      await refuses("queuer", ["1e-25", "1e25"].map(store), "23514");
      assert.equal(await as("queuer", `${store("1")} returning model`), "other");
    });
  });

  describe("by the queue", () => {
    it("with an argument out of range: refused, with its name and what is allowed", async () => {
      const lengths = ["'200000 years'", "'-1 year'", "'0'", "'168:00:01'", "'1 month -29 days'", "null"];
      const workers = ["null", "''", "repeat('w', 201)"];
      const id = "(select min(id) from jobs)";
      await refuses("queuer", [
        ...lengths.map((lease) => `select claim_jobs('w', '{a}', 1, ${lease})`),
        ...lengths.map((lease) => `select extend_lease(${id}, 'w', ${lease})`),
        ...workers.flatMap((worker) => [
          `select claim_jobs(${worker}, '{a}')`,
          `select extend_lease(${id}, ${worker})`,
          `select complete_job(${id}, ${worker})`,
          `select fail_job(${id}, ${worker}, 'e')`,
        ]),
        ...["null", "0", "-1", "101", "2147483647"].map((most) => `select claim_jobs('w', '{a}', ${most})`),
        ...[
          "null",
          "'{}'",
          "'{a,null}'",
          "'{A}'",
          "array_fill('a'::text, array[1000000])",
          "array[repeat('a', 20000000)]",
        ].map((kinds) => `select claim_jobs('w', ${kinds})`),
        ...["null", "'A'", "''", "repeat('a', 20000000)"].map((kind) => `select enqueue_job(${kind})`),
        ...["null", "'[]'", "jsonb_build_object('x', repeat('x', 10000000))"].map(
          (payload) => `select enqueue_job('a', ${payload})`,
        ),
        "select enqueue_job('a', unique_key => repeat('k', 1025))",
        "select enqueue_job('a', priority => null)",
        ...["null", "'infinity'", "'-infinity'", "'4000-01-01'"].map(
          (at) => `select enqueue_job('a', run_at => ${at})`,
        ),
        ...["null", "0", "1001", "2147483647"].map(
          (most) => `select enqueue_job('a', max_attempts => ${most})`,
        ),
        ...[
          "extend_lease(null, 'w')",
          "complete_job(null, 'w')",
          "fail_job(null, 'w', 'e')",
          "retry_job(null)",
        ].map((call) => `select ${call}`),
        `select fail_job(${id}, 'w', repeat('e', 20000000))`,
        `select fail_job(${id}, 'w', 'e', null)`,
      ]);
      assert.match(
        await as("queuer", "select claim_jobs('w', '{a}', lease => '200000 years')", "default"),
        /^ERROR: {2}lease is 200000 years; it must be longer than zero and at most 7 days$/m,
      );

      assert.equal(
        await owner(
          `select former.enqueue_job('a', run_at => '-infinity') > 0;
           select locked_until > '190000-01-01' from former.claim_jobs('w', '{a}', 2147483647, '200000 years');
           select former.extend_lease(1, 'w', '-1 year'), octet_length(last_error) from former.jobs;
           select former.fail_job(1, 'w', repeat('e', 20000000));
           select octet_length(last_error) from former.jobs;`,
        ),
        "t\nt\nt|\nqueued\n20000000",
      );
    });

    it("with a row written by hand: it is refused, or stops nobody who claims jobs", async () => {
      const changes = [
        "attempts = 2147483647",
        "max_attempts = 2147483647",
        "run_at = '-infinity'",
        "run_at = 'infinity'",
        "created_at = 'infinity'",
        "last_error = repeat('e', 65537)",
        "unique_key = repeat('k', 1025)",
        "payload = jsonb_build_object('x', repeat('x', 262144))",
        "status = 'running', locked_until = now(), locked_by = repeat('w', 201)",
        "status = 'running', locked_until = 'infinity', locked_by = 'w'",
        "status = 'done', finished_at = 'infinity'",
      ];
      await as("queuer", "select enqueue_job('hand')");
      await refuses(
        "queuer",
        changes.map((change) => `update jobs set ${change} where kind = 'hand'`),
        "23514",
      );
      assert.equal(
        await as(
          "queuer",
          `update jobs set attempts = 1000, max_attempts = 1000 where kind = 'hand';
           select enqueue_job('hand') > 0;
           select string_agg(attempts::text, ' ' order by id) from claim_jobs('w', '{hand}', 100);
           update jobs set attempts = 0, locked_until = '2000-01-01' where kind = 'hand' and attempts = 1000;
           select attempts from claim_jobs('w', '{hand}');
           select string_agg(fail_job(id, 'w', 'e'), ' ') from jobs where kind = 'hand';`,
        ),
        "t\n1000 1\n1\nqueued queued",
      );

      await owner(
        "insert into former.jobs (kind, attempts, max_attempts) values ('hand', 2147483647, 2147483647)",
      );
      await owner("select former.enqueue_job('hand')");
      assert.equal(await codeOf("select * from former.claim_jobs('w', '{hand}', 100);"), "22003");
    });

    it("with a row from before the bounds: the migration has brought it inside", async () => {
      assert.equal(
        await as(
          "queuer",
          `select string_agg(status, ' ' order by id), max(attempts), bool_and(isfinite(created_at)),
                  min(extract(year from run_at)), max(extract(year from run_at)), max(octet_length(unique_key)) < 1024
             from jobs where kind = 'beyond';
           select last_error from jobs where kind = 'beyond' and status = 'dead';
           select count(*) from claim_jobs('w', '{beyond}', 100);`,
        ),
        "dead queued queued queued queued queued|1000|t|2000|2199|t\n" +
          "its payload was removed: at most 262144 bytes are allowed\n4",
      );
    });
  });

  describe("by notifications", () => {
    it("that nobody reads: a job is queued without one, and with one again when they are read", async () => {
      const usage = async () => Number(await owner("select pg_notification_queue_usage()"));
      const notifies = async (functions: string) =>
        (await owner(`listen jobs; select ${functions}.enqueue_job('notified') \\g /dev/null`)).includes(
          'Asynchronous notification "jobs" with payload "notified"',
        );
      assert.ok(await notifies("public"), "no notification without an attack");

      // A listener that stays in its transaction keeps what came since.
      const listener = as("asker", "listen bounds; begin; select 1; select pg_sleep(60) /* listens */");
      const found = "from pg_stat_activity where usename = 'asker' and query like '%/* listens */'";
      await until(
        "somebody listens",
        async () => (await sql(`select count(*) ${found}`, "postgres")) === "1",
      );
      await as(
        "asker",
        "select count(pg_notify('bounds', n || repeat('x', 7900))) from generate_series(1, 12000) as n",
      );
      const full = await usage();
      assert.ok(full > 0.01, `the queue is not full: ${full}`);
      const queued = await as(
        "queuer",
        "select enqueue_job('notified') > 0; select count(*) from claim_jobs('w', '{notified}', 100)",
      );
      const silent = !(await notifies("public"));
      const formerly = await notifies("former");
      await sql(`select pg_terminate_backend(pid) ${found}`, "postgres");
      await listener;
      assert.equal(queued, "t\n2", "a job is not queued while notifications pile up");
      assert.ok(silent, "a notification is added to those that pile up");
      assert.ok(formerly, "the former trigger adds none either");
      await until("the notifications are gone", async () => (await usage()) < 0.01, 30_000);
      assert.ok(await notifies("public"), "no notification after the attack");
    });

    it("that are false: whoever is told to look finds what there is", async () => {
      const told = await owner(
        "listen jobs; notify jobs, 'never_queued'; select count(*) from claim_jobs('w', '{never_queued}')",
      );
      assert.match(told, /^0\n.*payload "never_queued"|payload "never_queued"[^]*^0$/m);
    });
  });

  describe("and what they ask within bounds", () => {
    it("has the same answers, and takes about as long", async () => {
      const searches = {
        "a rare word": "search_segments_text('w1500')",
        "a common word": "search_segments_text('fox')",
        "a phrase": "search_segments_text('\"fox w1\" or w2')",
        "32 words":
          "search_segments_text((select string_agg('w' || n, ' or ') from generate_series(300, 331) as n))",
        "a misheard name": "search_segments_fuzzy('Jonson')",
        meaning: `search_segments_similar(${VECTOR}, 'm')`,
        "words and meaning": `search_segments_hybrid('w100 or w200', ${VECTOR}, 'm')`,
      };
      const queue = {
        "queue 200 jobs": (schema: string) =>
          `select count(${schema}.enqueue_job('speed', '{"recording_id": "1"}')) from generate_series(1, 200)`,
        "claim 50 jobs": (schema: string) => `select count(*) from ${schema}.claim_jobs('w', '{speed}', 50)`,
      };
      const compared = [
        ...Object.entries(searches).map(([what, search]) => ({
          what,
          pair: ["former", "public"].map((schema) => `select * from ${schema}.${search}`),
        })),
        ...Object.entries(queue).map(([what, call]) => ({ what, pair: ["former", "public"].map(call) })),
      ];
      const figures = await times(
        compared.flatMap(({ pair }) => pair),
        7,
      );
      compared.forEach(({ what }, index) => {
        const [formerly = NaN, now = NaN] = figures.slice(2 * index);
        console.log(
          `      ${what}: ${formerly.toFixed(2)} ms formerly, ${now.toFixed(2)} ms now, ratio ${(now / formerly).toFixed(2)}`,
        );
      });
      // 401 words are refused now: what they cost is the former search's alone, over the segments with one word.
      const word = "w60";
      const [one = NaN, many = NaN] = await times(
        [
          `select * from former.search_segments_text('${word}')`,
          `select * from former.search_segments_text(repeat('${word} or ', 400) || '${word}')`,
        ],
        1,
      );
      const rows = await owner(`select count(*) from segments where text ~ '\\m${word}\\M'`);
      console.log(
        `      formerly, in ${rows} segments: 401 words ${many.toFixed(0)} ms, one word ${one.toFixed(1)} ms`,
      );
      assert.ok(many > 20 * one, "401 words were not slow");
      // The same rows in the same order, where nothing is left out of the ranking.
      for (const what of [
        "a rare word",
        "a phrase",
        "a misheard name",
        "meaning",
        "words and meaning",
      ] as const) {
        const found = (schema: string) => owner(`select segment_id, text from ${schema}.${searches[what]}`);
        assert.equal(await found("public"), await found("former"), what);
        assert.ok((await found("public")) !== "", what);
      }
    });

    it("still finds the nearest vectors by their index", async () => {
      const scans =
        "select idx_scan from pg_stat_user_indexes where indexrelname = 'segment_embeddings_embedding_idx'";
      // On a thousand rows reading them all is cheap; that the index can be used is the question.
      const counts = await owner(`set enable_seqscan = off; set enable_sort = off;
      ${scans}; select * from search_segments_similar(${VECTOR}, 'm') \\g /dev/null
      select pg_stat_force_next_flush() \\g /dev/null
      select 1 \\g /dev/null
      ${scans};`);
      const [before, after] = counts.split("\n");
      assert.equal(Number(after), Number(before) + 1, "the search by meaning does not use its index");
    });
  });
});
