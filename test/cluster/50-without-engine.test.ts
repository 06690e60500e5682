import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { copyProject } from "./checkout.ts";
import { CLUSTER, execute, kubectl, npm, sql, up } from "./support.ts";

describe("npm run up, where no Pulumi CLI can be had", function () {
  this.timeout(300_000);
  let home: string;
  let env: NodeJS.ProcessEnv;

  before(async function () {
    await npm("down");
    home = mkdtempSync(join(tmpdir(), "no-engine-"));
    env = {
      // The launcher would have to download, and nothing on PATH is called pulumi.
      PATH: (process.env.PATH ?? "")
        .split(delimiter)
        .filter((directory) => directory !== "/usr/local/bin")
        .join(delimiter),
      HTTPS_PROXY: "http://127.0.0.1:9",
      PULUMI_HOME: join(home, "pulumi-home"),
    };
    const pulumi = await execute("bash", ["-c", "type -P -a pulumi | grep -v node_modules"], { env });
    if (pulumi.status === 0) {
      (this.test?.parent as { skipReason?: string }).skipReason =
        `a Pulumi CLI is at ${pulumi.stdout.trim()}`;
      this.skip();
    }
  });
  after(() => {
    if (home) rmSync(home, { recursive: true, force: true });
  });

  const run = (script: string, ...args: string[]) =>
    execute("npm", ["run", "--silent", script, "--", ...args], { env });

  it("says so, applies the rendered objects, and proves the deployment by use", async () => {
    const ran = await run("up", "--local-cluster", CLUSTER);
    assert.equal(ran.status, 0, ran.output);
    assert.match(
      ran.stdout,
      /the Pulumi CLI cannot be had .*applying the rendered objects with kubectl instead/,
    );
    assert.match(ran.stdout, /proved by use/);
  });

  it("keeps the password, and the finished Job, the second time", async () => {
    const secret = await kubectl(
      "get",
      "secret",
      "postgres-secret",
      "-n",
      "transcript-pipeline",
      "-o",
      "jsonpath={.data}",
    );
    const ran = await run("up", "--local-cluster", CLUSTER);
    assert.equal(ran.status, 0, ran.output);
    assert.equal(
      await kubectl(
        "get",
        "secret",
        "postgres-secret",
        "-n",
        "transcript-pipeline",
        "-o",
        "jsonpath={.data}",
      ),
      secret,
    );
  });

  it("grows the volume, though its claim cannot be changed", async () => {
    const checkout = join(home, "checkout");
    copyProject(checkout);
    const file = join(checkout, "Pulumi.dev.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace("capacity: 2Gi", "capacity: 3Gi"));
    const ran = await execute("npm", ["run", "--silent", "up", "--", "--local-cluster", CLUSTER], {
      env,
      cwd: checkout,
    });
    assert.equal(ran.status, 0, ran.output);
    const volume = await kubectl("get", "pv", "postgres-pv", "-o", "jsonpath={.spec.capacity.storage}");
    assert.equal(volume, "3Gi");
  });

  it("keeps the rows over down and up", async () => {
    await sql("insert into recordings (source_uri) values ('without-engine')");
    const down = await run("down");
    assert.equal(down.status, 0, down.output);
    const again = await run("up", "--local-cluster", CLUSTER);
    assert.equal(again.status, 0, again.output);
    assert.equal(await sql("select count(*) from recordings where source_uri = 'without-engine'"), "1");
  });

  it("is taken over by the engine when there is one again", async function () {
    const ran = await up();
    if (!ran.stdout.includes("deploying stack dev with Pulumi")) {
      (this.test as { skipReason?: string }).skipReason = "no Pulumi CLI can be had on this machine";
      this.skip();
    }
    assert.equal(await sql("select count(*) from recordings where source_uri = 'without-engine'"), "1");
  });
});
