import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEventLog } from "../../tools/engine/events.ts";
import { summarize } from "../../tools/plan/summary.ts";
import type { StackPlan } from "../../tools/plan/markdown.ts";
import { execute, succeed } from "../cluster/support.ts";
import { FakeGitHub } from "./fake-github.ts";
import { toolStep } from "./workflow-files.ts";

function planOf(stack: string, name: string): StackPlan {
  const log = readFileSync(new URL(`../fixtures/engine/plans/${name}.jsonl`, import.meta.url), "utf8");
  return { stack, commit: "0123456789abcdef", summary: summarize(parseEventLog(log)), diff: "~ something" };
}

describe("publishing the plans", () => {
  let github: FakeGitHub;
  let plans: string;
  beforeEach(async () => {
    github = await FakeGitHub.start();
    plans = mkdtempSync(join(tmpdir(), "transcript-pipeline-plans-"));
  });
  afterEach(async () => {
    await github.stop();
    rmSync(plans, { recursive: true });
  });

  const write = (...written: StackPlan[]) => {
    for (const plan of written) writeFileSync(join(plans, `${plan.stack}.json`), JSON.stringify(plan));
  };
  /** Runs a step as its workflow has it, on the plans of this test. */
  const run = (file: string, job: string, script: string, env: Record<string, string> = {}) => {
    const { run: command } = toolStep(file, job, script);
    const line = command.replace("--from plans", `--from ${plans}`);
    assert.notEqual(line, command);
    return execute("bash", ["-e", "-c", line], { env: { ...github.environment, ...env } });
  };
  const comment = () => run("preview.yml", "comment", "comment", { PR_NUMBER: "1", GITHUB_RUN_ID: "7" });
  const issue = () => run("drift.yml", "issue", "drift-issue");

  it("writes one comment for all environments, and updates it", async function () {
    this.timeout(60_000);
    // Somebody has copied the bot's comment, and there are more comments than fit on a page.
    const pull = github.post({ number: 1 });
    pull.comments.push(
      github.post({ user: { login: "somebody" }, body: "<!-- transcript-pipeline: preview -->" }),
    );
    for (let n = 0; n < 105; n++)
      pull.comments.push(github.post({ user: { login: "somebody" }, body: "+1" }));
    github.issues.push(pull);

    write(planOf("dev", "nothing"), planOf("prod", "path"));
    assert.equal((await comment()).status, 0);
    const own = pull.comments.filter(({ user }) => user.login === "github-actions[bot]");
    assert.equal(own.length, 1);
    assert.match(
      own[0]?.body ?? "",
      /### ⚪ dev\n\n- ⚪ Nothing changes\.[\s\S]*### 🔴 prod\n\n- 🔴 Touches data/,
    );
    assert.match(
      own[0]?.body ?? "",
      /Commit 0123456789ab\. \[This run\]\(\S+owner\/name\/actions\/runs\/7\)/,
    );

    write(planOf("prod", "reload"));
    assert.match((await comment()).output, /updated comment/);
    assert.equal(pull.comments.length, 107);
    assert.match(own[0]?.body ?? "", /### 🟢 prod\n\n- 🟢 Reloads settings/);
  });

  it("opens one issue for drift, updates it, and closes it when the drift is gone", async function () {
    this.timeout(60_000);
    write(planOf("dev", "nothing"), planOf("prod", "drift"));
    assert.match((await issue()).output, /opened issue/);
    write(planOf("dev", "drift"));
    assert.match((await issue()).output, /updated issue/);
    assert.equal(github.issues.length, 1);
    const [opened] = github.issues;
    assert.deepEqual(opened?.labels, ["drift"]);
    assert.match(opened.body, /### ❌ dev[\s\S]*Service `postgres-headless` is gone[\s\S]*prod/);

    write(planOf("dev", "nothing"), planOf("prod", "nothing"));
    assert.match((await issue()).output, /closed issue/);
    assert.equal(opened.state, "closed");
    assert.match((await issue()).output, /^no drift$/m);
    assert.equal(github.issues.length, 1);
  });

  it("does not close the issue while a stack could not be compared", async function () {
    this.timeout(60_000);
    write(planOf("dev", "nothing"), planOf("prod", "drift"));
    await issue();
    write(planOf("prod", "obstacle"));
    await issue();
    assert.equal(github.issues[0]?.state, "open");
    rmSync(join(plans, "prod.json"));
    await issue();
    assert.equal(github.issues[0]?.state, "open");
    assert.match(github.issues[0]?.body ?? "", /### ❌ prod\n\nThere is no preview/);
  });

  it("says what GitHub refused, without the token", async function () {
    this.timeout(60_000);
    write(planOf("dev", "nothing"));
    const refused = await run("preview.yml", "comment", "comment", { PR_NUMBER: "99" });
    assert.equal(refused.status, 1);
    assert.match(refused.output, /GitHub answered 404 to GET \/issues\/99\/comments/);
    assert.doesNotMatch(refused.output, new RegExp(FakeGitHub.token));
  });

  it("lists the environments for the jobs that follow, dev first", async () => {
    const output = join(plans, "output");
    writeFileSync(output, "");
    const env = { GITHUB_OUTPUT: output };
    await succeed("bash", ["-e", "-c", toolStep("preview.yml", "environments", "environments").run], { env });
    await succeed("bash", ["-e", "-c", toolStep("deploy.yml", "environments", "environments").run], { env });
    assert.equal(readFileSync(output, "utf8"), 'stacks=["dev","prod"]\nstacks=["prod"]\n');
  });
});
