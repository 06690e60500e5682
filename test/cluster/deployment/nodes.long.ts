import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { DevState } from "../../../tools/dev/state.ts";
import { type LocalCluster, start } from "../../../tools/local-cluster/cluster.ts";
import { changedConfig, CLUSTER, execute, npm, type Ran, removeCluster } from "../support.ts";

const NAME = `${CLUSTER}-nodes`;
const FOLDER = join(tmpdir(), `transcript-pipeline-${NAME}`);
const NAMESPACE = ["-n", "transcript-pipeline"];

// A separate cluster: the node's label and the domain belong to the cluster from its first start on.
describe("a cluster of another domain, with a node whose label is not its name", function () {
  this.timeout(600_000);
  let cluster: LocalCluster;
  // As the suite has set it before these tests, and not when this file was loaded.
  let environment: { state: string | undefined; path: string | undefined };

  before(async function () {
    this.timeout(45 * 60_000);
    environment = { state: process.env.XDG_STATE_HOME, path: process.env.PATH };
    process.env.XDG_STATE_HOME = FOLDER;
    await removeCluster(NAME, FOLDER);
    cluster = await start({ name: NAME, domain: "k8s.example", log: console.log });
    process.env.PATH = `${process.env.PATH}${delimiter}${dirname(cluster.kubectl)}`;
    await kubectl("label", "node", cluster.nodeName, "--overwrite", "kubernetes.io/hostname=rack-7");
  });
  after(async () => {
    const left = await removeCluster(NAME, FOLDER);
    process.env.PATH = environment.path;
    if (environment.state === undefined) delete process.env.XDG_STATE_HOME;
    else process.env.XDG_STATE_HOME = environment.state;
    assert.deepEqual(left, []);
  });

  async function kubectl(...args: string[]): Promise<string> {
    const ran = await execute("kubectl", ["--kubeconfig", cluster.kubeconfig, ...args]);
    assert.equal(ran.status, 0, ran.output);
    return ran.stdout;
  }
  const up = (...args: string[]): Promise<Ran> => npm("up", "--local-cluster", NAME, ...args);

  it("is deployed to by `npm run up`, with the node named or not", async () => {
    const ran = await up("--node", cluster.nodeName);
    assert.equal(ran.status, 0, ran.output);
    assert.match(ran.output, /node rack-7$/m);
    assert.match(ran.output, /postgres\.transcript-pipeline\.svc\.k8s\.example:5432/);
    const path = "{.spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]}";
    assert.equal(await kubectl("get", "pv", "postgres-pv", "-o", `jsonpath=${path}`), "rack-7");
    const names = await kubectl("exec", ...NAMESPACE, "postgres-0", "--", "cat", "/etc/resolv.conf");
    assert.match(names, / svc\.k8s\.example /);
  });

  it("refuses a node that does not exist, by name", async () => {
    const ran = await up("--node", "rack-8");
    assert.notEqual(ran.status, 0);
    assert.match(ran.output, /--node: "rack-8" is not a node of the local cluster "\S+"\. It has: rack-7/);
  });

  /** The Job as rendered, with the configuration that `up` has deployed. */
  async function renderedJob(): Promise<string> {
    const out = join(FOLDER, "rendered");
    const { configFile } = new DevState(join(FOLDER, "transcript-pipeline"));
    const ran = await npm("render", "--stack", "dev", "--config-file", configFile, "--out", out);
    assert.equal(ran.status, 0, ran.output);
    const texts = readdirSync(out).map((name) => readFileSync(join(out, name), "utf8"));
    const job = texts.find((text) => /^kind: Job$/m.test(text) && /^ {2}name: postgres-init$/m.test(text));
    assert.ok(job);
    return job;
  }

  /** Replaces the existing Job, by hand. */
  async function replaceJob(text: string): Promise<void> {
    await kubectl("delete", "job", "postgres-init", ...NAMESPACE, "--ignore-not-found");
    const args = ["--kubeconfig", cluster.kubeconfig, "apply", "-f", "-"];
    const applied = await execute("kubectl", args, { input: text });
    assert.equal(applied.status, 0, applied.output);
  }

  it("replaces a Job with another specification through kubectl, and says so", async () => {
    const job = await renderedJob();
    const other = job.replaceAll(/(name: WAIT\n +value: )"\d+"/g, '$1"7"');
    assert.notEqual(other, job);
    await replaceJob(other);
    await kubectl("wait", ...NAMESPACE, "--for=condition=Complete", "job/postgres-init", "--timeout=120s");

    // Nothing on PATH is named pulumi, and the launcher would have to download.
    const directories = (process.env.PATH ?? "").split(delimiter);
    const ran = await execute("npm", ["run", "--silent", "up", "--", "--local-cluster", NAME], {
      env: {
        PATH: directories.filter((directory) => !existsSync(join(directory, "pulumi"))).join(delimiter),
        HTTPS_PROXY: "http://127.0.0.1:9",
        PULUMI_HOME: join(FOLDER, "no-pulumi"),
      },
    });
    assert.equal(ran.status, 0, ran.output);
    assert.match(ran.output, /^Job postgres-init: replaced with the one in this configuration$/m);
    assert.doesNotMatch(ran.output, /immutable/);
    const wait = "jsonpath={..env[?(@.name=='WAIT')].value}";
    assert.doesNotMatch(await kubectl("get", "job", "postgres-init", ...NAMESPACE, "-o", wait), /\b7\b/);
  });

  it("accepts rendered files with the commands that `render` prints, whatever has changed in a Job", async () => {
    const out = join(FOLDER, "by-hand");
    const configFile = new DevState(join(FOLDER, "transcript-pipeline")).configFile;
    changedConfig(configFile, join(FOLDER, "Pulumi.dev.yaml"), { "migration.timeout": 500 });
    const ran = await npm(
      "render",
      "--stack",
      "dev",
      "--config-file",
      join(FOLDER, "Pulumi.dev.yaml"),
      "--out",
      out,
    );
    assert.equal(ran.status, 0, ran.output);
    const commands = ran.stdout.split("\n").filter((line) => line.startsWith("  kubectl "));
    assert.equal(commands.length, 2);
    for (const command of commands) {
      const applied = await execute("bash", ["-c", command], { env: { KUBECONFIG: cluster.kubeconfig } });
      assert.equal(applied.status, 0, applied.output);
    }
    await kubectl("wait", ...NAMESPACE, "--for=condition=Complete", "job/postgres-init", "--timeout=180s");
    const job = ["get", "job", "postgres-init", ...NAMESPACE, "-o", "jsonpath={.spec.activeDeadlineSeconds}"];
    assert.equal(await kubectl(...job), "500");
  });

  it("warns about a cordoned node under a running server, and stops if a server would have to start", async () => {
    // A Job that is not from this configuration would have to start on it, too.
    assert.equal((await up()).status, 0);
    await kubectl("cordon", cluster.nodeName);
    try {
      const running = await up();
      assert.equal(running.status, 0, running.output);
      assert.match(running.output, new RegExp(`node\\.hostname: node ${cluster.nodeName} is cordoned`));
      await kubectl("delete", "pod", "postgres-0", ...NAMESPACE);
      const stopped = await up();
      assert.notEqual(stopped.status, 0);
      assert.match(
        stopped.output,
        new RegExp(
          `node\\.hostname: node ${cluster.nodeName} is cordoned: .*kubectl uncordon ${cluster.nodeName}`,
        ),
      );
    } finally {
      await kubectl("uncordon", cluster.nodeName);
    }
    await kubectl("wait", ...NAMESPACE, "--for=condition=Ready", "pod/postgres-0", "--timeout=180s");
  });

  it("ends a migration that is told of the usual domain, with the right one in its words", async () => {
    await replaceJob((await renderedJob()).replaceAll("svc.k8s.example", "svc.cluster.local"));
    await kubectl("wait", ...NAMESPACE, "--for=condition=Failed", "job/postgres-init", "--timeout=120s");
    const log = await kubectl("logs", ...NAMESPACE, "job/postgres-init", "-c", "migrate");
    assert.match(
      log,
      /the cluster's domain is k8s\.example, not cluster\.local\. Set it: pulumi config set --path cluster\.domain k8s\.example/,
    );
  });
});
