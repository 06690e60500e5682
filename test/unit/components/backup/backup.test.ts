import assert from "node:assert/strict";
import { evaluate } from "../../../../tools/evaluation/evaluate.ts";
import { type Registration, unwrapped } from "../../../../tools/evaluation/recorder.ts";
import { deployable, type Raw } from "../../../settings.ts";

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const PASSPHRASE = "correct-horse-battery-staple";
const KEYS = { accessKey: "AKIAEXAMPLE", secretKey: "very-secret-key-of-the-store" };
const S3 = { kind: "s3", endpoint: "s3.example", bucket: "backups" };

async function deployed(changes: Raw): Promise<Registration[]> {
  const { registrations } = await evaluate(
    "prod",
    Object.fromEntries(
      Object.entries({ ...deployable(), ...changes }).map(([name, value]) => [
        `transcript-pipeline:${name}`,
        JSON.stringify(value),
      ]),
    ),
    ["transcript-pipeline:secrets"],
  );
  return registrations;
}

const withCloud = (
  backup: Record<string, unknown> = {},
  repositories: Record<string, unknown> = { cloud: S3 },
) =>
  deployed({
    backup: { repositories, ...backup },
    secrets: {
      backupPassphrase: PASSPHRASE,
      repositories: Object.fromEntries(
        Object.entries(repositories).flatMap(([name, repository]) =>
          (repository as { kind: string }).kind === "s3" ? [[name, KEYS]] : [],
        ),
      ),
    },
  });

const found = (all: readonly Registration[], kind: string, name: string) => {
  const registration = all.find(
    (other) => other.type.endsWith(`:${kind}`) && other.custom && other.name === name,
  );
  assert.ok(registration, `no ${kind} ${name}`);
  return registration;
};
/** The parts of an object that these tests look at. */
interface Inputs {
  data: Record<string, string>;
  stringData: Record<string, string>;
  spec: {
    template: {
      metadata: object;
      spec: { containers: { env: { name: string; value: string }[] }[]; volumes: Volume[] };
    };
    concurrencyPolicy: string;
    startingDeadlineSeconds: number;
    jobTemplate: { spec: { activeDeadlineSeconds: number } };
  };
}
interface Volume {
  name: string;
  configMap?: { optional?: boolean };
  secret?: { optional?: boolean };
}
const inputsOf = (all: readonly Registration[], kind: string, name: string) =>
  unwrapped(found(all, kind, name).inputs) as Inputs;
const server = (all: readonly Registration[]) => inputsOf(all, "StatefulSet", "postgres").spec.template;

/** Whether a text occurs other than inside a secret. */
function inPlainSight(value: unknown, text: string): boolean {
  if (typeof value === "string") return value.includes(text);
  if (typeof value !== "object" || value === null) return false;
  return !(SIGNATURE in value) && Object.values(value).some((entry) => inPlainSight(entry, text));
}

/** Whether a text occurs at all. */
const anywhere = (value: unknown, text: string) => JSON.stringify(unwrapped(value)).includes(text);

describe("the backups of a stack", () => {
  let without: Registration[];
  let cloud: Registration[];
  before(async () => {
    without = await deployed({});
    cloud = await withCloud();
  });

  it("are nothing when there is no repository", () => {
    assert.deepEqual(
      without.filter(({ name }) => name.startsWith("postgres-backup")),
      [],
    );
    const conf = inputsOf(without, "ConfigMap", "postgres-config").data["postgresql.conf"] ?? "";
    assert.doesNotMatch(conf, /archive/);
  });

  it("have their passphrase and keys in one Secret, and nowhere else: no ConfigMap, pod, command or environment", () => {
    for (const secret of [PASSPHRASE, KEYS.accessKey, KEYS.secretKey]) {
      const holding = cloud.filter(({ inputs }) => anywhere(inputs, secret)).map(({ name }) => name);
      assert.deepEqual(holding, ["postgres-backup"], secret);
      assert.ok(!cloud.some(({ inputs }) => inPlainSight(inputs, secret)), secret);
    }
    assert.deepEqual(Object.keys(inputsOf(cloud, "Secret", "postgres-backup").stringData).sort(), [
      "repo1-keys.conf",
      "repo1-passphrase.conf",
    ]);
  });

  it("generate a passphrase that is protected, if none is given", async () => {
    const generated = await deployed({ backup: { repositories: { local: { kind: "volume" } } } });
    assert.equal(found(generated, "RandomPassword", "postgres-backup-passphrase").protect, true);
    const { stringData } = found(generated, "Secret", "postgres-backup").inputs as { stringData: object };
    assert.ok(SIGNATURE in stringData);
  });

  it("change the server's pod when they are switched on, and never again", async () => {
    assert.notDeepEqual(server(cloud), server(without));
    for (const [what, all] of [
      ["another repository", await withCloud({}, { cloud: S3, local: { kind: "volume" } })],
      ["another bucket", await withCloud({}, { cloud: { ...S3, bucket: "other", keepFull: 9 } })],
      ["another image", await withCloud({ image: "woblerr/pgbackrest:2.60.0" })],
      ["another schedule", await withCloud({ fullSchedule: "@monthly", walQueue: "1Gi" })],
      ["another timeout", await withCloud({ archiveTimeout: 45 })],
      ["a restore", await withCloud({ restoreFrom: "cloud" })],
      [
        "a restore to a moment",
        await withCloud({ restoreFrom: "cloud", restoreTime: "2026-11-28 14:30:00+01" }),
      ],
    ] as const)
      assert.deepEqual(server(all), server(cloud), what);
  });

  it("restore by a file that only the server's own ConfigMap has", async () => {
    const restoring = await withCloud({ restoreFrom: "cloud", restoreTime: "2026-11-28 14:30:00+01" });
    const file = inputsOf(restoring, "ConfigMap", "postgres-config").data.initialization ?? "";
    assert.match(file, /^bash\n\S+\/restore-database\.sh\n1\n2026-11-28 14:30:00\+01\n$/);
    assert.equal("initialization" in inputsOf(cloud, "ConfigMap", "postgres-config").data, false);
    assert.equal("initialization" in inputsOf(restoring, "ConfigMap", "postgres-settings-files").data, false);
  });

  it("number the repositories by their names, whatever their order in the file", async () => {
    const local = { kind: "volume" };
    const environment = (all: readonly Registration[]) =>
      inputsOf(all, "StatefulSet", "postgres-backup").spec.template.spec.containers[0]?.env.find(
        ({ name }) => name === "REPOSITORIES",
      )?.value;
    const [one, other] = [
      await withCloud({}, { cloud: S3, b: local }),
      await withCloud({}, { b: local, cloud: S3 }),
    ];
    assert.equal(environment(one), "1:b:volume 2:cloud:s3:443:s3.example");
    for (const all of [one, other]) {
      assert.match(
        inputsOf(all, "ConfigMap", "postgres-backup-config").data["pgbackrest.conf"] ?? "",
        /^repo2-s3-bucket=backups$/m,
      );
      assert.match(
        inputsOf(all, "Secret", "postgres-backup").stringData["repo2-keys.conf"] ?? "",
        /^repo2-s3-key=AKIA/m,
      );
    }
    for (const [kind, name] of [
      ["ConfigMap", "postgres-backup-config"],
      ["Secret", "postgres-backup"],
      ["Job", "postgres-backup-first"],
    ] as const)
      assert.deepEqual(inputsOf(one, kind, name), inputsOf(other, kind, name), name);
  });

  it("make the first backup again for another repository, and not for another image", async () => {
    const reasons = (all: readonly Registration[]) =>
      JSON.stringify(inputsOf(all, "Job", "postgres-backup-first").spec.template.metadata);
    assert.notEqual(reasons(await withCloud({}, { cloud: { ...S3, bucket: "other" } })), reasons(cloud));
    assert.equal(reasons(await withCloud({ image: "woblerr/pgbackrest:2.60.0" })), reasons(cloud));
  });

  it("need nothing that the agent cannot start without: configuration and Secret are optional", () => {
    const { volumes } = inputsOf(cloud, "StatefulSet", "postgres-backup").spec.template.spec;
    for (const name of ["config", "secrets"]) {
      const volume = volumes.find((other) => other.name === name);
      assert.equal((volume?.configMap ?? volume?.secret)?.optional, true, name);
    }
  });

  it("run no two of a schedule at once, and make up for one that was missed", () => {
    for (const kind of ["full", "incremental"]) {
      const { spec } = inputsOf(cloud, "CronJob", `postgres-backup-${kind}`);
      assert.equal(spec.concurrencyPolicy, "Forbid");
      assert.ok(spec.startingDeadlineSeconds >= 86400);
      assert.ok(spec.jobTemplate.spec.activeDeadlineSeconds > 0);
    }
  });

  it("make dumps with another image, only on request if they are never scheduled, and with the same Secret", async () => {
    interface Dump {
      spec: {
        suspend?: boolean;
        schedule: string;
        jobTemplate: {
          spec: {
            template: {
              spec: Record<
                "initContainers" | "containers",
                { image: string; env: { name: string; value: string }[] }[]
              >;
            };
          };
        };
      };
    }
    const dump = (all: readonly Registration[]) =>
      (inputsOf(all, "CronJob", "postgres-backup-dump") as unknown as Dump).spec;
    assert.deepEqual([dump(cloud).schedule, dump(cloud).suspend], ["30 3 * * 6", undefined]);
    const never = dump(
      await withCloud({ dumpSchedule: "never", dumpImage: "rclone/rclone:1.72", keepDumps: 9 }),
    );
    assert.equal(never.suspend, true);
    const { initContainers, containers } = never.jobTemplate.spec.template.spec;
    assert.deepEqual(
      initContainers.map(({ image }) => image),
      ["rclone/rclone:1.72"],
    );
    assert.equal(containers[0]?.env.find(({ name }) => name === "KEEP")?.value, "9");
  });

  it("let dumps write into the server's volume only where a repository is in it", async () => {
    const mounts = (all: readonly Registration[]) => {
      const { containers, initContainers } = (
        inputsOf(all, "CronJob", "postgres-backup-dump") as unknown as {
          spec: {
            jobTemplate: { spec: { template: { spec: Record<string, { volumeMounts: object[] }[]> } } };
          };
        }
      ).spec.jobTemplate.spec.template.spec;
      return [...(containers ?? []), ...(initContainers ?? [])]
        .flatMap(({ volumeMounts }) => volumeMounts as { name: string; readOnly?: boolean }[])
        .filter(({ name }) => name === "data")
        .map(({ readOnly = false }) => readOnly);
    };
    assert.deepEqual(mounts(cloud), [true]);
    assert.deepEqual(mounts(await withCloud({}, { local: { kind: "volume" } })), [true, false]);
  });
});
