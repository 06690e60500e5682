import assert from "node:assert/strict";
import { DumpRun, isPortable, PASSPHRASE } from "./dump-run.ts";

const OLD = ["20200101T000000Z", "20200102T000000Z", "20200103T000000Z"];
/** The objects of a dump. */
const whole = (time: string) => [
  `globals-${time}.sql`,
  `transcripts_db-${time}.dump`,
  `transcripts_db-${time}.json`,
];

describe("a logical dump", function () {
  this.timeout(30_000);
  let run: DumpRun;
  const start = (repositories?: string) => (run = new DumpRun(repositories));
  afterEach(() => {
    run.remove();
  });

  it("is written, read back and compared; its last line has tables, rows and size, for the Job's status too", async () => {
    start();
    const { status, last } = await run.run();
    assert.equal(status, 0, last);
    assert.match(
      last,
      /^dump: DONE: transcripts_db-\d{8}T\d{6}Z in repository cloud: 2 tables with 2 rows, as in the database; 1 MiB$/,
    );
    assert.equal(run.text("termination-log").trim(), last);
    const [, time = ""] = /-(\w+Z) /.exec(last) ?? [];
    assert.deepEqual(run.objects(), whole(time));
    assert.equal(run.text(`store/dumps1/transcripts_db-${time}.json`), '{"a": "proof"}\n');
  });

  it("gets passphrase and keys to rclone whole, in no argument, in no file and in no word of the log", async () => {
    start();
    const { lines } = await run.run();
    const environment = run.text("environment");
    const obscured = [...PASSPHRASE].reverse().join("");
    assert.ok(environment.includes(`RCLONE_CONFIG_DUMPS1_PASSWORD=${obscured}\n`), environment);
    assert.match(environment, /^RCLONE_CONFIG_REPO1_ACCESS_KEY_ID=AKIA$/m);
    assert.match(environment, /^RCLONE_CONFIG_REPO1_SECRET_ACCESS_KEY=secret\+\/=$/m);
    for (const secret of [PASSPHRASE, obscured, "AKIA", "secret+/="])
      assert.ok(!(run.text("calls") + lines.join("\n")).includes(secret), secret);
  });

  it("fails if a table has fewer rows than the database, with the table and the numbers, and is not tried again", async () => {
    start();
    run.has({ "public.a": ["1", "2"], "public.b": ["1"] }, { "public.a": ["1"], "public.b": ["1"] });
    const { status, last, lines } = await run.run({ WAIT: "20" });
    assert.equal(status, 1);
    assert.match(
      last,
      /^dump: FAILED: repository cloud: \S+ was written, and is not what the database was: table public\.a has 1 instead of 2 rows$/,
    );
    assert.ok(!lines.some((line) => line.includes("trying again")));
    assert.equal(run.text("termination-log").trim(), last);
  });

  it("fails if a table is missing, or its rows have no end", async () => {
    start();
    run.has({ "public.a": ["1"], 'public."b c"': ["1", "2"] }, { "public.a": ["1"] });
    assert.match((await run.run()).last, /table public\."b c" is missing, or not whole, instead of 2 rows/);
    run.write(
      "dump.sql",
      'COPY public.a (x) FROM stdin;\n1\n\\.\n\nCOPY public."b c" (x) FROM stdin;\n1\n2\n',
    );
    assert.match((await run.run()).last, /table public\."b c" is missing, or not whole, instead of 2 rows/);
  });

  it("counts rows that look like the dump's own lines as rows", async () => {
    start();
    run.has({ "public.a": ["COPY public.c (x) FROM stdin;", "\\\\.", "", "--"] });
    assert.match((await run.run()).last, /DONE: .* 1 tables with 4 rows/);
  });

  it("fails if what comes back is not what was sent, even with all rows", async () => {
    start();
    run.rclone('if [ "$1" = cat ]; then cat "$store/$name"; echo "-- more"; exit; fi');
    assert.match(
      (await run.run()).last,
      /what comes back is something else: its SHA-256 is \w{64} instead of \w{64}$/,
    );
  });

  it("fails if pg_dump, pg_restore or the roles' dump does, in their words", async () => {
    for (const [program, says] of [
      ["pg_dump", /repository cloud: it broke/],
      ["pg_restore", /cannot be read back: it broke/],
      ["pg_dumpall", /repository cloud: it broke/],
    ] as const) {
      start();
      run.program(program, "head -c 10 /dev/zero; echo 'it broke' >&2; exit 1");
      const { status, last } = await run.run();
      assert.deepEqual([status, says.test(last)], [1, true], last);
      assert.ok(!run.objects().some((name) => name.endsWith(".json")), "an unproven dump counts as one");
      run.remove();
    }
    start();
    run.program("pg_dumpall", "echo half");
    assert.match((await run.run()).last, /the roles cannot be read back: it has no end/);
  });

  it("tells a table that the owner may not read, and does not try again", async () => {
    start();
    run.write("refusal", "ERROR:  the owner may not read other.t: no dump would hold their rows\n");
    const { lines, last } = await run.run({ WAIT: "20" });
    assert.match(last, /FAILED: repository cloud: ERROR: the owner may not read other\.t/);
    assert.equal(lines.length, 1);
  });

  it("ends when rclone ends, before its first byte or in the middle, and tries again", async () => {
    for (const bytes of [0, 3]) {
      start();
      run.program("pg_dump", "yes | head -c 3000000; cat $FOLDER/dump.sql");
      run.rclone(
        `if [ "$1" = rcat ] && [ ! -e "$FOLDER/once" ]; then head -c ${bytes} >/dev/null; touch "$FOLDER/once"; echo "2026/11/29 03:30:00 ERROR : x: no space left on device" >&2; exit 1; fi`,
      );
      const { status, lines } = await run.run({ WAIT: "20" });
      assert.match(
        lines[1] ?? "",
        /repository cloud: x: no space left on device\. The repository is full: enlarge it.*; trying again$/,
      );
      assert.equal(status, 0, lines.join("\n"));
      run.remove();
    }
    start();
  });

  it("removes the oldest only after a new one was proven", async () => {
    start();
    for (const name of OLD.flatMap(whole)) run.put(name);
    run.program("pg_dump", "exit 1");
    assert.equal((await run.run()).status, 1);
    for (const name of OLD.flatMap(whole)) assert.ok(run.objects().includes(name), name);
    run.remove();
    start();
    for (const name of OLD.flatMap(whole)) run.put(name);
    const { last } = await run.run();
    const [, time = ""] = /-(\w+Z) /.exec(last) ?? [];
    assert.deepEqual(run.objects(), [...whole("20200103T000000Z"), ...whole(time)].sort());
  });

  it("removes what a killed one has left, and nothing that is not a dump of this database", async () => {
    start();
    const strangers = ["other_db-20200101T000000Z.dump", "notes.txt", "transcripts_db-now.dump"];
    for (const name of [...strangers, ...whole("20200103T000000Z")]) run.put(name);
    run.put("transcripts_db-20200104T000000Z.dump");
    run.put("globals-20200105T000000Z.sql");
    const { lines } = await run.run();
    assert.equal(
      lines[0],
      "dump: removing what killed or failed dumps have left: 20200104T000000Z 20200105T000000Z",
    );
    const left = run.objects();
    for (const name of [...strangers, ...whole("20200103T000000Z")]) assert.ok(left.includes(name), name);
    assert.ok(!left.some((name) => /2020010[45]/.test(name)), left.join());
    // Parts that no list shows.
    assert.match(run.text("calls"), /^backend cleanup repo1:bucket\/prod-dumps -o max-age=1s$/m);
  });

  it("goes into the other repository if one is away, and says which one has failed", async () => {
    start("1:cloud:s3:9:127.0.0.1 2:local:volume");
    const { status, last } = await run.run();
    assert.equal(status, 1);
    assert.match(
      last,
      /^dump: FAILED: repository cloud: no connection to 127\.0\.0\.1, port 9: .*backup\.repositories\.cloud\.endpoint <host>$/,
    );
    assert.equal(run.objects("dumps2").length, 3);
  });

  it("is not written onto a disk that is not mounted, or another stack's", async () => {
    start("1:nas:directory");
    assert.match(
      (await run.run()).last,
      /repository nas: its directory on the node has no marker volume\.identity/,
    );
    start("1:nas:directory");
  });

  it("needs nothing but a POSIX shell next to rclone", () => {
    start();
    assert.ok(isPortable("dump-transfer.sh"));
  });
});
