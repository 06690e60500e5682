import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { projectFile } from "../../tools/cli.ts";
import { type Workflow, workflow, workflowTexts } from "./workflow-files.ts";
import { skip } from "../skip.ts";

/** Every action in use, by the commit that its tag names; each was looked up in its own repository. */
const ACTIONS: Readonly<Record<string, string>> = {
  "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1": "v7.0.1",
  "actions/setup-node@820762786026740c76f36085b0efc47a31fe5020": "v7.0.0",
  "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f": "v7.0.0",
  "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c": "v8.0.1",
};

const ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

function goObstacle(): string | undefined {
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "go is not on PATH";
  }
}

const files = [...workflowTexts().keys()];
const jobsOf = ({ jobs }: Workflow) => Object.entries(jobs);
const stepsOf = (file: string) =>
  jobsOf(workflow(file)).flatMap(([job, { steps }]) => steps.map((step) => ({ job, step })));

describe("the workflows", () => {
  describe("under actionlint", () => {
    before(function () {
      const obstacle = goObstacle();
      if (obstacle === undefined) return;
      skip(this, obstacle);
    });
    it("have no finding", function () {
      this.timeout(300_000);
      // Outside the checkout, in which there is no go.mod to ask. Go keeps what it builds in the user's cache.
      const paths = files.map((file) => projectFile(`.github/workflows/${file}`));
      execFileSync("go", ["run", ACTIONLINT, ...paths], { cwd: tmpdir(), stdio: ["ignore", "pipe", "pipe"] });
    });
  });

  it("use actions by commits that were looked up, each with its version", () => {
    for (const [file, text] of workflowTexts()) {
      for (const [, action = "", comment] of text.matchAll(/uses: (\S+)(?: # (\S+))?/g)) {
        assert.equal(comment, ACTIONS[action], `${file}: ${action}`);
        assert.ok(comment !== undefined, `${file}: ${action}`);
      }
    }
  });

  it("ask for no permission but what each job needs", () => {
    const writes = new Map([
      ["preview.yml comment", { contents: "read", "pull-requests": "write" }],
      ["drift.yml issue", { contents: "read", issues: "write" }],
    ]);
    for (const file of files) {
      assert.deepEqual(workflow(file).permissions, {}, file);
      for (const [name, job] of jobsOf(workflow(file))) {
        assert.deepEqual(
          job.permissions,
          writes.get(`${file} ${name}`) ?? { contents: "read" },
          `${file} ${name}`,
        );
        assert.ok(job["timeout-minutes"] !== undefined, `${file} ${name} has no timeout`);
      }
    }
  });

  it("separate jobs that write to GitHub from a stack's secrets", () => {
    for (const file of files) {
      for (const [name, { steps, permissions }] of jobsOf(workflow(file))) {
        const text = JSON.stringify(steps);
        const writes = Object.values(permissions ?? {}).includes("write");
        assert.ok(!(writes && text.includes("secrets.")), `${file} ${name}`);
        assert.equal(text.includes("github.token"), writes, `${file} ${name}`);
      }
    }
  });

  it("leave no token in the checkout, and put no expression into a command", () => {
    for (const file of files) {
      for (const { job, step } of stepsOf(file)) {
        if (step.uses?.startsWith("actions/checkout@")) {
          assert.equal(step.with?.["persist-credentials"], false, `${file} ${job}`);
        }
        assert.doesNotMatch(step.run ?? "", /\$\{\{/, `${file} ${job}`);
      }
    }
  });

  it("consist of commands that a person can run", () => {
    const { scripts } = JSON.parse(readFileSync(projectFile("package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    for (const file of files) {
      for (const { job, step } of stepsOf(file)) {
        if (step.run === undefined || step.run === "npm ci") continue;
        const [, tool] = /^(?:exec )?node (tools\/ci\/[a-z-]+\.ts)\b[^;&|]*$/.exec(step.run) ?? [];
        const [, script] = /^npm (?:run )?([a-z:]+)(?: -- [a-z ]+)?$/.exec(step.run) ?? [];
        assert.ok(
          (tool !== undefined && existsSync(projectFile(tool))) ||
            (script !== undefined && scripts[script] !== undefined),
          `${file} ${job}: ${step.run}`,
        );
      }
    }
  });

  it("hand no secret to a fork's pull request, nor its code to a runner of one's own", () => {
    const { on, jobs } = workflow("preview.yml");
    // pull_request_target would run with secrets.
    assert.deepEqual(Object.keys(on), ["pull_request"]);
    for (const [name, job] of Object.entries(jobs)) {
      if (name === "checks") {
        assert.equal(job["runs-on"], "ubuntu-latest");
        assert.doesNotMatch(JSON.stringify(job), /secrets\.|github\.token|vars\./);
      } else if (name === "environments") {
        assert.match(job.if ?? "", /head\.repo\.full_name == github\.repository/);
      } else {
        assert.ok([job.needs].flat().includes("environments"), name);
      }
    }
  });

  it("decide whose a pull request is by its author and its repository, and not by who touched it last", () => {
    for (const [file, text] of workflowTexts()) {
      // Whoever reopens Dependabot's pull request, or pushes to it, is the actor.
      assert.doesNotMatch(text, /github\.(?:triggering_)?actor|github\.event\.sender/, file);
      const { on, jobs } = workflow(file);
      const ofPullRequests = Object.keys(on).some((event) => event.startsWith("pull_request"));
      for (const [name, job] of Object.entries(jobs)) {
        const hasSecrets =
          job.environment !== undefined || /secrets\.|github\.token/.test(JSON.stringify(job));
        if (!hasSecrets || !ofPullRequests) continue;
        // Skipped with the job that decides.
        assert.ok([job.needs].flat().includes("environments"), `${file} ${name}`);
      }
    }
    const gate = workflow("preview.yml").jobs.environments?.if ?? "";
    assert.deepEqual(
      gate.split("&&").map((part) => part.trim()),
      [
        "github.event.pull_request.head.repo.full_name == github.repository",
        "github.event.pull_request.user.login != 'dependabot[bot]'",
      ],
    );
    // Only a pull request, a merge, a person with write access or the clock starts what has secrets.
    assert.deepEqual(Object.keys(workflow("deploy.yml").on), ["push", "workflow_dispatch"]);
    assert.deepEqual(Object.keys(workflow("drift.yml").on), ["schedule", "workflow_dispatch"]);
  });

  it("deploy dev before the rest, each stack by one run at a time, behind its environment", () => {
    const { dev, protected: rest } = workflow("deploy.yml").jobs;
    assert.ok(dev && rest);
    assert.deepEqual(rest.needs, ["environments", "dev"]);
    assert.equal(dev.environment, "dev");
    assert.equal(rest.environment, "${{ matrix.stack }}");
    assert.deepEqual(dev.concurrency, { group: "stack-dev", "cancel-in-progress": false });
    assert.deepEqual(rest.concurrency, {
      group: "stack-${{ matrix.stack }}",
      "cancel-in-progress": false,
    });
    // The same command, and so the same pack, on the commit that started the run: no checkout names another.
    const command = (steps: typeof dev.steps) => steps.find(({ run }) => run?.includes("deploy.ts"))?.run;
    assert.equal(command(dev.steps), command(rest.steps));
    for (const { step } of stepsOf("deploy.yml")) assert.equal(step.with?.ref, undefined);
  });
});
