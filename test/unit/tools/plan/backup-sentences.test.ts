import assert from "node:assert/strict";
import { effectsOfConfig } from "../../../../cluster/change-effects.ts";
import { pgbackrestConf, type RepositoryArgs } from "../../../../components/backup/pgbackrest-conf.ts";
import type { EngineEvent, EventStep } from "../../../../tools/engine/events.ts";
import { summarize } from "../../../../tools/plan/summary.ts";

type DiffKind = NonNullable<EventStep["detailedDiff"]>[string]["diffKind"];

/** What a plan says about one change. */
function said(
  op: EventStep["op"],
  kind: string,
  name: string,
  paths: Readonly<Record<string, DiffKind>> = {},
  old: object = {},
  next: object = {},
): string[] {
  const type = kind.includes(":") ? kind : `kubernetes:v1:${kind}`;
  const metadata: EventStep = {
    ...{ op, type, urn: `urn:pulumi:prod::transcript-pipeline::${type}::${name}` },
    old: { inputs: old as Record<string, unknown> },
    new: { inputs: next as Record<string, unknown> },
    detailedDiff: Object.fromEntries(
      Object.entries(paths).map(([path, diffKind]): [string, { diffKind: DiffKind }] => [path, { diffKind }]),
    ),
  };
  const event: EngineEvent = { resourcePreEvent: { metadata } };
  return summarize([event]).statements.map(({ severity, text }) => `${severity}: ${text}`);
}

const cloud: RepositoryArgs = {
  ...{
    name: "cloud",
    kind: "s3",
    keepFull: 4,
    path: "/transcript-pipeline/prod",
    port: 443,
    pathStyle: true,
  },
  ...{ endpoint: "s3.example", bucket: "backups", region: "us-east-1" },
};
const nas: RepositoryArgs = {
  name: "nas",
  kind: "directory",
  path: "/mnt/nas/postgres",
  capacity: "10Gi",
  keepFull: 4,
};

/** What a plan says when the repositories change. */
function changing(before: readonly RepositoryArgs[], after: readonly RepositoryArgs[]): string[] {
  const data = (repositories: readonly RepositoryArgs[]) => ({
    data: { "pgbackrest.conf": pgbackrestConf({ repositories, walQueue: 1 }) },
  });
  const paths = { 'data["pgbackrest.conf"]': "update" } as const;
  return said("update", "ConfigMap", "postgres-backup-config", paths, data(before), data(after));
}

const GENERAL = "attention: Changes where backups go, or how they are made";

describe("what a plan says about the backups", () => {
  it("that archiving, switched on, restarts the server once", () => {
    const template = "spec.template";
    const paths = {
      [`${template}.metadata.annotations["transcript-pipeline/restart-settings"]`]: "update",
      [`${template}.spec.containers[0].volumeMounts[5]`]: "add",
      [`${template}.spec.volumes[4]`]: "add",
    } as const;
    const sentences = said("update", "StatefulSet", "postgres", paths);
    assert.equal(sentences.length, 1);
    assert.match(
      sentences[0] ?? "",
      /^attention: Restarts the database \(once\): settings that need a restart/,
    );
    assert.deepEqual(
      effectsOfConfig(
        { data: { "postgresql.conf": "" } },
        { data: { "postgresql.conf": "archive_mode = 'on'\narchive_command = 'bash x push %f 10'\n" } },
      ),
      [
        "Requires a restart of the server: archive_mode default → on",
        "Reloads without a restart: archive_command default → bash x push %f 10",
      ],
    );
  });

  it("that switched off they protect nothing any more", () => {
    assert.match(said("delete", "StatefulSet", "postgres-backup")[0] ?? "", /^danger: Stops archiving: /);
    for (const kind of ["full", "incremental"])
      assert.match(
        said("delete", "CronJob", `postgres-backup-${kind}`)[0] ?? "",
        /^danger: Makes no more such backups/,
      );
    assert.match(said("delete", "Secret", "postgres-backup")[0] ?? "", /^danger: Takes away the passphrase/);
    assert.match(
      said("delete", "random:index/randomPassword:RandomPassword", "postgres-backup-passphrase")[0] ?? "",
      /^danger: Changes the passphrase/,
    );
  });

  it("once, that a passphrase is generated, and where to keep it", () => {
    assert.match(
      said("create", "random:index/randomPassword:RandomPassword", "postgres-backup-passphrase")[0] ?? "",
      /^attention: A passphrase of the backups is generated.*outside the cluster.*: pulumi stack output backupPassphrase --show-secrets/,
    );
  });

  it("that fewer full backups are kept, which deletes the others", () => {
    assert.deepEqual(changing([cloud, nas], [{ ...cloud, keepFull: 2 }, nas]), [
      "danger: Deletes backups: of 4 full backups in `backups/transcript-pipeline/prod at s3.example`, 2 are kept, each with the WAL from it on",
      GENERAL,
    ]);
    assert.deepEqual(changing([cloud], [{ ...cloud, keepFull: 9 }]), [GENERAL]);
  });

  it("which repository is left, whatever number the others get", () => {
    assert.deepEqual(changing([cloud, { ...nas, keepFull: 9 }], [{ ...nas, keepFull: 9 }]), [
      "danger: Stops archiving into `backups/transcript-pipeline/prod at s3.example`: what it holds stays, and is not added to from now on",
      GENERAL,
    ]);
    assert.deepEqual(changing([{ ...nas, keepFull: 9 }], [cloud, { ...nas, keepFull: 9 }]), [
      "attention: Backs up into `backups/transcript-pipeline/prod at s3.example` too, from now on",
      GENERAL,
    ]);
  });

  it("that another passphrase makes what there is unreadable, and that other keys or one more repository do not", () => {
    const secret = (paths: Readonly<Record<string, DiffKind>>) =>
      said("update", "Secret", "postgres-backup", paths);
    const [first = "", ...others] = secret({ 'stringData["repo1-passphrase.conf"]': "update" });
    assert.match(first, /^danger: Changes the passphrase of the backups .* can no longer be read/);
    assert.deepEqual(others, []);
    assert.deepEqual(secret({ 'stringData["repo1-keys.conf"]': "update" }), [
      "attention: Changes a secret: the keys that the backups' repositories are reached with (Secret `postgres-backup`)",
    ]);
    const added = secret({
      'stringData["repo2-passphrase.conf"]': "add",
      'stringData["repo2-keys.conf"]': "add",
    });
    assert.ok(
      added.every((sentence) => sentence.startsWith("attention: ")),
      added.join("\n"),
    );
    assert.match(secret({ stringData: "update" })[0] ?? "", /^attention: .*the passphrase or the keys/);
    assert.match(
      said("replace", "random:index/randomPassword:RandomPassword", "postgres-backup-passphrase")[0] ?? "",
      /^danger: Changes the passphrase/,
    );
  });

  it("that everything else leaves the server alone", () => {
    assert.deepEqual(
      said("update", "StatefulSet", "postgres-backup", {
        "spec.template.spec.containers[0].image": "update",
      }),
      ["routine: Restarts the backup agent; the server runs on (`spec.template.spec.containers[0].image`)"],
    );
    assert.deepEqual(said("replace", "Job", "postgres-backup-first"), [
      "routine: Makes a backup in each repository and restores it as a test, in the background",
    ]);
    assert.deepEqual(
      said(
        "update",
        "CronJob",
        "postgres-backup-full",
        { "spec.schedule": "update" },
        {},
        { spec: { schedule: "@daily" } },
      ),
      ["attention: Makes backups at other times: `@daily` (CronJob `postgres-backup-full`)"],
    );
  });
});
