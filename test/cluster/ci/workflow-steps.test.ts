import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { projectFile } from "../../../tools/cli.ts";
import { type Engine, findEngine } from "../../../tools/engine/engine.ts";
import type { LocalCluster } from "../../../tools/local-cluster/cluster.ts";
import { STAND_INS } from "../../../tools/local-cluster/images.ts";
import type { StackPlan } from "../../../tools/plan/markdown.ts";
import { copyProject } from "../../../tools/project-copy.ts";
import { withFields } from "../../../tools/stack-file/editing.ts";
import { execute, type Ran, shell, succeed, takeRoom, theCluster, vacate } from "../support.ts";
import { endPluginsOf } from "../../orphans.ts";
import { toolStep } from "../../workflows/workflow-files.ts";
import { itLong } from "../../sample.ts";
import { skip } from "../../skip.ts";

/** A pack with one rule that a configuration can break. */
const PACK = `const { PolicyPack } = require("@pulumi/policy");
new PolicyPack("test", { policies: [{
  name: "grace-period", description: "A shutdown has a minute", enforcementLevel: "mandatory",
  validateResource: ({ type, props }, report) => {
    if (type === "kubernetes:apps/v1:StatefulSet" && props.metadata.name === "postgres" && props.spec.template.spec.terminationGracePeriodSeconds < 60)
      report("terminationGracePeriodSeconds is below 60");
  },
}] });
`;

// The steps of the workflows, as they are written there, with the real engine on a real node: in a copy of the
// checkout, because `pulumi stack init` writes into a stack's file.
describe("the workflows' steps, on a cluster", function () {
  this.timeout(600_000);
  let cluster: LocalCluster;
  let scratch: string;
  let checkout: string;
  let environment: NodeJS.ProcessEnv;
  let engine: Engine;

  before(async function () {
    this.timeout(45 * 60_000);
    const found = await findEngine();
    if ("reason" in found) skip(this, "no Pulumi CLI can be had on this machine");
    engine = found;
    await takeRoom(leave);
    cluster = theCluster();
    scratch = mkdtempSync(join(tmpdir(), "transcript-pipeline-workflows-"));
    checkout = join(scratch, "checkout");
    copyProject(checkout);
    // The steps attach the pack in `policy`: another one takes its place, of which no configuration knows.
    const pack = join(checkout, "policy");
    for (const name of readdirSync(pack)) if (/^config\..*\.json$/.test(name)) rmSync(join(pack, name));
    writeFileSync(join(pack, "PulumiPolicy.yaml"), "runtime: nodejs\n");
    writeFileSync(
      join(pack, "package.json"),
      '{ "name": "test", "version": "1.0.0", "type": "module", "main": "test-pack.cjs" }',
    );
    writeFileSync(join(pack, "test-pack.cjs"), PACK);
    configure({
      node: { connection: "local" },
      storage: { path: join(scratch, "pgdata"), capacity: "1Gi" },
      ...STAND_INS,
    });
    mkdirSync(join(scratch, "state"));
    mkdirSync(join(scratch, "home"));
    environment = {
      PATH: `${projectFile("node_modules/.bin")}${delimiter}${process.env.PATH}${delimiter}${dirname(cluster.kubectl)}`,
      PULUMI_BACKEND_URL: `file://${join(scratch, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase of this test",
      KUBECONFIG_CONTENT: readFileSync(cluster.kubeconfig, "utf8"),
      NODE_HOSTNAME: cluster.nodeName,
      STACK: "dev",
      // The runner's home, which has no kubeconfig of its own.
      HOME: join(scratch, "home"),
      PULUMI_HOME: process.env.PULUMI_HOME ?? join(homedir(), ".pulumi"),
    };
    await succeed(engine.command, ["stack", "init", "dev", "--non-interactive"], {
      cwd: checkout,
      env: environment,
    });
  });

  after(async function () {
    this.timeout(120_000);
    if (cluster === undefined) return;
    await vacate();
  });

  /** Removes the stack and all that was written. */
  async function leave(): Promise<void> {
    await shell("kubectl delete namespace transcript-pipeline --ignore-not-found");
    await shell("kubectl delete pv postgres-pv --ignore-not-found");
    if (scratch === undefined) return;
    endPluginsOf(scratch);
    rmSync(scratch, { recursive: true, force: true });
  }

  /** Changes the configuration that is committed in the copy. */
  function configure(sections: Record<string, Record<string, unknown>>): void {
    const file = join(checkout, "Pulumi.dev.yaml");
    writeFileSync(file, withFields(readFileSync(file, "utf8"), sections));
  }

  const bash = (line: string): Promise<Ran> =>
    execute("bash", ["-e", "-c", line], { cwd: checkout, env: environment });
  const deployStep = () => toolStep("deploy.yml", "dev", "deploy").run;
  const plan = () => JSON.parse(readFileSync(join(checkout, "plans/dev.json"), "utf8")) as StackPlan;
  const kubectl = (...args: string[]) =>
    succeed(cluster.kubectl, ["--kubeconfig", cluster.kubeconfig, "-n", "transcript-pipeline", ...args]);

  async function preview(): Promise<{ ran: Ran; plan: StackPlan }> {
    const ran = await bash(toolStep("preview.yml", "preview", "preview").run);
    assert.ok(existsSync(join(checkout, "plans/dev.json")), ran.output);
    return { ran, plan: plan() };
  }
  const texts = ({ summary }: StackPlan) => summary.statements.map(({ text }) => text).join("\n");

  it("previews a first deployment", async () => {
    const { ran, plan: planned } = await preview();
    assert.equal(ran.status, 0, ran.output);
    assert.match(texts(planned), /First deployment: creates \d+ objects/);
  });

  it("refuses by policy, in the preview and in the deployment, before anything changes", async () => {
    configure({ database: { terminationGracePeriod: 30 } });
    const { ran, plan: planned } = await preview();
    assert.equal(ran.status, 1);
    assert.match(planned.summary.refusals.join(), /grace-period.*terminationGracePeriodSeconds is below 60/);
    assert.equal((await bash(deployStep())).status, 1);
    assert.equal((await kubectl("get", "namespace", "transcript-pipeline", "--ignore-not-found")).stdout, "");
    configure({ database: { terminationGracePeriod: 60 } });
  });

  itLong("takes up a deployment that was killed while it created an object, without a prompt", async () => {
    const killed = spawn("bash", ["-e", "-c", deployStep()], {
      cwd: checkout,
      env: { ...process.env, ...environment },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    await new Promise<void>((resolve) => {
      killed.on("close", () => resolve());
      killed.stdout.setEncoding("utf8").on("data", (data: string) => {
        output += data;
        if (/StatefulSet postgres creating .*Waiting/.test(output))
          process.kill(-(killed.pid ?? 0), "SIGKILL");
      });
    });
    assert.equal(killed.signalCode, "SIGKILL", output);
    const ran = await bash(deployStep());
    assert.equal(ran.status, 0, ran.output);
    assert.match(ran.output, /an earlier run was killed while creating StatefulSet postgres/);
    assert.match(ran.output, /removing its lock/);
    assert.match(ran.output, /stack dev is deployed/);
  });

  itLong("says then that nothing changes, and nothing of a secret", async () => {
    const { ran, plan: planned } = await preview();
    assert.equal(texts(planned), "Nothing changes.");
    const { stdout } = await kubectl(
      "get",
      "secret",
      "postgres-secret",
      "-o",
      "jsonpath={.data.POSTGRES_PASSWORD}",
    );
    const password = Buffer.from(stdout, "base64").toString();
    assert.ok(password.length > 20);
    for (const text of [ran.output, JSON.stringify(planned)])
      assert.ok(!text.includes(password) && !text.includes(stdout));
  });

  itLong("finds drift, and is not failed by it", async () => {
    await kubectl("delete", "service", "postgres-headless");
    const ran = await bash(toolStep("drift.yml", "compare", "preview").run);
    assert.equal(ran.status, 0, ran.output);
    assert.deepEqual(plan().summary.drift, ["Service `postgres-headless` is gone"]);
    assert.match(texts(plan()), /Creates Service `postgres-headless`/);
  });

  it("leaves no kubeconfig behind, and does not touch the checkout's committed files", () => {
    assert.ok(!existsSync(join(scratch, "home/.kube/config")));
    assert.equal(
      readFileSync(join(checkout, "Pulumi.prod.yaml"), "utf8"),
      readFileSync(projectFile("Pulumi.prod.yaml"), "utf8"),
    );
  });
});
