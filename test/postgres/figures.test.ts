import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectFile } from "../../tools/cli.ts";
import {
  makeDataDirectory,
  type Programs,
  query,
  startServer,
  stopServer,
} from "../../tools/postgres-programs.ts";
import { databaseLookIn, databaseQuestion } from "../../tools/status/look.ts";
import { copyFigureScripts, withPrograms } from "./programs.ts";

/** What an agent's file may hold: what it writes, what a loss of power leaves, and what nobody should have written. */
const REPORTS: Readonly<Record<string, string | Buffer>> = {
  nothing: "",
  zeros: Buffer.alloc(4096),
  "half an answer": '{"repositories": "1:local:volume", "info": [{"ba',
  "a number": "7",
  "bytes that are no text": Buffer.from([0xff, 0xfe, 0x7b, 0x7d]),
  "an answer without backups": '{"repositories": "1:local:volume", "info": [{"repo": [], "backup": []}]}',
  "types of its own": `{"repositories": ["1"], "info": {"backup": {"timestamp": {"stop": "now"}, "database": 1, "error": []}}}`,
  "a time that is none":
    '{"repositories": "1:local:volume", "info": [{"backup": [{"database": {"repo-key": 1}, "timestamp": {"stop": 1e300}}]}]}',
  "names with colons and quotes": `{"repositories": "1:a':b 2:: :3", "info": [{"repo": [{"key": "x", "status": 3}]}]}`,
};

describe("the figures of PostgreSQL", function () {
  this.timeout(120_000);
  let programs: Programs;
  let data: string;
  let handover: string;

  /** Runs a script as the server's containers do, with its variables, and returns what it printed. */
  async function runFile(name: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
    const { ok, output, errors } = await programs.run("psql", [
      ...["-XAtq", "-v", "ON_ERROR_STOP=1"],
      ...Object.entries(variables).flatMap(([key, value]) => ["-v", `${key}=${value}`]),
      ...["-f", join(programs.scratch, name)],
    ]);
    assert.ok(ok, errors);
    return output.trim();
  }
  const look = async () => databaseLookIn(await runFile("question.sql"));

  withPrograms(async (ready) => {
    programs = ready;
    data = await makeDataDirectory(programs, "figures");
    const started = await startServer(programs, data, "archive_mode = on\narchive_command = '/bin/true'\n");
    assert.ok(started.ready, started.log);
    copyFigureScripts(programs);
    writeFileSync(join(programs.scratch, "question.sql"), databaseQuestion());
    handover = join(programs.scratch, "handover");
    mkdirSync(handover, { recursive: true });
    await runFile("heartbeat.sql");
  });
  after(async () => {
    await stopServer(programs, data);
    rmSync(handover, { recursive: true, force: true });
  });

  it("are read before the first restore drill", async () => {
    const { version, figures, backups } = await look();
    assert.match(version, /^16\.\d+$/);
    assert.ok(figures.some(({ name }) => name === "archive_waiting_segments"));
    assert.deepEqual(backups.drills, []);
  });

  it("are read after many restore drills, whatever was said of them", async () => {
    await query(
      programs,
      `insert into backup.drill (proven, repository, words)
       select n % 2 = 0, 'local', E'line one\\nline "two"\\\\ of drill ' || n from generate_series(1, 25) as n`,
    );
    const { backups, figures } = await look();
    assert.equal(backups.drills?.length, 20);
    assert.match(backups.drills[0]?.words ?? "", /line one\nline "two"\\ of drill 25/);
    assert.ok(figures.length > 5);
  });

  for (const [what, report] of Object.entries(REPORTS)) {
    it(`are read whatever the backup agent's file holds: ${what}`, async () => {
      writeFileSync(join(handover, "report.file"), report);
      const { figures } = await look();
      assert.ok(figures.some(({ name }) => name === "repositories_silent_seconds"));
      assert.ok(figures.every(({ name }) => name !== "backup_age_seconds"));
    });
  }

  it("tell how old each repository's newest backup is, and when a restore of it was proven", async () => {
    const now = Math.floor(Date.now() / 1000);
    const backup = (key: number, stop: number, error = false) => ({
      database: { "repo-key": key },
      timestamp: { stop },
      error,
    });
    writeFileSync(
      join(handover, "report.file"),
      JSON.stringify({
        repositories: "1:local:volume 2:away:s3",
        info: [
          {
            repo: [
              { key: 1, status: { code: 0 } },
              { key: 2, status: { code: 99 } },
            ],
            backup: [
              backup(1, now - 7200),
              backup(1, now - 3600),
              backup(1, now - 60, true),
              backup(2, now - 90_000),
            ],
          },
        ],
      }),
    );
    const { figures } = await look();
    const value = (name: string, label: string) =>
      figures.find((figure) => figure.name === name && figure.label === label)?.value ?? NaN;
    assert.ok(Math.abs(value("backup_age_seconds", "local") - 3600) < 60);
    assert.ok(Math.abs(value("backup_age_seconds", "away") - 90_000) < 60);
    assert.equal(value("repository_failing", "local"), 0);
    assert.equal(value("repository_failing", "away"), 1);
    // The drills are of "local"; of the other one no restore was ever proven, so since its oldest backup.
    assert.ok(value("restore_proven_seconds", "local") < 60);
    assert.ok(Math.abs(value("restore_proven_seconds", "away") - 90_000) < 60);
    assert.equal(value("drill_failed", "local"), 1);
  });

  it("are kept for those who monitor, with what the node says", async () => {
    const node = "disk_free_bytes\t\t5000\nraid_degraded\tmd0\t1\nnot a figure\nbad\t\t1e9x";
    await runFile("figures.sql", { node });
    await runFile("figures.sql", { node });
    const kept = await query(
      programs,
      `select string_agg(name || '=' || value, ' ' order by name) from monitoring.figure
        where name in ('disk_free_bytes', 'raid_degraded', 'bad', 'archive_waiting_segments')`,
    );
    assert.match(kept, /^archive_waiting_segments=\d+ disk_free_bytes=5000 raid_degraded=1$/);
    assert.equal(await query(programs, "select count(*) from monitoring.disk"), "1");
  });

  it("go with what they are of, but those of the node, which may not be seen for a while", async () => {
    const script = readFileSync(projectFile("components/server/scripts/node-figures.sh"), "utf8");
    const ofNode = [
      ...new Set(
        [...script.matchAll(/\b(?:figure|refused|printf ")(?: |)([a-z]+_[a-z_]+)/g)].map(
          ([, name = ""]) => name,
        ),
      ),
    ];
    for (const name of ["disk_read_only", "disk_free_ratio", "raid_missing_devices", "settings_refused"])
      assert.ok(ofNode.includes(name), ofNode.join());
    const values = ofNode.map((name) => `('${name}', 'old', 1, now() - interval '5 minutes')`);
    await query(
      programs,
      `insert into monitoring.figure values ${values.join()}, ('slot_wal_bytes', 'old', 1, now() - interval '5 minutes')`,
    );
    await runFile("figures.sql", { node: "disk_free_bytes\t\t5000" });
    const left = await query(
      programs,
      "select string_agg(name, ' ' order by name) from monitoring.figure where label = 'old'",
    );
    assert.equal(left, [...ofNode].sort().join(" "));
    await query(programs, "delete from monitoring.figure where label = 'old'");
  });

  it("are read by who may monitor, with nothing that others may do, and nobody else", async () => {
    await query(
      programs,
      "create role watcher login; grant pg_monitor to watcher; create role stranger login; grant usage on schema monitoring to stranger",
    );
    const as = (role: string, statement: string) =>
      query(programs, `set session authorization ${role}`, statement);
    assert.ok(Number(await as("watcher", "select count(*) from monitoring.now")) > 5);
    for (const statement of ["select * from monitoring.now", "select * from monitoring.node()"])
      await assert.rejects(as("stranger", statement), /permission denied/, statement);
    for (const statement of ["delete from monitoring.figure", "select pg_read_file('/etc/hostname')"])
      await assert.rejects(as("watcher", statement), /permission denied/, statement);
  });
});
