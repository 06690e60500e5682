import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { keysOf } from "../../../../tools/plan/changes.ts";
import { type EngineEvent, type EventStep, parseEventLog } from "../../../../tools/engine/events.ts";
import { quoted } from "../../../../tools/plan/statements.ts";
import { type PlanSummary, summarize } from "../../../../tools/plan/summary.ts";
import {
  LIMIT,
  plansMarkdown,
  readableDiff,
  type StackPlan,
  summaryMarkdown,
} from "../../../../tools/plan/markdown.ts";

/** The summary of a real preview. */
function planOf(name: string): PlanSummary {
  return summarize(
    parseEventLog(
      readFileSync(new URL(`../../../fixtures/engine/plans/${name}.jsonl`, import.meta.url), "utf8"),
    ),
  );
}

const said = (name: string) => planOf(name).statements.map(({ severity, text }) => `${severity}: ${text}`);

/** Asserts that a real preview is summarised by exactly these statements. */
function says(name: string, ...statements: string[]): void {
  assert.deepEqual(said(name), statements);
}

describe("the summary of a plan", () => {
  it("says that nothing changes", () => {
    says("nothing", "none: Nothing changes.");
    assert.equal(planOf("nothing").changes, 0);
  });

  it("counts a first deployment instead of listing it", () => {
    says(
      "create",
      "attention: First deployment: creates 14 objects, and runs the migrations",
      "attention: Checks the data directory on its node, and prepares it if it is new",
    );
  });

  it("distinguishes settings that are reloaded from those that restart the database", () => {
    says("reload", "routine: Reloads settings, without a restart: `work_mem` `4MB` → `8MB`");
    says(
      "restart",
      "attention: Changes settings: `shared_buffers` `128MB` → `192MB`",
      "attention: Restarts the database (once): settings that need a restart",
    );
  });

  it("says why the database restarts", () => {
    assert.match(
      said("image").join("\n"),
      /Restarts the database \(once\): image `pgvector\S+pg16-bookworm` → `pgvector\S+pg17-bookworm`/,
    );
    assert.match(said("scripts").join("\n"), /Restarts the database \(once\): its scripts/);
  });

  it("says who may connect when that changes", () => {
    says("hba", "attention: Changes who may connect, and how they authenticate (`pg_hba.conf`)");
  });

  it("puts what touches data at the top", () => {
    const path = planOf("path");
    assert.equal(path.severity, "danger");
    assert.ok(path.statements.every(({ severity }, index) => index >= 2 || severity === "danger"));
    assert.match(
      said("path").join("\n"),
      /danger: Touches data: PersistentVolume `postgres-pv` is deleted and created again: the data directory `\/mnt\/raid\/pgdata` → `\/mnt\/raid\/elsewhere`/,
    );
    assert.match(said("path").join("\n"), /Stops the database and starts it again/);
    assert.match(
      said("hostname")[0] ?? "",
      /danger: Touches data: the volume moves to another node, `gen7` → `gen8`/,
    );
    says(
      "reclaim",
      "danger: Touches data: the volume's files are no longer kept when its claim goes: `Retain` → `Delete`",
    );
  });

  it("gives a new size of the volume, which loses nothing, a lower severity", () => {
    assert.equal(planOf("capacity").severity, "attention");
    assert.match(
      said("capacity").join("\n"),
      /Changes the size of the volume, under the running server: `2Gi` → `3Gi`/,
    );
  });

  it("says that a secret changes, and never its value", () => {
    says(
      "secret",
      "attention: Changes a secret: Secret `postgres-secret`, `POSTGRES_PASSWORD`",
      "attention: Changes a secret: the generated password `postgres-credentials-owner` is forgotten",
    );
    assert.match(
      said("password").join("\n"),
      /a new password is generated for `postgres-credentials-superuser`/,
    );
    assert.equal(quoted({ "4dabf18193072939515e22adb298388d": "1b47", ciphertext: "abc" }), "`[secret]`");
  });

  it("says that a replaced provider replaces everything, once", () => {
    const statements = said("provider");
    assert.match(
      statements[0] ?? "",
      /danger: Replaces everything in the cluster, because provider kubernetes `cluster` is replaced \(`clusterIdentifier`\)/,
    );
    assert.ok(
      statements.some((text) =>
        text.includes("Namespace `transcript-pipeline` is deleted and created again"),
      ),
    );
    assert.ok(!statements.some((text) => text.includes("ConfigMap")));
  });

  it("distinguishes a new migration from one that was rewritten", () => {
    says(
      "migration",
      "attention: Adds migrations: `20990101000000_more.sql`",
      "attention: Runs the migrations again",
    );
    assert.match(
      said("edited-migration")[0] ?? "",
      /danger: Rewrites a migration that has probably run.*`20260101000009_search\.sql`/,
    );
  });

  it("says that settings are tried, and the settings themselves once", () => {
    const step = (
      ...[op, kind, name, before, after, path]: [EventStep["op"], string, string, object, object, string]
    ): EngineEvent => ({
      resourcePreEvent: {
        metadata: {
          op,
          urn: `urn:pulumi:prod::transcript-pipeline::kubernetes:${kind}::${name}`,
          type: `kubernetes:${kind}`,
          old: { inputs: { ...before } },
          new: { inputs: { ...after } },
          detailedDiff: { [path]: { diffKind: "update" } },
        },
      },
    });
    const files = (name: string) =>
      step(
        ...(["update", "core/v1:ConfigMap", name] as const),
        { data: { "postgresql.conf": "work_mem = '4MB'\n" } },
        { data: { "postgresql.conf": "work_mem = '8MB'\n" } },
        'data["postgresql.conf"]',
      );
    const job = (op: EventStep["op"]) =>
      step(op, "batch/v1:Job", "postgres-settings", {}, {}, 'spec.template.metadata.annotations["f"]');
    const { statements } = summarize([
      files("postgres-settings-files"),
      job("replace"),
      files("postgres-config"),
    ]);
    assert.deepEqual(
      statements.map(({ severity, text }) => `${severity}: ${text}`),
      [
        "routine: Tries the image and the settings on a scratch directory, before the server gets them",
        "routine: Reloads settings, without a restart: `work_mem` `4MB` → `8MB`",
      ],
    );
    assert.match(
      summarize([job("delete")]).statements[0]?.text ?? "",
      /Deletes Job `postgres-settings`: settings and images are no longer tried before the server gets them/,
    );
  });

  it("says what is deleted", () => {
    assert.match(
      said("delete-job").join("\n"),
      /Deletes Job `postgres-init`: the migrations are no longer run/,
    );
  });

  it("says that protection is removed, which is not an operation of the engine", () => {
    const { statements, changes } = planOf("protect-off");
    assert.equal(changes, 0);
    assert.match(
      statements[0]?.text ?? "",
      /No longer protected from deletion: .*PersistentVolumeClaim `postgres-pvc`/,
    );
    assert.equal(statements[0]?.severity, "danger");
  });

  it("says why a preview failed", () => {
    assert.match(planOf("protected-delete").errors.join("\n"), /cannot be deleted because it is protected/);
    const { errors, statements } = planOf("obstacle");
    assert.match(errors.join("\n"), /^node\.hostname: is "gen8", which is no node of the cluster/);
    // Not "Nothing changes.": nobody knows.
    assert.deepEqual(statements, []);
  });

  it("distinguishes what policies refuse from what they advise", () => {
    const { refusals, advice, errors } = planOf("policy");
    assert.match(refusals.join("\n"), /^`volume-retained`: .*set Retain$/);
    assert.match(advice.join("\n"), /^`advice`: /);
    assert.deepEqual(errors, []);
  });

  it("names what was changed in the cluster by somebody else", () => {
    assert.deepEqual(planOf("drift").drift, [
      "Service `postgres-headless` is gone",
      'ConfigMap `postgres-config` was changed: `data["postgresql.conf"]`',
    ]);
  });

  it("reads property paths as the engine writes them", () => {
    assert.deepEqual(keysOf('data["a.b"].c[0].d'), ["data", "a.b", "c", "0", "d"]);
    assert.deepEqual(
      keysOf("spec.template.metadata.annotations.transcript-pipeline/files").at(-1),
      "transcript-pipeline/files",
    );
  });

  it("reads the log of an engine that was killed", () => {
    assert.equal(parseEventLog('{"policyEvent":{}}\n{"diagnosticEv').length, 1);
  });
});

describe("the summary as Markdown", () => {
  const plan = (stack: string, diff: string): StackPlan => ({
    stack,
    commit: "",
    summary: planOf("reload"),
    diff,
  });

  it("puts the gravest first, and the diff folded below", () => {
    const text = plansMarkdown([{ ...plan("prod", "~ a\n"), summary: planOf("path") }], ["prod"]);
    assert.match(text, /^### 🔴 prod\n\n- 🔴 Touches data/);
    assert.ok(text.indexOf("<details>") > text.lastIndexOf("- 🟠"));
  });

  it("names a stack whose preview did not get that far", () => {
    assert.match(plansMarkdown([plan("dev", "")], ["dev", "prod"]), /### ❌ prod\n\nThere is no preview/);
  });

  it("fits into what GitHub accepts, the short diffs whole", () => {
    const text = plansMarkdown([plan("dev", "short"), plan("prod", "x".repeat(200_000))], ["dev", "prod"]);
    assert.ok(text.length < LIMIT + 1000);
    assert.match(text, /short\n```/);
    assert.match(text, /cut here/);
  });

  it("cannot be broken out of by a value", () => {
    const summary = summarize([
      { diagnosticEvent: { severity: "error", message: "</details> @somebody\n# heading" } },
    ]);
    assert.equal(summaryMarkdown(summary).split("\n").at(-1), "- `</details> @somebody # heading`");
    const fenced = plansMarkdown([plan("dev", "```\n</details>\n````")], ["dev"]);
    assert.match(fenced, /\n`````diff\n/);
  });

  it("leaves out of the engine's diff what nobody reads", () => {
    const output =
      "Previewing\n  pulumi:pulumi:Stack: (same)\n    [urn=urn:x]\n  ~ a:b:C: (update)\n      [id=y]\n    ~ z: 1 => 2\n";
    assert.equal(readableDiff(output), "Previewing\n  ~ a:b:C: (update)\n    ~ z: 1 => 2");
  });
});
