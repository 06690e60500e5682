import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { rulesTable } from "../../../../components/monitoring/rules-table.ts";
import type { Rule } from "../../../../components/monitoring/rules.ts";
import { projectFile } from "../../../../tools/cli.ts";

/** Notes each call, and answers with what a test has put there for the database. */
const PSQL = `#!/bin/bash
echo "$* PGPASSFILE=$PGPASSFILE $(cat "$PGPASSFILE")" >>"$FAKE/calls"
while [ $# -gt 0 ]; do case $1 in -d) database=$2 ;; esac; shift; done
cat >/dev/null
if [ -s "$FAKE/$database.error" ]; then cat "$FAKE/$database.error" >&2; exit 2; fi
cat "$FAKE/$database"
`;

const rule = (name: string, figure: string, above: number): Rule => ({
  ...{ name, figure, above, lasts: 0, severity: "critical", words: `${name} {label}`, remedy: "do it" },
  ...{ page: "status.md", why: "so" },
});
const RULES = [
  rule("silent", "database_silent_seconds", 1),
  rule("old", "figures_silent_seconds", 3),
  rule("read-only", "disk_read_only", 0),
  rule("dead", "jobs_dead", 0),
];

describe("the look at the figures", function () {
  this.timeout(60_000);
  let root: string;
  let looking: ChildProcess | undefined;
  let log: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "look-"));
    for (const folder of ["run/notify", "etc/notify", "etc/credentials", "tmp", "bin", "scripts", "fake"])
      mkdirSync(join(root, folder), { recursive: true });
    // In one folder, as in the container.
    for (const path of [
      "monitoring/scripts/look.sh",
      "monitoring/scripts/judge.awk",
      "kubernetes/scripts/clock.sh",
    ])
      copyFileSync(projectFile(`components/${path}`), join(root, "scripts", basename(path)));
    writeFileSync(join(root, "bin/psql"), PSQL);
    chmodSync(join(root, "bin/psql"), 0o755);
    const credentials = {
      POSTGRES_USER: "notifier",
      POSTGRES_DB: "transcripts_db",
      POSTGRES_PASSWORD: "a:b\\c",
    };
    for (const [name, value] of Object.entries(credentials))
      writeFileSync(join(root, "etc/credentials", name), value);
    writeFileSync(join(root, "etc/notify/rules.tsv"), rulesTable(RULES));
    answers("disk_read_only\t\t0\nfigures_silent_seconds\t\t3");
    log = "";
  });
  afterEach(() => {
    looking?.kill("SIGKILL");
    looking = undefined;
    rmSync(root, { recursive: true, force: true });
  });

  function answers(figures: string, jobs = ""): void {
    for (const database of ["postgres", "transcripts_db"])
      rmSync(join(root, `fake/${database}.error`), { force: true });
    writeFileSync(join(root, "fake/postgres"), `${figures}\n`);
    writeFileSync(join(root, "fake/transcripts_db"), jobs);
  }
  const fails = (words: string, database = "postgres") =>
    writeFileSync(join(root, `fake/${database}.error`), `${words}\n`);

  function start(): void {
    looking = spawn("bash", ["--norc", join(root, "scripts/look.sh")], {
      env: {
        PATH: `${join(root, "bin")}:${process.env.PATH}`,
        ROOT: root,
        FAKE: join(root, "fake"),
        PAUSE: "0.2",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [looking.stdout, looking.stderr])
      stream?.setEncoding("utf8").on("data", (data: string) => (log += data));
  }
  const findings = () => {
    const path = join(root, "run/notify/findings");
    if (!existsSync(path)) return undefined;
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split("\t").slice(1, 3).join(" ").trim());
  };
  const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  async function until(wanted: string[], milliseconds = 30_000): Promise<void> {
    for (let waited = 0; String(findings()) !== String(wanted); waited += 50) {
      assert.ok(waited < milliseconds, `${String(findings())} is not ${String(wanted)}: ${log}`);
      await pause(50);
    }
  }

  it("finds what the database says, and what its jobs say, as a login whose password nobody sees", async () => {
    start();
    await until([]);
    answers("disk_read_only\t\t1\nfigures_silent_seconds\t\t3", "jobs_dead\tembed\t3\n");
    await until(["read-only"]);
    looking?.kill("SIGKILL");
    start();
    await until(["read-only", "dead embed"]);
    const calls = readFileSync(join(root, "fake/calls"), "utf8");
    assert.match(calls, /-U notifier -d postgres .*\*:\*:\*:\*:a\\:b\\\\c/);
    assert.doesNotMatch(calls.replaceAll(/PGPASSFILE=.*/g, ""), /a:b/);
    assert.doesNotMatch(log, /a:b/);
  });

  it("notices that the database does not answer, and keeps in mind what was wrong before", async () => {
    answers("disk_read_only\t\t1\nfigures_silent_seconds\t\t3");
    start();
    await until(["read-only"]);
    fails("psql: error: connection to server failed: Connection refused");
    await until(["silent", "read-only"]);
    // Nobody knows its figures either, and that is not new.
    await pause(2500);
    assert.deepEqual(findings(), ["silent", "read-only"]);
    assert.equal(log.match(/cannot be read: .*Connection refused/g)?.length, 1);
  });

  it("takes a server that refuses the login, as while a new password is on its way, for one that answers", async () => {
    start();
    await until([]);
    fails('psql: error: connection to server: FATAL:  password authentication failed for user "notifier"');
    await until(["old"]);
    await pause(1000);
    assert.deepEqual(findings(), ["old"]);
  });

  it("goes on counting where it is started again in an outage", async () => {
    start();
    await until([]);
    fails("psql: error: connection to server failed: Connection refused");
    await until(["silent"]);
    looking?.kill("SIGKILL");
    start();
    await pause(1500);
    assert.deepEqual(findings(), ["silent"]);
  });

  it("neither ends nor begins anything by a figure that is old, or by none after a crash", async () => {
    answers("disk_read_only\t\t1\nfigures_silent_seconds\t\t3");
    start();
    await until(["read-only"]);
    // As monitoring.now has a figure that is old, and the table after a crash none.
    answers("disk_read_only\t\t");
    await until(["old", "read-only"]);
    assert.match(readFileSync(join(root, "tmp/figures"), "utf8"), /^figures_silent_seconds\t\t[1-9]/m);
  });

  it("gives a new server time to come up", async () => {
    fails("psql: error: could not translate host name");
    start();
    await until([]);
    await pause(2000);
    assert.deepEqual(findings(), []);
  });

  it("takes a server whose certificate has expired for one that answers", async () => {
    start();
    await until([]);
    fails("psql: error: connection to server failed: SSL error: certificate verify failed");
    await pause(2500);
    assert.ok(!findings()?.includes("silent"));
  });

  it("does without the jobs where they cannot be read", async () => {
    answers("disk_read_only\t\t1\nfigures_silent_seconds\t\t3");
    fails("psql: ERROR:  permission denied for view job_counts", "transcripts_db");
    start();
    await until(["read-only"]);
    // The look's last step.
    const looked = join(root, "run/notify/looked");
    for (let waited = 0; !existsSync(looked); waited += 50) {
      assert.ok(waited < 10_000, log);
      await pause(50);
    }
  });
});
