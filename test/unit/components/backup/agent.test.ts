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
import { projectFile } from "../../../../tools/cli.ts";

/** Notes each call, and does what a test has put into `$FAKE/does`. */
const PGBACKREST = `#!/bin/bash
echo "$*" >>"$FAKE/calls"
for word; do case $word in --pg1-path=*) directory=\${word#*=} ;; esac; done
. "$FAKE/does"
`;

const SCRIPTS = [
  ...["agent.sh", "handover.sh", "repositories.sh", "verify.sh"].map((name) => `backup/scripts/${name}`),
  "kubernetes/scripts/clock.sh",
];

describe("the backup agent", function () {
  this.timeout(30_000);
  let folder: string;
  let handover: string;
  let agent: ChildProcess;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "backup-agent-"));
    handover = join(folder, "volume/handover");
    for (const name of ["bin", "scripts", "conf.d", "volume/handover"])
      mkdirSync(join(folder, name), { recursive: true });
    // In one folder, as in the container.
    for (const path of SCRIPTS)
      copyFileSync(projectFile(`components/${path}`), join(folder, "scripts", basename(path)));
    writeFileSync(join(folder, "bin/pgbackrest"), PGBACKREST);
    chmodSync(join(folder, "bin/pgbackrest"), 0o755);
    writeFileSync(join(folder, "conf.d/secrets.conf"), "[global]\n");
    writeFileSync(join(folder, "pgbackrest.conf"), "[global]\n");
    writeFileSync(join(folder, "calls"), "");
  });
  afterEach(() => {
    agent.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  function start(does: string): void {
    writeFileSync(join(folder, "does"), does);
    agent = spawn("bash", ["--norc", join(folder, "scripts/agent.sh")], {
      stdio: "ignore",
      env: {
        PATH: `${join(folder, "bin")}:${process.env.PATH}`,
        FAKE: folder,
        VOLUME: join(folder, "volume"),
        DATA_DIRECTORY: join(folder, "volume/pgdata"),
        IDENTITY: "transcript-pipeline/prod",
        STANZA: "main",
        REPOSITORIES: "1:here:volume",
        PGBACKREST_CONFIG: join(folder, "pgbackrest.conf"),
        PGBACKREST_CONFIG_INCLUDE_PATH: join(folder, "conf.d"),
      },
    });
  }
  const ask = (request: string, ...lines: string[]) => {
    writeFileSync(join(folder, "request"), `${lines.join("\n")}\n`);
    writeFileSync(join(handover, `${request}.wanted`), readFileSync(join(folder, "request")));
  };
  const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  async function until(file: string, milliseconds = 10_000): Promise<string> {
    for (let waited = 0; !existsSync(join(handover, file)); waited += 50) {
      assert.ok(waited < milliseconds, `${file} does not come`);
      await pause(50);
    }
    return readFileSync(join(handover, file), "utf8").trim();
  }
  const calls = (command: string) =>
    readFileSync(join(folder, "calls"), "utf8")
      .split("\n")
      .filter((line) => line.includes(` ${command}`)).length;

  it("restores once, however late the server sees the answer", async () => {
    start('case "$*" in *restore*) mkdir -p "$directory" && : >"$directory/postgresql.auto.conf" ;; esac');
    const directory = join(folder, "volume/pgdata.initializing");
    ask("restore", "word-1", directory, "1");
    assert.equal(await until("restore.done"), "word-1");
    writeFileSync(join(directory, "PG_VERSION"), "16\n");
    await pause(1500);
    assert.equal(calls("restore"), 1);
    assert.ok(existsSync(join(directory, "PG_VERSION")), "what was restored is gone");
  });

  it("archives a segment once for each request, and again for a new one", async () => {
    start("");
    ask("push.000000010000000000000001", "word-1");
    assert.equal(await until("push.000000010000000000000001.done"), "word-1");
    await pause(1000);
    assert.equal(calls("archive-push"), 1);
    rmSync(join(handover, "push.000000010000000000000001.done"));
    ask("push.000000010000000000000001", "word-2");
    assert.equal(await until("push.000000010000000000000001.done"), "word-2");
    assert.equal(calls("archive-push"), 2);
  });

  it("repeats what the attempt before complained of while the next one takes long", async function () {
    start(`case "$*" in *archive-push*)
      [ "$(grep -c archive-push "$FAKE/calls")" -le 2 ] || sleep 15
      echo "P00  ERROR: [039]: 403 (Forbidden)"; exit 39 ;; esac`);
    ask("push.000000010000000000000001", "word-1");
    await until("push.000000010000000000000001.error");
    await pause(3000);
    rmSync(join(handover, "push.000000010000000000000001.error"));
    assert.match(
      await until("push.000000010000000000000001.error", 14_000),
      /at it for \d+ s: .*The attempt before: \[039\]/,
    );
  });

  it("goes on trying while a request stands, and makes the archive's place again when it is gone", async () => {
    start(`case "$*" in *archive-push*)
      [ "$(grep -c archive-push "$FAKE/calls")" -ge 4 ] || { echo "P00  ERROR: [055]: no archive.info"; exit 55; } ;; esac`);
    ask("push.000000010000000000000001", "word-1");
    assert.match(await until("push.000000010000000000000001.error"), /\[055\]: no archive\.info/);
    assert.equal(await until("push.000000010000000000000001.done"), "word-1");
    assert.equal(calls("stanza-create"), 2);
  });

  describe("asked by monitoring for what is in the repositories", () => {
    it("answers once, with the repositories' names", async () => {
      start(`case "$*" in *info*) echo '[{"backup": []}]' ;; esac`);
      ask("report", "word-1");
      assert.deepEqual(JSON.parse(await until("report.file")), {
        repositories: "1:here:volume",
        info: [{ backup: [] }],
      });
      await pause(1000);
      assert.ok(!existsSync(join(handover, "report.wanted")));
      assert.equal(calls("info"), 1);
    });

    it("archives meanwhile, however long a repository takes to answer", async () => {
      start(`case "$*" in *info*) sleep 25 ;; esac`);
      ask("report", "word-1");
      for (let waited = 0; calls("info") === 0; waited += 50) {
        assert.ok(waited < 10_000, "the repository is not asked");
        await pause(50);
      }
      ask("push.000000010000000000000001", "word-2");
      assert.equal(await until("push.000000010000000000000001.done"), "word-2");
      assert.equal(calls("info"), 1);
    });

    it("keeps the answer that it had when a repository cannot be asked, and does not try again by itself", async () => {
      writeFileSync(join(handover, "report.file"), "{}\n");
      start(`case "$*" in *info*) echo "P00  ERROR: [049]: unable to connect"; exit 49 ;; esac`);
      ask("report", "word-1");
      await pause(1500);
      assert.equal(await until("report.file"), "{}");
      assert.ok(!existsSync(join(handover, "report.wanted")));
      assert.equal(calls("info"), 1);
    });
  });
});
