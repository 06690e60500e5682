import assert from "node:assert/strict";
import { evaluate, type Registration, unwrapped } from "../../tools/evaluate.ts";
import { changed, deployable, type Raw } from "../settings.ts";

const SIGNATURE = "4dabf18193072939515e22adb298388d";

function program(raw: Raw, stack = "prod"): Promise<Registration[]> {
  return evaluate(
    stack,
    Object.fromEntries(
      Object.entries(raw).map(([name, value]) => [`transcript-pipeline:${name}`, JSON.stringify(value)]),
    ),
  );
}

function named(registrations: readonly Registration[], name: string): Registration {
  const found = registrations.find((registration) => registration.name === name);
  assert.ok(found, `no resource ${name}`);
  return found;
}

/** Whether a text stands in a value other than inside a secret. */
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

  it("keeps its type tokens and parents, which are in people's state files", () => {
    const job = named(prod, "postgres-init");
    assert.deepEqual(job.options.parents, ["postgres-init"]);
    assert.deepEqual(named(prod, "postgres-pv").options.parents, ["postgres-volume", "postgres"]);
    assert.deepEqual(named(prod, "postgres-credentials-owner").options.parents, [
      "postgres-credentials",
      "postgres",
    ]);
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
      assert.equal(named(prod, name).options.protect, true, name);
      assert.equal(named(dev, name).options.protect, false, name);
    }
    const statefulSets = prod.filter(({ type }) => type.endsWith(":StatefulSet"));
    assert.equal(statefulSets[0]?.options.protect, false);
  });

  it("runs the init Job after the server", () => {
    assert.deepEqual(named(prod, "postgres-init").options.dependsOn, ["postgres-server"]);
  });

  it("replaces what has a fixed name by deleting it first", () => {
    for (const { type, name, options } of prod) {
      if (!type.startsWith("kubernetes:") || type.endsWith(":Namespace")) continue;
      assert.equal(options.deleteBeforeReplace, true, name);
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

    it("makes no resource for a password of theirs, which a protected stack could not take away again", () => {
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

  it("has the Secret of the logins without any, so that the last one can be taken away", () => {
    const { inputs } = named(prod, "postgres-logins");
    assert.deepEqual((unwrapped(inputs) as { stringData: unknown }).stringData, { credentials: "" });
  });

  it("uses given secrets, and never in plain sight", async () => {
    const raw: Raw = {
      ...changed("node.connection", "ssh"),
      secrets: {
        databasePassword: "owner-password-0123",
        superuserPassword: "superuser-password-0123",
        sshPrivateKey: "-----BEGIN OPENSSH PRIVATE KEY-----",
      },
    };
    Object.assign(raw.node ?? {}, { sshHost: "gen8", sshHostKey: "ssh-ed25519 AAAA" });
    const registrations = await program(raw);
    // Still there: they are protected, and giving a password must not mean deleting one.
    assert.equal(registrations.filter(({ type }) => type.includes("RandomPassword")).length, 3);
    const sent = JSON.stringify(registrations);
    for (const secret of Object.values(raw.secrets ?? {}) as string[]) {
      assert.ok(sent.includes(secret), "the secret is used");
      for (const { name, inputs } of registrations)
        assert.ok(!inPlainSight(inputs, secret), `${name} shows a secret`);
    }
  });

  it("checks the host key of the node", async () => {
    const raw = changed("node.connection", "ssh");
    Object.assign(raw.node ?? {}, { sshHost: "gen8", sshHostKey: "ssh-ed25519 AAAA" });
    const command = (await program(raw)).find(({ type }) => type === "command:remote:Command");
    assert.match(JSON.stringify(command?.inputs.connection), /"hostKey":"ssh-ed25519 AAAA"/);
  });

  it("prepares the storage again when the volume's object is a new one", async () => {
    const command = (await program(changed("node.connection", "local"))).find(({ type }) =>
      type.endsWith(":Command"),
    );
    assert.deepEqual(command?.inputs.triggers, ["uid-of-postgres-pv"]);
  });

  it("changes the server's pod for settings that take a restart, and for no others", async () => {
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
