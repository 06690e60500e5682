import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { downWithEngine, upWithEngine } from "../../../../tools/dev/deploy-with-engine.ts";
import { DevState } from "../../../../tools/dev/state.ts";

const LOCKED = `error: the stack is currently locked by 1 lock(s).
  file:///x/locks/1.json: created by somebody@another-name-of-this-laptop (pid 1) at 2026-11-23T20:40:06Z
`;

/** An engine that records how it was called, and answers by the command: with a status, and a text or two. */
const ENGINE = `#!${process.execPath}
const { appendFileSync, readFileSync, writeFileSync } = require("node:fs");
const command = process.argv.slice(2).join(" ").replace(/ --stack .*/, "");
const { PULUMI_BACKEND_URL, PULUMI_ACCESS_TOKEN, PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE } = process.env;
const env = { PULUMI_BACKEND_URL, PULUMI_ACCESS_TOKEN, PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE };
appendFileSync("CALLS", JSON.stringify({ command, cwd: process.cwd(), env }) + "\\n");
const answers = JSON.parse(readFileSync("ANSWERS", "utf8"));
const { status = 0, out = "", error = "" } = (answers[command] ?? []).shift() ?? {};
writeFileSync("ANSWERS", JSON.stringify(answers));
process.stdout.write(out);
process.stderr.write(error);
process.exitCode = status;
`;

interface Call {
  command: string;
  cwd: string;
  env: Record<string, string>;
}

const STATE = { out: JSON.stringify({ deployment: { resources: [] } }) };
const NONE = { status: 6, error: "error: no stack named 'dev' found\n" };

describe("the stack dev, with the engine", () => {
  let directory: string;
  let state: DevState;
  const environment = { ...process.env };
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "dev-engine-"));
    state = new DevState(directory);
    state.prepare();
    process.env.PULUMI_ACCESS_TOKEN = "a person's";
    process.env.PULUMI_CONFIG_PASSPHRASE = "another stack's";
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
    for (const name of ["PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE"])
      if (environment[name] === undefined) delete process.env[name];
      else process.env[name] = environment[name];
  });

  /** Runs an operation with an engine that gives these answers, and returns how it was called. */
  async function calls(
    operation: typeof upWithEngine,
    answers: Record<string, { status?: number; out?: string; error?: string }[]>,
  ): Promise<Call[]> {
    const command = join(directory, "pulumi");
    const log = join(directory, "calls");
    const file = join(directory, "answers");
    writeFileSync(
      command,
      ENGINE.replaceAll('"CALLS"', JSON.stringify(log)).replaceAll('"ANSWERS"', JSON.stringify(file)),
    );
    chmodSync(command, 0o755);
    writeFileSync(file, JSON.stringify(answers));
    await operation({ command, version: "v0" }, state);
    if (!existsSync(log)) return [];
    return readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Call);
  }
  const commands = (made: readonly Call[]) => made.map(({ command }) => command);
  const UP = "up --yes --skip-preview";

  it("is created by the first up, with its own backend and passphrase", async () => {
    const made = await calls(upWithEngine, { "stack export": [NONE] });
    assert.deepEqual(commands(made), ["stack export", "stack init", UP]);
    for (const { env } of made)
      assert.deepEqual(env, {
        PULUMI_BACKEND_URL: `file://${state.backend}`,
        PULUMI_CONFIG_PASSPHRASE_FILE: state.passphraseFile,
      });
    // What knows no --config-file writes the salt into the state folder's file, not into the checkout's.
    assert.equal(made[1]?.cwd, state.directory);
  });

  it("needs two runs of the engine to deploy again", async () => {
    assert.deepEqual(commands(await calls(upWithEngine, { "stack export": [STATE] })), ["stack export", UP]);
  });

  it("loses the lock of a run that was killed, whatever this machine was called then", async () => {
    const made = await calls(upWithEngine, {
      "stack export": [STATE],
      [UP]: [{ status: 255, error: LOCKED }],
    });
    assert.deepEqual(commands(made), ["stack export", UP, "cancel --yes", UP]);
  });

  it("says that it was not deployed, without repeating what was shown", async () => {
    const failing = { "stack export": [STATE], [UP]: [{ status: 255, error: "error: shown\n" }] };
    await assert.rejects(calls(upWithEngine, failing), /pulumi up --yes failed with 255$/);
  });

  it("is removed, also after an up that ended before it had created it", async () => {
    assert.deepEqual(commands(await calls(downWithEngine, { "stack export": [STATE] })), [
      "stack export",
      "destroy --yes --skip-preview",
    ]);
    rmSync(join(directory, "calls"));
    assert.deepEqual(commands(await calls(downWithEngine, { "stack export": [NONE] })), ["stack export"]);
  });
});
