import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";
import { skip } from "../../../skip.ts";

const IDENTITY = "transcript-pipeline/prod";
const SERVER = 999;

describe("a server on a directory that belongs to somebody else", function () {
  this.timeout(30_000);
  let volume: string;
  let scripts: string;
  before(function () {
    if (process.getuid?.() === 0) return;
    skip(this, "only root can give files to another user");
  });
  beforeEach(() => {
    volume = mkdtempSync(join(tmpdir(), "start-server-"));
    // The checkout may be readable only by root. There is no image to look at here.
    scripts = mkdtempSync(join(tmpdir(), "start-server-scripts-"));
    chmodSync(scripts, 0o755);
    for (const name of ["start-server.sh", "last-started.sh"])
      writeFileSync(join(scripts, name), readFileSync(projectFile(`components/server/scripts/${name}`)), {
        mode: 0o644,
      });
    writeFileSync(join(scripts, "check-image.sh"), "", { mode: 0o644 });
    mkdirSync(join(volume, "pgdata"), { mode: 0o700 });
    writeFileSync(join(volume, "volume.identity"), `${IDENTITY}\n`, { mode: 0o600 });
    writeFileSync(join(volume, "pgdata/PG_VERSION"), "16\n", { mode: 0o600 });
    for (const file of ["", "volume.identity", "pgdata", "pgdata/PG_VERSION"])
      chownSync(join(volume, file), SERVER, SERVER);
    chmodSync(volume, 0o700);
  });
  afterEach(() => {
    rmSync(volume, { recursive: true, force: true });
    rmSync(scripts, { recursive: true, force: true });
  });

  /** Its output as the user that the pod runs as. */
  function start(): string {
    const ran = spawnSync("bash", [join(scripts, "start-server.sh")], {
      uid: SERVER,
      gid: SERVER,
      cwd: "/",
      encoding: "utf8",
      timeout: 20_000,
      // No server can be found: with nothing to refuse it ends there.
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

  it("accepts its own directory", () => {
    assert.doesNotMatch(start(), /REFUSED/);
  });

  it("creates no new database where one is to be restored, before the restore is deployed", () => {
    rmSync(join(volume, "pgdata"), { recursive: true });
    writeFileSync(join(volume, "initialize.once"), "restore", { mode: 0o600 });
    chownSync(join(volume, "initialize.once"), SERVER, SERVER);
    assert.match(start(), /REFUSED: \S+pgdata is to be restored .*--path backup\.restoreFrom/);
    assert.deepEqual(readdirSync(volume).sort(), ["initialize.once", "server.lock", "volume.identity"]);
    writeFileSync(join(volume, "initialize.once"), "");
    assert.doesNotMatch(start(), /REFUSED/);
  });

  it("takes an empty directory of root's for the place where the disk is not mounted", () => {
    chownSync(volume, 0, 0);
    chmodSync(volume, 0o755);
    for (const name of readdirSync(volume)) rmSync(join(volume, name), { recursive: true });
    assert.match(start(), /REFUSED: .* has no marker volume\.identity\. The disk is not mounted/);
  });

  it("takes an empty pgdata of root's for no database", () => {
    const pgdata = join(volume, "pgdata");
    rmSync(pgdata, { recursive: true, force: true });
    mkdirSync(pgdata, { mode: 0o755 });
    assert.match(start(), /REFUSED: \S+\/pgdata exists but holds no database/);
  });

  it("reports who owns the directory, and not that it is not mounted", () => {
    chownSync(volume, 0, 0);
    assert.match(start(), refusal(`the directory behind \\S+`));
    // Readable by all, and not to be written.
    chmodSync(volume, 0o755);
    assert.match(start(), refusal(`the directory behind \\S+`));
  });

  it("reports who owns the marker, and not that it is missing", () => {
    chownSync(join(volume, "volume.identity"), 0, 0);
    assert.match(start(), refusal(`volume\\.identity in the directory behind \\S+`));
    assert.deepEqual(readdirSync(volume).sort(), ["pgdata", "volume.identity"]);
  });

  it("reports who owns the lock", () => {
    writeFileSync(join(volume, "server.lock"), "", { mode: 0o600 });
    assert.match(start(), refusal(`server\\.lock in the directory behind \\S+`));
  });

  it("reports who owns the database, and not that it is missing", () => {
    chownSync(join(volume, "pgdata"), 0, 0);
    assert.match(start(), refusal(`\\S+/pgdata`));
    chmodSync(join(volume, "pgdata"), 0o755);
    assert.match(start(), refusal(`\\S+/pgdata`));
    chownSync(join(volume, "pgdata"), SERVER, SERVER);
    chownSync(join(volume, "pgdata/PG_VERSION"), 0, 0);
    assert.match(start(), refusal(`\\S+/pgdata/PG_VERSION`));
  });
});
