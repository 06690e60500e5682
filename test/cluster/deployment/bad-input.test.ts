/**
 * Bad input that only a cluster, an engine or a machine can detect; what the configuration alone shows is a unit test.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../tools/cli.ts";
import { configured, execute, needsEngine, pulumi, shell, sql, state, succeed, up } from "../support.ts";

describe("bad input, with the engine", function () {
  this.timeout(180_000);
  needsEngine();
  before(async function () {
    this.timeout(300_000);
    await up();
  });

  const previewWith = (changes: Record<string, unknown>) =>
    pulumi(["preview", "--config-file", configured(changes)]);

  it("a hostname that is not a node stops the preview in one line", async () => {
    const ran = await previewWith({ "node.hostname": "gen9" });
    assert.notEqual(ran.status, 0);
    assert.match(
      ran.output,
      /node\.hostname: is "gen9", which is not a node in the cluster\. It has: \S+-node\. Set it: pulumi config set/,
    );
    assert.doesNotMatch(ran.output, /at .*\.ts:\d+/);
  });

  it("a node without the GPU stops the preview where one is required", async () => {
    const ran = await previewWith({ "node.requireGpu": true, "node.gpuResource": "amd.com/gpu" });
    assert.notEqual(ran.status, 0);
    assert.match(ran.output, /node\.gpuResource: is amd\.com\/gpu, which node \S+-node does not offer/);
    assert.equal((await previewWith({ "node.requireGpu": true })).status, 0);
  });

  it("a configuration that cannot be deployed stops the preview without a stack trace", async () => {
    const ran = await previewWith({ "database.requests.memory": "8Gi" });
    assert.notEqual(ran.status, 0);
    assert.match(ran.output, /database\.requests\.memory: is 8Gi, above database\.limits\.memory, 1Gi/);
    assert.doesNotMatch(ran.output, /at .*\.ts:\d+/);
  });

  it("somebody else's StatefulSet stops the preview", async () => {
    await shell(
      "kubectl annotate statefulset postgres -n transcript-pipeline --overwrite transcript-pipeline/identity=other/stack",
    );
    try {
      const ran = await previewWith({});
      assert.notEqual(ran.status, 0);
      assert.match(ran.output, /StatefulSet transcript-pipeline\/postgres belongs to other\/stack/);
    } finally {
      await shell(
        "kubectl annotate statefulset postgres -n transcript-pipeline --overwrite transcript-pipeline/identity=transcript-pipeline/dev",
      );
    }
  });

  it("an unreachable cluster is a warning in a preview, which says what was not checked, and stops up", async () => {
    const directory = mkdtempSync(join(tmpdir(), "unreachable-"));
    const kubeconfig = join(directory, "kubeconfig");
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "gone", cluster: { server: "https://127.0.0.1:9" } }],
        users: [{ name: "gone", user: { token: "none" } }],
        contexts: [{ name: "gone", context: { cluster: "gone", user: "gone" } }],
        "current-context": "gone",
      }),
    );
    try {
      const file = configured({ "cluster.kubeconfig": kubeconfig, "cluster.context": "gone" });
      const preview = await pulumi(["preview", "--refresh=false", "--config-file", file]);
      assert.match(
        preview.output,
        /cluster gone cannot be queried: nothing listens at .*Not checked: whether node \S+-node exists/s,
      );
      const deploy = await pulumi([
        "up",
        "--yes",
        "--skip-preview",
        "--refresh=false",
        "--config-file",
        file,
      ]);
      assert.notEqual(deploy.status, 0);
      assert.match(deploy.output, /cluster\.context: cluster gone cannot be queried/);
      assert.equal(await sql("select 1"), "1");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("a wrong passphrase is one line", async () => {
    const wrong = join(state().directory, "wrong");
    writeFileSync(wrong, "wrong\n");
    const ran = await pulumi(["preview"], { PULUMI_CONFIG_PASSPHRASE_FILE: wrong });
    assert.notEqual(ran.status, 0);
    assert.match(ran.output, /incorrect passphrase/);
  });

  it("storage that belongs to another stack is refused before a claim is bound to it", async () => {
    const path = join(state().directory, "foreign");
    mkdirSync(path);
    writeFileSync(join(path, "volume.identity"), "transcript-pipeline/prod\n");
    const facts = { path, capacity: "1Mi", identity: "transcript-pipeline/dev" };
    const { preparationScript } = await import("../../../components/storage/preparation.ts");
    const ran = await execute("/bin/sh", ["-c", preparationScript(facts)]);
    assert.equal(ran.status, 1);
    assert.match(
      ran.stderr,
      /belongs to transcript-pipeline\/prod, and this deployment is transcript-pipeline\/dev/,
    );
  });
});

describe("bad input of the local cluster", function () {
  this.timeout(60_000);
  const start = (env: NodeJS.ProcessEnv, ...args: string[]) =>
    execute("npm", ["run", "--silent", "cluster:up", "--", ...args], { env });

  it("an address range that is in use is named, with the interface", async () => {
    const ran = await start({ LOCAL_CLUSTER_SUBNET: "127.0.0.4/30" }, "--name", "refused");
    assert.equal(ran.status, 1, ran.output);
    assert.match(ran.stderr, /^.*127\.0\.0\.4\/30.* in use .*interface lo.*LOCAL_CLUSTER_SUBNET=.*\n$/);
  });

  it("a folder that is in use is named", async () => {
    const home = mkdtempSync(join(tmpdir(), "in-use-"));
    mkdirSync(join(home, "transcript-pipeline/clusters/refused"), { recursive: true });
    writeFileSync(join(home, "transcript-pipeline/clusters/refused/letters.txt"), "mine");
    try {
      const ran = await start({ XDG_STATE_HOME: home }, "--name", "refused");
      assert.equal(ran.status, 1, ran.output);
      assert.match(ran.stderr, /clusters\/refused exists and is not the state of a local cluster/);
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  it("a user who is not root is told so", async () => {
    const ran = await succeed("bash", [
      "-c",
      `cd / && setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/tmp XDG_STATE_HOME=/tmp/no-such ` +
        `${process.execPath} --require ${projectFile("tools/node-version.cjs")} ${projectFile("tools/local-cluster/cli.ts")} up --name refused 2>&1; true`,
    ]);
    // A checkout in root's own folder cannot even be read by another user.
    assert.match(ran.stdout, /root|EACCES|Permission denied/);
    assert.doesNotMatch(ran.stdout, /\n\s+at /);
  });

  it("a disk that is full while building is one line, and leaves nothing half-built", async () => {
    const mount = mkdtempSync(join(tmpdir(), "full-"));
    await succeed("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", mount]);
    try {
      const ran = await start({ XDG_CACHE_HOME: mount }, "--name", "refused");
      assert.equal(ran.status, 1, ran.output);
      assert.match(ran.stderr, /(space|free)/);
      assert.ok(ran.stderr.trim().split("\n").length <= 2, ran.stderr);
    } finally {
      await succeed("umount", [mount]);
      rmSync(mount, { recursive: true });
    }
  });
});

describe("bad input of the tools", () => {
  it("a Node that is too old is one line, and names the one that npm ci installed", async () => {
    const script = `Object.defineProperty(process.versions, "node", { value: "20.1.0" }); require(${JSON.stringify(projectFile("tools/node-version.cjs"))});`;
    const ran = await execute(process.execPath, ["-e", script]);
    assert.equal(ran.status, 1);
    assert.match(ran.stderr, /^Node 20\.1\.0 is too old: 22\.18 or newer is required\..*\n$/);
  });

  it("a context that does not exist is named", async () => {
    const server = createServer().listen(0);
    const ran = await execute("npm", ["run", "--silent", "up", "--", "--context", "no-such-context"], {
      env: { XDG_STATE_HOME: mkdtempSync(join(tmpdir(), "up-")) },
    });
    server.close();
    assert.equal(ran.status, 1);
    assert.match(ran.stderr, /--context: cluster no-such-context cannot be reached/);
  });

  it("an unknown stack is named, with what to do", async () => {
    const ran = await execute("npm", ["run", "--silent", "render", "--", "--stack", "stagging"]);
    assert.equal(ran.status, 1);
    assert.match(
      ran.stderr,
      /Pulumi\.stagging\.yaml does not exist: to add an environment, copy Pulumi\.prod\.yaml/,
    );
  });

  it("an unknown flag is the command line's fault: status 2", async () => {
    const ran = await execute("npm", ["run", "--silent", "render", "--", "--stak", "prod"]);
    assert.equal(ran.status, 2);
  });
});
