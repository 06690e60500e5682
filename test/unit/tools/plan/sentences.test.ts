import assert from "node:assert/strict";
import { restartCause } from "../../../../cluster/change-effects.ts";
import { capabilities } from "../../../../tools/plan/sentences/index.ts";
import { objects } from "../../../../tools/plan/sentences/objects.ts";
import type { EngineEvent, EventStep } from "../../../../tools/engine/events.ts";
import { summarize } from "../../../../tools/plan/summary.ts";

interface Step {
  op: EventStep["op"];
  type: string;
  name: string;
  /** Property paths that differ. */
  paths?: string[];
  old?: Record<string, unknown>;
  new?: Record<string, unknown>;
}

const event = ({ op, type, name, paths = [], old = {}, new: next = {} }: Step): EngineEvent => {
  const metadata: EventStep = {
    ...{ op, type, urn: `urn:pulumi:prod::transcript-pipeline::${type}::${name}` },
    old: { inputs: old },
    new: { inputs: next },
    detailedDiff: Object.fromEntries(paths.map((path) => [path, { diffKind: "update" }])),
  };
  return { resourcePreEvent: { metadata } };
};

const said = (...steps: Step[]) =>
  summarize(steps.map(event)).statements.map(({ severity, text }) => `${severity}: ${text}`);

const kubernetes = (kind: string) => `kubernetes:v1:${kind}`;

describe("the sentences of a plan", () => {
  it("describe a resource that no capability knows, by its operation", () => {
    const gadget = { type: "kubernetes:example.org/v1:Gadget", name: "unheard-of" };
    assert.deepEqual(said({ op: "create", ...gadget }), ["routine: Creates Gadget `unheard-of`"]);
    assert.deepEqual(said({ op: "delete", ...gadget }), ["attention: Deletes Gadget `unheard-of`"]);
    assert.deepEqual(said({ op: "update", ...gadget, paths: ["spec.size"] }), [
      "routine: Updates Gadget `unheard-of` (`spec.size`)",
    ]);
  });

  it("say nothing about the migrations if another Job runs, nor about the database if another server restarts", () => {
    assert.deepEqual(said({ op: "replace", type: kubernetes("Job"), name: "postgres-report" }), [
      "attention: Replaces Job `postgres-report`: deleted and created again",
    ]);
    assert.deepEqual(said({ op: "replace", type: kubernetes("Job"), name: "postgres-init" }), [
      "attention: Runs the migrations again",
    ]);
    assert.deepEqual(said({ op: "create", type: kubernetes("Job"), name: "postgres-upgrade" }), [
      "attention: Upgrades the existing database to the configured image",
    ]);
    assert.deepEqual(said({ op: "delete", type: kubernetes("StatefulSet"), name: "cache" }), [
      "attention: Deletes StatefulSet `cache`",
    ]);
    assert.deepEqual(said({ op: "delete", type: kubernetes("StatefulSet"), name: "postgres" }), [
      "danger: Stops the database: StatefulSet `postgres` is deleted",
    ]);
  });

  it("call every volume data and every Secret a secret, whatever creates it", () => {
    assert.deepEqual(said({ op: "delete", type: kubernetes("PersistentVolumeClaim"), name: "wal" }), [
      "danger: Touches data: PersistentVolumeClaim `wal` is deleted",
    ]);
    const paths = ["stringData.key"];
    assert.deepEqual(said({ op: "update", type: kubernetes("Secret"), name: "backup", paths }), [
      "attention: Changes a secret: Secret `backup`, `key`",
    ]);
  });

  it("say of a repository's directory what they say of the data's: what is in it is at stake", () => {
    const volume = { type: kubernetes("PersistentVolume"), name: "postgres-backup-nas-pv" };
    assert.deepEqual(said({ op: "delete", ...volume }), [
      "danger: Touches data: PersistentVolume `postgres-backup-nas-pv` is deleted",
    ]);
    const paths = ["spec.hostPath.path"];
    const at = (path: string) => ({ spec: { hostPath: { path } } });
    assert.deepEqual(said({ op: "update", ...volume, paths, old: at("/mnt/a"), new: at("/mnt/b") }), [
      "danger: Touches data: the directory `/mnt/a` → `/mnt/b`",
    ]);
    assert.deepEqual(
      said({ op: "create", type: "command:local:Command", name: "postgres-backup-nas-volume-directory" }),
      ["attention: Checks the directory on its node, and prepares it if it is new"],
    );
  });

  it("name the access file that differs", () => {
    const config = { op: "update" as const, type: kubernetes("ConfigMap"), name: "postgres-config" };
    assert.deepEqual(said({ ...config, paths: ['data["pg_ident.conf"]'] }), [
      "attention: Changes who may connect, and how they authenticate (`pg_ident.conf`)",
    ]);
  });

  it("say of the logical dumps when they are made, and what is deleted", () => {
    const dumps = (schedule: string, keep: string, suspend?: boolean) => ({
      spec: {
        ...{ schedule, suspend },
        jobTemplate: {
          spec: {
            template: { spec: { containers: [{ name: "dump", env: [{ name: "KEEP", value: keep }] }] } },
          },
        },
      },
    });
    const change = (op: Step["op"], to: Record<string, unknown>) =>
      said({
        ...{ op, type: kubernetes("CronJob"), name: "postgres-backup-dump" },
        ...{ paths: ["spec.schedule"], old: dumps("1 1 * * 1", "4"), new: to },
      });
    const name = "(CronJob `postgres-backup-dump`)";
    assert.deepEqual(change("update", dumps("5 5 * * 1", "4")), [
      `attention: Makes logical dumps at other times: \`5 5 * * 1\` ${name}`,
    ]);
    assert.deepEqual(change("update", dumps("1 1 * * 1", "2")), [
      `danger: Deletes logical dumps: of 4 in each repository, 2 are kept ${name}`,
    ]);
    assert.deepEqual(change("update", dumps("0 0 1 1 *", "4", true)), [
      `attention: Makes logical dumps only on request from now on, by npm run backup -- dump ${name}`,
    ]);
    assert.match(change("delete", {}).join(), /^danger: Makes no more logical dumps/);
  });

  it("tell the restore drills from the backups", () => {
    const cronJob = (name: string, op: Step["op"]) =>
      said({
        ...{ op, type: kubernetes("CronJob"), name },
        ...{ paths: ["spec.schedule"], new: { spec: { schedule: "5 5 * * 1" } } },
      });
    assert.deepEqual(cronJob("postgres-backup-drill", "update"), [
      "attention: Restores the backups as a test at other times: `5 5 * * 1` (CronJob `postgres-backup-drill`)",
    ]);
    assert.deepEqual(cronJob("postgres-backup-full", "update"), [
      "attention: Makes backups at other times: `5 5 * * 1` (CronJob `postgres-backup-full`)",
    ]);
    assert.match(
      cronJob("postgres-backup-drill", "delete").join(),
      /^danger: Restores no backup as a test any more/,
    );
    assert.match(cronJob("postgres-backup-full", "delete").join(), /^danger: Makes no more such backups/);
  });

  it("name every reason of a restart, each once", () => {
    const container = (image: string, memory: string) => ({ image, resources: { limits: { memory } } });
    const spec = (image: string, memory: string) => ({
      spec: { template: { spec: { containers: [container(image, memory)] } } },
    });
    const template = "spec.template.spec.containers[0]";
    assert.deepEqual(
      said({
        ...{ op: "update", type: kubernetes("StatefulSet"), name: "postgres" },
        old: spec("a:1", "1Gi"),
        new: spec("a:2", "2Gi"),
        paths: [
          'spec.template.metadata.annotations["transcript-pipeline/restart-settings"]',
          'spec.template.metadata.annotations["transcript-pipeline/scripts"]',
          `${template}.image`,
          `${template}.resources.limits.memory`,
          `${template}.env[0].value`,
        ],
      }),
      [
        "attention: Restarts the database (once): settings that need a restart, its scripts, image `a:1` → `a:2`, " +
          "limits.memory `1Gi` → `2Gi`, `containers[0].env[0].value`",
      ],
    );
  });

  it("are in a list in which each resource finds its own, and the last accepts any resource", () => {
    assert.equal(capabilities.at(-1), objects);
    assert.equal(new Set(capabilities).size, capabilities.length);
    for (const type of ["Secret", "PersistentVolume", "Namespace"].map(kubernetes)) {
      const first = capabilities.find((capability) => capability.owns({ type, logicalName: "any" }));
      assert.notEqual(first, objects, type);
    }
  });
});

describe("why the server restarts", () => {
  it("is derived from the place of the change, whatever the container's name", () => {
    for (const container of ["0", "postgres"]) {
      const at = (...keys: string[]) => restartCause(["spec", "containers", container, ...keys]);
      assert.equal(at("image"), "image");
      assert.equal(at("resources", "requests", "cpu"), "resources");
      assert.equal(at("resources", "limits", "nvidia.com/gpu"), "other");
      assert.equal(at("env", "0", "value"), "other");
    }
    assert.equal(restartCause(["metadata", "annotations", "transcript-pipeline/scripts"]), "scripts");
    assert.equal(restartCause(["metadata", "labels", "transcript-pipeline/scripts"]), "other");
  });
});
