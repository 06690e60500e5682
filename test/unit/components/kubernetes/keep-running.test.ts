import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { projectFile } from "../../../../tools/cli.ts";

const KEEP_RUNNING = projectFile("components/kubernetes/scripts/keep-running.sh");

describe("a script that must always run", function () {
  this.timeout(30_000);
  let folder: string;
  let first: ChildProcess;

  /** Process number of the script, as it reports it; 0 before that. */
  const script = () => {
    const file = join(folder, "pid");
    return existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  };

  async function another(than: number): Promise<number> {
    for (let tries = 0; tries < 150; tries++) {
      if (script() !== 0 && script() !== than) return script();
      await pause(100);
    }
    return assert.fail("no other script runs");
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "keep-running-"));
    const text = `echo $$ >${folder}/pid; while true; do touch ${folder}/heartbeat; sleep 0.1; done\n`;
    writeFileSync(join(folder, "script.sh"), text);
    const args = [KEEP_RUNNING, join(folder, "script.sh"), join(folder, "heartbeat"), "1"];
    first = spawn("bash", args, { stdio: "ignore" });
    await another(0);
  });

  afterEach(() => {
    first.kill("SIGKILL");
    try {
      process.kill(-script(), "SIGKILL");
    } catch {
      // It has ended.
    }
    rmSync(folder, { recursive: true });
  });

  it("is restarted when it ends", async () => {
    const before = script();
    process.kill(before, "SIGKILL");
    await another(before);
  });

  it("is killed and restarted when it hangs", async () => {
    const before = script();
    process.kill(before, "SIGSTOP");
    await another(before);
    assert.throws(() => process.kill(before, 0), "the one that hung is still there");
  });

  it("is left alone while it touches its heartbeat", async () => {
    const before = script();
    await pause(4000);
    assert.equal(script(), before);
  });

  it("ends with its container", async () => {
    const end = once(first, "exit").then(([status]: unknown[]) => status);
    first.kill("SIGINT");
    assert.equal(await Promise.race([end, pause(3000, "goes on")]), 143);
  });
});
