/**
 * A database of the previous version, whose extensions are in `public`: it is upgraded in place, under readers, and
 * nothing in it is lost.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { projectFile } from "../../../tools/cli.ts";
import { AS_SUPERUSER, execute, inPod, kubectl, sql, theCluster, up } from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const EXTENSIONS = ["vector", "pg_trgm", '"uuid-ossp"', "pg_stat_statements"];
const READERS = 4;

/** What a reader does repeatedly, with the extensions' names unqualified: types, operators, functions of both kinds. */
const READING = [
  "select embedding <=> (array_fill(0.25::real, array[512]) || array_fill(0.5::real, array[512]))::vector from segment_embeddings;",
  "select count(*) from search_segments_similar((array_fill(0.25::real, array[512]) || array_fill(0.5::real, array[512]))::vector, 'bge-m3');",
  "select count(*) from search_segments_text('Füchse');",
  "select count(*) from search_segments_fuzzy('Fuchse');",
  "select similarity('a', 'b'), uuid_generate_v4() is not null;",
].join("\n");

/**
 * A reader on one connection, twenty rounds a second at most, until the file that says so is there; what failed, and how
 * many rows were read.
 */
function read(name: string): Promise<{ errors: string; statements: number }> {
  const loop = `IFS= read -r -d '' statements; for i in $(seq 2000); do [ ! -e /tmp/${name} ] || break; echo "$statements"; sleep 0.05; done |
    psql -X -q -At -v VERBOSITY=verbose -U transcript_user -d transcripts_db 2>/tmp/${name}.errors | wc -l;
    cat /tmp/${name}.errors; rm -f /tmp/${name}.errors`;
  return inPod(["bash", "-c", loop], `${READING}\0`, 120_000).then(({ stdout }) => {
    const [count = "0", ...errors] = stdout.split("\n");
    return { errors: errors.join("\n").trim(), statements: Number(count) };
  });
}

const layout = () =>
  sql(
    `select string_agg(extname || ' ' || extnamespace::regnamespace, ', ' order by extname) from pg_extension where extname <> 'plpgsql'`,
  );

describe("a database of the previous version", function () {
  this.timeout(300_000);

  before(async () => {
    await up();
    // As that version left it: the extensions in public, no schema for them, functions that look in public alone.
    const ran = await inPod(
      [...AS_SUPERUSER, "-d", "transcripts_db"],
      `drop schema public cascade;
       create schema public authorization pg_database_owner;
       ${EXTENSIONS.map((name) => `drop extension ${name} cascade;`).join("\n")}
       alter extension plpgsql drop schema extensions;
       drop schema extensions;
       set search_path = public;
       ${EXTENSIONS.map((name) => `create extension ${name} schema public; comment on extension ${name} is null;`).join("\n")}`,
    );
    assert.equal(ran.status, 0, ran.output);
    const dump = readFileSync(
      projectFile("test/cluster/fixtures/dump-with-extensions-in-public.sql"),
      "utf8",
    );
    const restored = await inPod(
      ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "transcript_user", "-d", "transcripts_db"],
      dump,
    );
    assert.equal(restored.status, 0, restored.output);
    assert.equal(
      await layout(),
      "pg_stat_statements public, pg_trgm public, uuid-ossp public, vector public",
    );
    assert.match(
      await sql("select proconfig from pg_proc where proname = 'search_segments_similar'"),
      /search_path=public, pg_temp/,
    );
  });

  it("is upgraded by the next up, and readers see no failed query", async () => {
    const stop = "stop-reading";
    await inPod(["rm", "-f", `/tmp/${stop}`]);
    const readers = Array.from({ length: READERS }, () => read(stop));
    await kubectl("delete", "job", "postgres-init", ...NAMESPACE);
    await up();
    await inPod(["touch", `/tmp/${stop}`]);
    const outcomes = await Promise.all(readers);
    await inPod(["rm", "-f", `/tmp/${stop}`]);
    const statements = outcomes.reduce((sum, outcome) => sum + outcome.statements, 0);
    console.log(`      ${statements} rows read by ${READERS} readers meanwhile`);
    assert.ok(statements > 100);
    assert.deepEqual(
      outcomes.map(({ errors }) => errors),
      outcomes.map(() => ""),
    );
    assert.equal(
      await layout(),
      "pg_stat_statements extensions, pg_trgm extensions, uuid-ossp extensions, vector extensions",
    );
  });

  it("has every row, and finds it by word and by meaning", async () => {
    assert.equal(
      await sql("select title from recordings where source_uri = 'before:1'"),
      "Of the version before",
    );
    assert.equal(await sql("select count(*) from search_segments_text('Füchse', language => 'de')"), "1");
    assert.equal(
      await sql(
        "select round(distance::numeric, 6) from search_segments_similar((array_fill(0.25::real, array[512]) || array_fill(0.5::real, array[512]))::vector, 'bge-m3')",
      ),
      "0.000000",
    );
    assert.equal(await sql("select count(*) from jobs where unique_key = 'before'"), "1");
  });

  it("refuses a schema of that name that belongs to the owner, and says what to do", async () => {
    const ran = await inPod(
      [...AS_SUPERUSER, "-d", "transcripts_db"],
      `create schema elsewhere;
       ${EXTENSIONS.map((name) => `alter extension ${name} set schema elsewhere;`).join("\n")}
       alter extension plpgsql drop schema extensions; drop schema extensions;`,
    );
    assert.equal(ran.status, 0, ran.output);
    await sql("create schema extensions");
    try {
      await kubectl("delete", "job", "postgres-init", ...NAMESPACE);
      const refused = await execute("npm", [
        ...["run", "--silent", "up", "--", "--local-cluster", theCluster().name],
      ]);
      assert.notEqual(refused.status, 0);
      assert.match(refused.output, /schema extensions belongs to transcript_user/);
      assert.match(refused.output, /ALTER SCHEMA extensions RENAME TO/);
    } finally {
      await sql("alter schema extensions rename to mine");
      await up();
    }
    assert.match(await layout(), /vector extensions/);
    await sql("drop schema mine");
    await sql("drop schema elsewhere", "postgres");
  });
});
