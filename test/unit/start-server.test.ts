import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../tools/cli.ts";

const IDENTITY = "transcript-pipeline/prod";
const SERVER = 999;

describe("a server on a directory that belongs to somebody else", function () {
  this.timeout(30_000);
  let volume: string;
  let script: string;
  before(function () {
    if (process.getuid?.() === 0) return;
    (this.test?.parent as { skipReason?: string }).skipReason = "only root can give files to another user";
    this.skip();
  });
  beforeEach(() => {
    volume = mkdtempSync(join(tmpdir(), "start-server-"));
    // The checkout may be root's alone.
    script = join(volume, "..", `${volume.split("/").at(-1)}.sh`);
    const text = spawnSync("cat", [projectFile("components/scripts/start-server.sh")], {
      encoding: "utf8",
    }).stdout;
    writeFileSync(script, text, { mode: 0o644 });
    mkdirSync(join(volume, "pgdata"), { mode: 0o700 });
    writeFileSync(join(volume, "volume.identity"), `${IDENTITY}\n`, { mode: 0o600 });
    writeFileSync(join(volume, "pgdata/PG_VERSION"), "16\n", { mode: 0o600 });
    for (const file of ["", "volume.identity", "pgdata", "pgdata/PG_VERSION"])
      chownSync(join(volume, file), SERVER, SERVER);
    chmodSync(volume, 0o700);
  });
  afterEach(() => {
    rmSync(volume, { recursive: true, force: true });
    rmSync(script, { force: true });
  });

  /** What it says as the user that the pod runs as. */
  function start(): string {
    const ran = spawnSync("bash", [script], {
      uid: SERVER,
      gid: SERVER,
      cwd: "/",
      encoding: "utf8",
      timeout: 20_000,
      // No server is to be found: with nothing to refuse it ends there.
      env: {
        PATH: "/usr/bin:/bin",
        VOLUME: volume,
        IDENTITY,
        PGDATA: join(volume, "pgdata"),
        ADDRESS_SPACE: "1000000",
      },
    });
    return ran.stderr;
  }
  const refusal = (what: string) =>
    new RegExp(
      `REFUSED: ${what} belongs to uid 0, and the server is uid 999\\. Nothing was written\\. .*chown -R 999:999 <storage\\.path>`,
    );

  it("has nothing to say against its own", () => {
    assert.doesNotMatch(start(), /REFUSED/);
  });

  it("says whose the directory is, and not that it is not mounted", () => {
    chownSync(volume, 0, 0);
    assert.match(start(), refusal(`the directory behind \\S+`));
    // Readable by all, and not to be written.
    chmodSync(volume, 0o755);
    assert.match(start(), refusal(`the directory behind \\S+`));
  });

  it("says whose the marker is, and not that there is none", () => {
    chownSync(join(volume, "volume.identity"), 0, 0);
    assert.match(start(), refusal(`volume\\.identity in the directory behind \\S+`));
    assert.deepEqual(readdirSync(volume).sort(), ["pgdata", "volume.identity"]);
  });

  it("says whose the lock is", () => {
    writeFileSync(join(volume, "server.lock"), "", { mode: 0o600 });
    assert.match(start(), refusal(`server\\.lock in the directory behind \\S+`));
  });

  it("says whose the database is, and not that there is none", () => {
    chownSync(join(volume, "pgdata"), 0, 0);
    assert.match(start(), refusal(`\\S+/pgdata`));
    chmodSync(join(volume, "pgdata"), 0o755);
    assert.match(start(), refusal(`\\S+/pgdata`));
    chownSync(join(volume, "pgdata"), SERVER, SERVER);
    chownSync(join(volume, "pgdata/PG_VERSION"), 0, 0);
    assert.match(start(), refusal(`\\S+/pgdata/PG_VERSION`));
  });
});
