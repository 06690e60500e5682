import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { projectFile } from "../../../../tools/cli.ts";
import { Random } from "../../../random.ts";

const STOPPABLE = projectFile("components/kubernetes/scripts/stoppable.sh");

describe("a container's script ends when its container is told to stop", function () {
  this.timeout(60_000);
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), "stoppable-"))));
  after(() => rmSync(folder, { recursive: true }));

  function written(script: string): string {
    const file = join(folder, "script.sh");
    writeFileSync(file, script);
    return file;
  }

  /** A separate process group: outside a container nothing else ends the script with process 1. */
  function run(file: string): ChildProcess {
    return spawn("bash", [STOPPABLE, file], { detached: true, stdio: ["ignore", "pipe", "ignore"] });
  }

  /** The status with which it ends after the signal, or what is said when it does not. */
  async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<unknown> {
    const end = once(child, "exit").then(([status]: unknown[]) => status);
    child.kill(signal);
    const status = await Promise.race([end, pause(5000, "goes on")]);
    try {
      process.kill(-Number(child.pid), "SIGKILL");
    } catch {
      // Nothing of it is left.
    }
    return status;
  }

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`${signal} is never lost, whenever it comes`, async () => {
      const random = new Random(signal, 1);
      // Without stoppable.sh bash loses one SIGINT in fifteen in such a script.
      const substitutes = written("echo started; while true; do now=$(date); done");
      for (let round = 0; round < 50; round++) {
        const outcomes = await Promise.all(
          Array.from({ length: 4 }, async () => {
            const child = run(substitutes);
            assert.ok(child.stdout);
            await once(child.stdout, "data");
            await pause(random.between(0, 20));
            return stop(child, signal);
          }),
        );
        assert.deepEqual(outcomes, [143, 143, 143, 143]);
      }
    });
  }

  it("a script that ends on its own ends it with the script's status", async () => {
    assert.deepEqual(await once(run(written("exit 3")), "exit"), [3, null]);
    assert.deepEqual(await once(run(written("exit 0")), "exit"), [0, null]);
  });

  it("a script that is killed ends it", async () => {
    assert.deepEqual(await once(run(written("kill -KILL $$")), "exit"), [137, null]);
  });
});
