import assert from "node:assert/strict";
import { manifestsOf } from "../../tools/evaluation/manifests.ts";
import type { Live } from "../../live.ts";
import { evaluate } from "../../tools/evaluation/evaluate.ts";
import { type Registration, unwrapped } from "../../tools/evaluation/recorder.ts";
import { changed, deployable, type Raw } from "../settings.ts";
import { ed25519HostKey, userKey } from "../ssh-keys.ts";

const SIGNATURE = "4dabf18193072939515e22adb298388d";

async function program(raw: Raw, stack = "prod", live: Live = {}): Promise<Registration[]> {
  const { registrations } = await evaluate(
    stack,
    Object.fromEntries(
      Object.entries(raw).map(([name, value]) => [`transcript-pipeline:${name}`, JSON.stringify(value)]),
    ),
    ["transcript-pipeline:secrets"],
    live,
  );
  return registrations;
}

/** The resource of a name that is not a component. */
function named(registrations: readonly Registration[], name: string): Registration {
  const found = registrations.find((registration) => registration.custom && registration.name === name);
  assert.ok(found, `no resource ${name}`);
  return found;
}

/** Whether a text occurs in a value other than inside a secret. */
function inPlainSight(value: unknown, text: string): boolean {
  if (typeof value === "string") return value.includes(text);
  if (typeof value !== "object" || value === null) return false;
  if (SIGNATURE in value) return false;
  return Object.values(value).some((entry) => inPlainSight(entry, text));
}

describe("the program", () => {
  let prod: Registration[];
  before(async () => {
    prod = await program(deployable());
  });

  it("registers the guide's objects under the guide's names", () => {
    const names = prod.filter(({ type }) => type.startsWith("kubernetes:")).map(({ name }) => name);
    for (const name of [
      ...["transcript-pipeline", "postgres-secret", "postgres-config", "postgres-pv", "postgres-pvc"],
      ...["postgres", "postgres-init"],
    ]) {
      assert.ok(names.includes(name), name);
    }
  });

  it("protects volume, claim and password outside dev, and not in dev", async () => {
    const dev = await program(deployable(), "dev");
    for (const name of [
      "postgres-pv",
      "postgres-pvc",
      "postgres-credentials-owner",
      "postgres-credentials-superuser",
      "postgres-credentials-logins",
    ]) {
      assert.equal(named(prod, name).protect, true, name);
      assert.equal(named(dev, name).protect, false, name);
    }
    const statefulSets = prod.filter(({ type }) => type.endsWith(":StatefulSet"));
    assert.equal(statefulSets[0]?.protect, false);
  });

  it("runs the init Job after the server, in a first deployment too", async () => {
    for (const registrations of [prod, await program(deployable(), "prod", { isNewServer: true })]) {
      const statefulSet = registrations.find(({ type }) => type.endsWith(":StatefulSet"));
      assert.ok(statefulSet && named(registrations, "postgres-init").dependencies.includes(statefulSet.urn));
    }
  });

  describe("tries the image and the settings", () => {
    type Job = { spec: { template: { metadata: { annotations: Record<string, string> }; spec: Pod } } };
    type Pod = { containers: Container[]; initContainers?: Container[]; volumes: object[] };
    type Container = { name: string; image: string; env?: { name: string; value: string }[] };
    const objectNamed = (registrations: readonly Registration[], kind: string, name: string) =>
      registrations.find((other) => other.type.endsWith(`:${kind}`) && other.name === name);

    // The component of that name is registered before its Job.
    const trial = (registrations: readonly Registration[]) =>
      unwrapped(objectNamed(registrations, "Job", "postgres-settings")?.inputs) as Job;

    /** What waits for the trial, of the objects by which a server changes. */
    const waiting = (registrations: readonly Registration[]) => {
      const job = objectNamed(registrations, "Job", "postgres-settings");
      assert.ok(job);
      return [
        objectNamed(registrations, "ConfigMap", "postgres-config"),
        objectNamed(registrations, "StatefulSet", "postgres"),
      ].flatMap((resource) => (resource?.dependencies.includes(job.urn) ? [resource.name] : []));
    };

    it("before the server's configuration, and before the server", async () => {
      assert.deepEqual(waiting(prod), ["postgres-config", "postgres"]);
      const there = await program(deployable(), "prod", { isNewServer: false });
      assert.deepEqual(waiting(there), ["postgres-config", "postgres"]);
    });

    it("next to a server that is new, with the same objects", async () => {
      const registrations = await program(deployable(), "prod", { isNewServer: true });
      assert.deepEqual(waiting(registrations), []);
      const objects = (of: readonly Registration[]) =>
        of
          // A Secret's values are made up, each time others, and what is public of them.
          .filter(({ type }) => type.startsWith("kubernetes:") && !type.endsWith(":Secret"))
          .filter(({ type, name }) => !(type.endsWith(":ConfigMap") && name === "postgres-ca"))
          .map(({ type, name, inputs }) => ({ type, name, inputs: unwrapped(inputs) }))
          .sort((one, other) => `${one.type} ${one.name}`.localeCompare(`${other.type} ${other.name}`));
      assert.deepEqual(objects(registrations), objects(prod));
    });

    it("as the server will have them: the same files, image and address space", () => {
      const files = (name: string) =>
        (unwrapped(objectNamed(prod, "ConfigMap", name)?.inputs) as { data: unknown }).data;
      assert.deepEqual(files("postgres-settings-files"), files("postgres-config"));
      const { template } = (unwrapped(objectNamed(prod, "StatefulSet", "postgres")?.inputs) as Job).spec;
      const server = template.spec.containers.find(({ name }) => name === "postgres");
      const { containers, initContainers = [] } = trial(prod).spec.template.spec;
      for (const container of [...initContainers, ...containers])
        assert.equal(container.image, server?.image);
      const bound = server?.env?.find(({ name }) => name === "ADDRESS_SPACE");
      assert.deepEqual(containers[0]?.env, [bound]);
    });

    it("without the data, and without a Secret", () => {
      const { volumes } = trial(prod).spec.template.spec;
      assert.deepEqual([...new Set(volumes.flatMap((volume) => Object.keys(volume)))].sort(), [
        "configMap",
        "emptyDir",
        "name",
      ]);
    });

    it("again when anything in the Job changes, which is immutable, and otherwise not", async () => {
      const reason = (registrations: readonly Registration[]) =>
        trial(registrations).spec.template.metadata.annotations["transcript-pipeline/files"];
      assert.match(reason(prod) ?? "", /^[0-9a-f]{16}$/);
      assert.equal(reason(await program(deployable())), reason(prod));
      for (const [field, value] of [
        ["database.settings.work_mem", "8MB"],
        ["database.image", "pgvector/pgvector:0.8.7-pg16-bookworm"],
        ["database.limits.memory", "41Gi"],
        ["node.hostname", "gen9"],
        ["node.tolerations", [{ key: "gpu", operator: "Exists" }]],
        ["database.owner", "somebody_else"],
      ] as const) {
        assert.notEqual(reason(await program(changed(field, value))), reason(prod), field);
      }
    });
  });

  it("replaces what has a fixed name by deleting it first", () => {
    for (const { type, name, deleteBeforeReplace } of prod) {
      if (!type.startsWith("kubernetes:") || type.endsWith(":Namespace")) continue;
      assert.equal(deleteBeforeReplace, true, name);
    }
  });

  describe("with logins", () => {
    const logins = { worker: "readwrite", report_reader: "readonly", exporter: "monitoring" };
    let registrations: Registration[];
    const secret = (name: string) =>
      (unwrapped(named(registrations, name).inputs) as { stringData: Record<string, string> }).stringData;
    before(async () => {
      registrations = await program(changed("database.logins", logins));
    });

    it("creates no resource for their passwords, which a protected stack could not remove", () => {
      const random = (of: Registration[]) =>
        of.filter(({ type }) => type.includes("RandomPassword")).map(({ name }) => name);
      assert.deepEqual(random(registrations), random(prod));
    });

    it("has a Secret for each consumer, and one for the server with the same passwords", () => {
      const lines = Object.entries(logins).map(([login, kind]) => {
        const { POSTGRES_PASSWORD = "", ...rest } = secret(`postgres-login-${login.replace("_", "-")}`);
        assert.deepEqual(rest, { POSTGRES_USER: login, POSTGRES_DB: "transcripts_db" });
        assert.match(POSTGRES_PASSWORD, /^\w{40}$/);
        return `${kind} ${login} ${POSTGRES_PASSWORD}\n`;
      });
      assert.equal(new Set(lines.map((line) => line.split(" ")[2])).size, 3);
      assert.deepEqual(secret("postgres-logins"), { credentials: lines.join("") });
    });

    it("shows no password outside of secrets", () => {
      for (const line of (secret("postgres-logins").credentials ?? "").trim().split("\n")) {
        const [, , password = ""] = line.split(" ");
        assert.equal(password.length, 40);
        for (const { name, inputs } of registrations) assert.ok(!inPlainSight(inputs, password), name);
      }
    });

    it("changes nothing of the server's pod, whose one container reads a Secret that may be missing", () => {
      const spec = (of: Registration[]) =>
        of.find(({ type }) => type.endsWith(":StatefulSet"))?.inputs.spec as {
          template: {
            spec: {
              containers: { name: string; volumeMounts: { name: string; readOnly?: boolean }[] }[];
              volumes: { name: string; secret?: unknown }[];
            };
          };
        };
      assert.deepEqual(spec(registrations), spec(prod));
      const { containers, volumes } = spec(prod).template.spec;
      assert.deepEqual(volumes.find(({ name }) => name === "logins")?.secret, {
        secretName: "postgres-logins",
        defaultMode: 0o440,
        optional: true,
      });
      const mounting = containers.filter(({ volumeMounts }) =>
        volumeMounts.some(({ name, readOnly }) => name === "logins" && readOnly),
      );
      assert.deepEqual(
        mounting.map(({ name }) => name),
        ["reconcile"],
      );
    });
  });

  it("has the Secret of the logins even without logins, so that the last one can be removed", () => {
    const { inputs } = named(prod, "postgres-logins");
    assert.deepEqual((unwrapped(inputs) as { stringData: unknown }).stringData, { credentials: "" });
  });

  it("uses given secrets, and never in plain sight", async () => {
    const raw: Raw = {
      ...changed("node.connection", "ssh"),
      secrets: {
        databasePassword: "owner-password-0123",
        superuserPassword: "superuser-password-0123",
        sshPrivateKey: userKey(),
      },
    };
    Object.assign(raw.node ?? {}, { sshHost: "gen8", sshHostKey: ed25519HostKey() });
    const registrations = await program(raw);
    // Still there: they are protected, and giving a password must not mean deleting one.
    const generated = registrations.filter(({ type }) => type.includes("RandomPassword"));
    assert.equal(generated.filter(({ name }) => name.startsWith("postgres-credentials-")).length, 3);
    const sent = JSON.stringify(registrations);
    for (const secret of Object.values(raw.secrets ?? {}) as string[]) {
      assert.ok(sent.includes(JSON.stringify(secret).slice(1, -1)), "the secret is used");
      for (const { name, inputs } of registrations)
        assert.ok(!inPlainSight(inputs, secret), `${name} shows a secret`);
    }
  });

  it("gives every client the server's name in the cluster's domain", async () => {
    const other = await program(changed("cluster.domain", "k8s.example"));
    const jobs = manifestsOf(other).filter(({ manifest: { kind } }) => kind === "Job");
    const text = JSON.stringify(jobs);
    assert.match(text, /"name":"PGHOST","value":"postgres\.transcript-pipeline\.svc\.k8s\.example"/);
    assert.doesNotMatch(JSON.stringify(other), /cluster\.local/);
  });

  it("checks the host key of the node", async () => {
    const raw = changed("node.connection", "ssh");
    const sshHostKey = ed25519HostKey();
    Object.assign(raw.node ?? {}, { sshHost: "gen8", sshHostKey });
    const command = (await program(raw)).find(({ type }) => type === "command:remote:Command");
    assert.ok(JSON.stringify(command?.inputs.connection).includes(`"hostKey":"${sshHostKey}"`));
  });

  it("prepares the storage again when the volume's object is new", async () => {
    const command = (await program(changed("node.connection", "local"))).find(({ type }) =>
      type.endsWith(":Command"),
    );
    assert.deepEqual(command?.inputs.triggers, ["uid-of-postgres-pv"]);
  });

  describe("with a repository in a directory of the node", () => {
    let found: Registration[];
    before(async () => {
      const raw = changed("backup.repositories", {
        nas: { kind: "directory", path: "/mnt/nas", mount: "/mnt/nas", capacity: "2Ti" },
      });
      Object.assign(raw.node ?? {}, { connection: "local" });
      found = await program(raw);
    });

    it("has a volume that is kept, for its claim alone, and is never made where the share is not mounted", () => {
      const volume = named(found, "postgres-backup-nas-pv");
      const { spec, metadata } = volume.inputs as {
        spec: Record<string, unknown>;
        metadata: { annotations: Record<string, string> };
      };
      assert.deepEqual(spec.hostPath, { path: "/mnt/nas", type: "Directory" });
      assert.deepEqual(spec.capacity, { storage: "2Ti" });
      assert.equal(spec.persistentVolumeReclaimPolicy, "Retain");
      assert.equal((spec.claimRef as { name: string }).name, "postgres-backup-nas-pvc");
      assert.ok(JSON.stringify(spec.nodeAffinity).includes('"gen8"'));
      assert.equal(metadata.annotations["transcript-pipeline/identity"], "transcript-pipeline/prod");
      for (const name of ["postgres-backup-nas-pv", "postgres-backup-nas-pvc"])
        assert.equal(named(found, name).protect, true, name);
    });

    it("prepares it as the data's directory, with a marker of its own", () => {
      const command = named(found, "postgres-backup-nas-volume-directory");
      assert.deepEqual(command.inputs.triggers, ["uid-of-postgres-backup-nas-pv"]);
      const script = String(command.inputs.create);
      for (const line of ["path='/mnt/nas'", "mount='/mnt/nas'", "section='backup.repositories.nas'"])
        assert.ok(script.includes(`${line}\n`), line);
      assert.ok(script.includes("identity='transcript-pipeline/prod.backup-nas'\n"));
    });

    it("mounts it in every pod of the backups, and in no other", () => {
      const mounted = manifestsOf(found)
        .filter(({ manifest }) => JSON.stringify(manifest).includes('"claimName":"postgres-backup-nas-pvc"'))
        .map(({ manifest }) => `${manifest.kind} ${manifest.metadata.name}`);
      assert.deepEqual(mounted.sort(), [
        "CronJob postgres-backup-drill",
        "CronJob postgres-backup-dump",
        "CronJob postgres-backup-full",
        "CronJob postgres-backup-incremental",
        "Job postgres-backup-first",
        "StatefulSet postgres-backup",
      ]);
      for (const { manifest } of manifestsOf(found)) {
        const text = JSON.stringify(manifest);
        if (!text.includes("postgres-backup-nas-pvc") || manifest.kind.startsWith("Persistent")) continue;
        assert.ok(
          text.includes('"mountPath":"/repository/nas","mountPropagation":"HostToContainer"'),
          manifest.metadata.name,
        );
      }
    });
  });

  it("changes the server's pod for settings that need a restart, and for no others", async () => {
    const template = (registrations: Registration[]) => {
      const set = registrations.find(({ type }) => type.endsWith(":StatefulSet"));
      return JSON.stringify((set?.inputs.spec as { template: unknown }).template);
    };
    const reloaded = await program(changed("database.settings.work_mem", "8MB"));
    const restarted = await program(changed("database.settings.max_connections", 60));
    const rotated = await program({
      ...deployable(),
      secrets: { databasePassword: "another-password-0123" },
    });
    assert.equal(template(reloaded), template(prod));
    assert.equal(template(rotated), template(prod));
    assert.notEqual(template(restarted), template(prod));
  });

  it("runs the init Job again when one of its files changes", () => {
    const job = named(prod, "postgres-init");
    assert.match(JSON.stringify(job.inputs), /"transcript-pipeline\/files":"[0-9a-f]{16}"/);
  });
});
