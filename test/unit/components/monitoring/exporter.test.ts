import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";
import { skip } from "../../../skip.ts";

const SCRIPT = projectFile("components/monitoring/scripts/exporter.sh");

/** What the help of two versions says of collectors, and what each of them is called there. */
const HELPS = {
  "0.17":
    "      --collector.locks          Enable the locks collector (default: enabled).\n      --collector.long_running_transactions  \n                                 Enable it\n",
  "0.20":
    "      --[no-]collector.settings  Enable the settings collector (default: enabled).\n      --[no-]collector.stat_statements.include_query  \n                                 Include it\n      --[no-]collector.stat_statements  \n",
};

/** Commands that the script may use: those of the exporter's image. */
const COMMANDS = ["sh", "cat", "sed", "cmp", "mv", "rm", "sleep"];

describe("what runs postgres_exporter", function () {
  this.timeout(30_000);
  let root: string;
  let running: ChildProcess | undefined;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "exporter-"));
    for (const folder of ["bin", "etc/credentials", "tmp"])
      mkdirSync(join(root, folder), { recursive: true });
    for (const [key, value] of Object.entries({
      POSTGRES_USER: "exporter",
      POSTGRES_DB: "transcripts_db",
      POSTGRES_PASSWORD: "of:the\\exporter",
    }))
      writeFileSync(join(root, "etc/credentials", key), value);
  });
  afterEach(() => {
    if (running?.pid !== undefined)
      try {
        process.kill(-running.pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    running = undefined;
    rmSync(root, { recursive: true, force: true });
  });

  /** An exporter that writes down how it is run. */
  function fake(help: string): void {
    const program = join(root, "bin/postgres_exporter");
    writeFileSync(join(root, "help"), help);
    writeFileSync(
      program,
      `#!/bin/sh
if [ "$1" = --help ]; then cat "$ROOT/help"; exit; fi
{ echo "$DATA_SOURCE_NAME"; echo "$PGPASSFILE"; echo "$PGHOST"; for word; do echo "$word"; done; } >"$ROOT/run.new"
mv "$ROOT/run.new" "$ROOT/run"
exec sleep 60
`,
    );
    chmodSync(program, 0o755);
  }

  function start(args: readonly string[], env: Record<string, string> = {}, busybox?: string): void {
    if (busybox !== undefined) for (const name of COMMANDS) symlinkSync(busybox, join(root, "bin", name));
    const [command = "", ...first] = busybox === undefined ? ["sh"] : [busybox, "sh"];
    running = spawn(command, [...first, SCRIPT, ...args], {
      env: {
        PATH: busybox === undefined ? `${join(root, "bin")}:${process.env.PATH}` : join(root, "bin"),
        ROOT: root,
        PGHOST: "postgres.example",
        PGPORT: "5432",
        ...env,
      },
      stdio: "ignore",
      detached: true,
    });
  }
  async function until(isSo: () => boolean): Promise<void> {
    for (let waited = 0; !isSo(); waited += 50) {
      assert.ok(waited < 20_000, "not within 20 s");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  async function run(): Promise<string[]> {
    await until(() => existsSync(join(root, "run")));
    return readFileSync(join(root, "run"), "utf8").split("\n");
  }

  for (const [version, help] of Object.entries(HELPS))
    it(`switches off every collector that version ${version} has, where only the figures are wanted`, async () => {
      fake(help);
      start(["9187", "postgres", "/q.yaml", "none"]);
      const [, , , ...words] = await run();
      const collectors = words.filter((word) => word.includes("collector"));
      assert.deepEqual(
        collectors,
        version === "0.17"
          ? ["--no-collector.locks", "--no-collector.long_running_transactions"]
          : ["--no-collector.settings", "--no-collector.stat_statements"],
      );
      assert.ok(
        words.includes("--web.listen-address=:9187") && words.includes("--extend.query-path=/q.yaml"),
      );
    });

  it("reaches the server by its name, verified, and looks for no name in the owner's schemas", async () => {
    fake(HELPS["0.17"]);
    start(["9188", "-", "/q.yaml", "all"], {
      PGSSLMODE: "verify-full",
      PGSSLROOTCERT: "/etc/postgres-ca/ca.crt",
    });
    const [source = "", passwords = "", host, ...words] = await run();
    assert.match(
      source,
      /^postgresql:\/\/exporter@postgres\.example:5432\/transcripts_db\?.*&search_path=pg_catalog%2Cextensions&sslmode=verify-full&sslrootcert=\/etc\/postgres-ca\/ca\.crt$/,
    );
    // Its library would take them in addition.
    assert.equal(host, "");
    assert.deepEqual(
      words.filter((word) => word.includes("collector")),
      [],
    );
    assert.equal(readFileSync(passwords, "utf8"), "postgres.example:5432:*:exporter:of\\:the\\\\exporter\n");
  });

  it("counts statements, and no sessions by names that clients choose", async () => {
    fake(`${HELPS["0.20"]}      --[no-]collector.stat_activity  Enable it\n`);
    start(["9188", "-", "/q.yaml", "all"]);
    const words = (await run()).filter((word) => word.includes("collector"));
    assert.deepEqual(words, ["--collector.stat_statements", "--no-collector.stat_activity"]);
  });

  it("trusts the roots of its system where the server's certificate is a public one", async () => {
    fake(HELPS["0.17"]);
    start(["9188", "-", "/q.yaml", "all"], { PGSSLMODE: "verify-full", PGSSLROOTCERT: "system" });
    const [source = ""] = await run();
    assert.match(source, /sslmode=verify-full$/);
  });

  it("waits for a login that has not been made yet", async () => {
    fake(HELPS["0.17"]);
    rmSync(join(root, "etc/credentials/POSTGRES_PASSWORD"));
    start(["9187", "postgres", "/q.yaml", "none"]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(!existsSync(join(root, "run")));
    writeFileSync(join(root, "etc/credentials/POSTGRES_PASSWORD"), "new");
    await run();
  });

  it("is the same with busybox, which the exporter's image has", async function () {
    let busybox: string;
    try {
      busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
    } catch {
      return skip(this, "busybox is not on PATH");
    }
    fake(HELPS["0.20"]);
    start(["9187", "postgres", "/q.yaml", "none"], {}, busybox);
    const [source = "", passwords = "", , ...words] = await run();
    assert.match(source, /^postgresql:\/\/exporter@/);
    assert.ok(words.includes("--no-collector.settings"));
    writeFileSync(join(root, "etc/credentials/POSTGRES_PASSWORD"), "another");
    await until(() => readFileSync(passwords, "utf8") === "postgres.example:5432:*:exporter:another\n");
    // As the kubelet ends a container.
    const ended = new Promise((resolve) => running?.on("exit", resolve));
    running?.kill("SIGTERM");
    await ended;
  });
});
