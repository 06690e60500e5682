import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";
import { engineEnvironment } from "../../../../tools/engine/environment.ts";
import { type EngineRun, runEngine, succeeded } from "../../../../tools/engine/runner.ts";
import { stackEngine } from "../../../../tools/engine/stack.ts";

describe("the engine's runner", () => {
  let directory: string;
  let command: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "runner-"));
    command = join(directory, "pulumi");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** An engine that does what a Node program says. */
  function engineThat(program: string) {
    writeFileSync(command, `#!${process.execPath}\n${program}`);
    chmodSync(command, 0o755);
    return { command, version: "v0" };
  }
  const run = (program: string, args: readonly string[] = [], options: Partial<EngineRun> = {}) =>
    runEngine(engineThat(program), args, { cwd: directory, env: engineEnvironment(), ...options });

  it("asks nothing, passes the input on, and returns the status with both outputs", async () => {
    const result = await run(
      `process.stdin.on("data", (data) => console.log(process.argv.slice(2).join(" "), String(data)))
         .on("end", () => { console.error("gone"); process.exitCode = 3; });`,
      ["stack", "import"],
      { input: "{}" },
    );
    assert.equal(result.status, 3);
    assert.equal(result.stdout, "stack import --non-interactive --color never {}\n");
    assert.match(result.output, /\{\}\n/);
    assert.match(result.output, /gone\n/);
    assert.throws(
      () => succeeded("pulumi stack import", result),
      /^Error: pulumi stack import failed with 3:\n/,
    );
    assert.throws(() => succeeded("pulumi up", result, true), /^Error: pulumi up failed with 3$/);
  });

  it("masks whole lines, however they arrive, and returns the program's own output unchanged", async () => {
    const result = await run(
      `process.stdout.write("pass"); setTimeout(() => { process.stdout.write("word\\nlast "); process.stdout.write("password"); }, 100);`,
      [],
      { mask: (text) => text.replaceAll("password", "[secret]") },
    );
    assert.equal(result.output, "[secret]\nlast [secret]");
    assert.equal(result.stdout, "password\nlast password");
  });

  it("keeps colours for a terminal and out of what is kept", async () => {
    const program = `console.log("\\u001b[31m" + process.argv.at(-1) + "\\u001b[0m")`;
    const result = await run(program, [], { color: true });
    assert.equal(result.output, "always\n");
  });

  it("reads the event log, and none if the engine stopped before it", async () => {
    const program = `const log = process.argv[process.argv.indexOf("--event-log") + 1];
      require("node:fs").writeFileSync(log, process.env.PULUMI_DEBUG_COMMANDS)`;
    assert.equal((await run(program, ["preview"], { eventLog: true })).eventLog, "true");
    assert.equal((await run("", ["preview"], { eventLog: true })).eventLog, "");
    assert.equal((await run("", ["preview"])).eventLog, undefined);
  });

  it("says so when the engine cannot be started", async () => {
    await assert.rejects(
      runEngine({ command: join(directory, "none"), version: "" }, [], { cwd: directory, env: process.env }),
      /ENOENT/,
    );
  });

  it("forwards a signal once, however many reach it, and waits for the engine to end its operation", async () => {
    engineThat(
      `let count = 0;
       process.on("SIGINT", () => { count++; setTimeout(() => { console.log("interrupted", count); process.exit(1); }, 300); });
       console.log("operating"); setInterval(() => {}, 1000);`,
    );
    const runner = join(directory, "run.ts");
    writeFileSync(
      runner,
      `import { runEngine } from ${JSON.stringify(projectFile("tools/engine/runner.ts"))};
       const options = { cwd: ".", env: process.env, show: true };
       const { status } = await runEngine({ command: ${JSON.stringify(command)}, version: "" }, ["up"], options);
       console.log("ended with", status);`,
    );
    const child = spawn(process.execPath, [runner], { cwd: directory, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    let sent = false;
    await new Promise((resolve) => {
      child.on("close", resolve);
      child.stdout.setEncoding("utf8").on("data", (data: string) => {
        output += data;
        if (sent || !output.includes("operating")) return;
        sent = true;
        for (const signal of ["SIGINT", "SIGTERM", "SIGTERM"] as const) child.kill(signal);
      });
    });
    assert.equal(output, "operating\ninterrupted 1\nended with 1\n");
  });

  it("runs the program with the stack's file, and what knows no such option in its project", async () => {
    const engine = engineThat('console.log(process.cwd(), process.argv.slice(2, -3).join(" "))');
    const stack = stackEngine({
      engine,
      stack: "dev",
      configFile: "/x/Pulumi.dev.yaml",
      manageIn: directory,
      env: process.env,
    });
    const checkout = projectFile("package.json").replace("/package.json", "");
    assert.equal(
      (await stack.operate(["up"])).stdout,
      `${checkout} up --stack dev --config-file /x/Pulumi.dev.yaml\n`,
    );
    assert.equal((await stack.manage(["stack", "export"])).stdout, `${directory} stack export --stack dev\n`);
  });
});

describe("the engine's environment", () => {
  const inherited = {
    PATH: "/bin",
    PULUMI_ACCESS_TOKEN: "token",
    PULUMI_CONFIG_PASSPHRASE: "another stack's",
    PULUMI_CONFIG_PASSPHRASE_FILE: "/another",
  };

  it("is this machine's with the packages' programs first", () => {
    assert.deepEqual(engineEnvironment({ inherited }), {
      ...inherited,
      PATH: `${projectFile("node_modules/.bin")}:/bin`,
      PULUMI_SKIP_UPDATE_CHECK: "true",
    });
  });

  it("leads to a backend of files with its own passphrase, whatever else the person has set", () => {
    for (const [passphrase, text, file] of [
      ["x", "x", undefined],
      [{ file: "/p" }, undefined, "/p"],
    ] as const) {
      const env = engineEnvironment({ inherited, backend: { directory: "/state", passphrase } });
      assert.equal(env.PULUMI_BACKEND_URL, "file:///state");
      assert.equal(env.PULUMI_ACCESS_TOKEN, undefined);
      assert.equal(env.PULUMI_CONFIG_PASSPHRASE, text);
      assert.equal(env.PULUMI_CONFIG_PASSPHRASE_FILE, file);
    }
  });

  it("prefers a caller's variables over all others", () => {
    const env = engineEnvironment({
      inherited,
      variables: { PULUMI_ACCESS_TOKEN: undefined, KUBECONFIG: "/k" },
    });
    assert.equal(env.KUBECONFIG, "/k");
    assert.ok(env.PULUMI_ACCESS_TOKEN === undefined);
  });
});
