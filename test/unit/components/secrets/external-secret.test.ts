import assert from "node:assert/strict";
import { templateOf } from "../../../../components/secrets/external-secret.ts";
import { wantedSecrets } from "../../../../cluster/secret-stores.ts";
import { readSettings } from "../../../../config.ts";
import type { Live } from "../../../../live.ts";
import { evaluate } from "../../../../tools/evaluation/evaluate.ts";
import type { Manifest } from "../../../../tools/evaluation/manifests.ts";
import { secretValues } from "../../../../tools/evaluation/generated.ts";
import { type Registration, unwrapped } from "../../../../tools/evaluation/recorder.ts";
import { objectionsTo } from "../../../external-secrets.ts";
import { deployable, type Raw } from "../../../settings.ts";
import { ed25519HostKey, userKey } from "../../../ssh-keys.ts";

/** An ExternalSecret, as far as these tests look at it. */
type ExternalSecret = Manifest & {
  spec: {
    target: { name: string; creationPolicy: string; deletionPolicy: string; template: Template };
    data: { secretKey: string; remoteRef: { key: string; property: string } }[];
  };
};
interface Template {
  type: string;
  metadata: { labels: Record<string, string> };
  data: Record<string, string>;
}

const repositories = {
  cloud: { kind: "s3", endpoint: "s3.example.com", bucket: "backups" },
  far: {
    kind: "sftp",
    endpoint: "backup.example.com",
    user: "backup",
    path: "/backup",
    hostKeys: ed25519HostKey(),
  },
};
const KEYS = {
  cloud: { accessKey: "AKIAEXAMPLE", secretKey: "of-the-store" },
  far: { privateKey: userKey() },
};

/** Everything that has a credential. */
function everything(): Raw {
  const raw = deployable();
  return {
    ...raw,
    database: { ...raw.database, logins: { app: "readwrite", mon_x: "monitoring" } },
    backup: { repositories },
  };
}
const STORED = { source: "external-secrets", store: "vault" };

async function registered(raw: Raw, live: Live = {}): Promise<Registration[]> {
  const config = Object.entries(raw).map(([name, value]) => [
    `transcript-pipeline:${name}`,
    JSON.stringify(value),
  ]);
  const { registrations } = await evaluate(
    "prod",
    Object.fromEntries(config) as Record<string, string>,
    ["transcript-pipeline:secrets"],
    live,
  );
  return registrations;
}
const manifests = (of: readonly Registration[], kind: string) =>
  of
    .filter(({ type }) => type.startsWith("kubernetes:") && type.endsWith(`:${kind}`))
    .map(({ inputs }) => unwrapped(inputs) as Manifest)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
const stored = async (secretStore: object = {}) =>
  manifests(
    await registered({ ...everything(), secretStore: { ...STORED, ...secretStore } }),
    "ExternalSecret",
  ) as ExternalSecret[];

describe("with an external store", () => {
  let plain: Manifest[];
  let objects: ExternalSecret[];
  before(async () => {
    const raw = { ...everything(), secrets: { repositories: KEYS } };
    plain = manifests(await registered(raw), "Secret").filter(
      ({ metadata }) => metadata.name !== "postgres-ca",
    );
    objects = await stored();
  });

  it("no Secret with a credential is registered, and no value of one is in any object", async () => {
    const all = await registered({ ...everything(), secretStore: STORED });
    assert.deepEqual(
      manifests(all, "Secret").map(({ metadata }) => metadata.name),
      ["postgres-ca"],
    );
  });

  it("each Secret of the stack has an object that makes it: of its name, with its keys, labels and type", () => {
    const of = (secret: Manifest) => secret.metadata as unknown as { name: string; labels: object };
    assert.deepEqual(
      objects.map(({ spec: { target } }) => ({
        name: target.name,
        labels: target.template.metadata.labels,
        type: target.template.type,
        keys: Object.keys(target.template.data),
      })),
      plain.map((secret) => ({
        name: of(secret).name,
        labels: of(secret).labels,
        type: secret.type,
        keys: Object.keys(secretValues(secret)),
      })),
    );
    for (const { metadata, spec } of objects) assert.equal(metadata.name, spec.target.name);
  });

  it("each makes the Secret of today, once the store has the values of today", () => {
    const value = (name: string, key: string) =>
      secretValues(plain.find(({ metadata }) => metadata.name === name) ?? ({} as Manifest))[key] ?? "";
    const store: Record<string, string> = {
      owner: value("postgres-secret", "POSTGRES_PASSWORD"),
      superuser: value("postgres-superuser", "POSTGRES_PASSWORD"),
      "login-app": value("postgres-login-app", "POSTGRES_PASSWORD"),
      "login-mon-x": value("postgres-login-mon-x", "POSTGRES_PASSWORD"),
      "backup-passphrase":
        /cipher-pass=(.*)/.exec(value("postgres-backup", "repo1-passphrase.conf"))?.[1] ?? "",
      "backup-cloud-access-key": KEYS.cloud.accessKey,
      "backup-cloud-secret-key": KEYS.cloud.secretKey,
      "backup-far-private-key": KEYS.far.privateKey,
    };
    for (const { spec } of objects) {
      const values = new Map(
        spec.data.map(({ secretKey, remoteRef: { key, property } }) => {
          assert.equal(property, "value");
          const leaf = key.replace("transcript-pipeline/prod/", "");
          assert.ok(store[leaf], `${key} is not a value of this stack`);
          return [secretKey, store[leaf]];
        }),
      );
      for (const [key, template] of Object.entries(spec.target.template.data)) {
        const made = template.replaceAll(
          /\{\{ (?:"(\{)"|\.(\w+)) \}\}/g,
          (_, brace?: string, name = "") => brace ?? values.get(name as string) ?? "missing",
        );
        assert.equal(made, value(spec.target.name, key), `${spec.target.name} ${key}`);
      }
    }
  });

  it("no object takes its Secret away: not when it is deleted, nor when the store has nothing", () => {
    for (const { spec } of objects)
      assert.deepEqual([spec.target.creationPolicy, spec.target.deletionPolicy], ["Orphan", "Retain"]);
  });

  it("each object names a value of the store, without which the operator would make no Secret", async () => {
    const raw = { ...deployable(), secretStore: STORED };
    const bare = manifests(await registered(raw), "ExternalSecret") as ExternalSecret[];
    assert.deepEqual(
      bare.map(({ metadata }) => metadata.name),
      ["postgres-logins", "postgres-secret", "postgres-superuser"],
    );
    for (const { spec, metadata } of bare) assert.equal(spec.data.length, 1, metadata.name);
  });

  it("each object is as the operator's own schema of v1 has it, for any store", async () => {
    for (const secretStore of [
      {},
      { storeKind: "ClusterSecretStore" },
      { separator: "-", refreshInterval: "1h" },
    ])
      for (const object of await stored(secretStore)) assert.deepEqual(objectionsTo(object), []);
    const [first] = objects;
    assert.ok(first);
    const spoiled = {
      ...first,
      spec: { ...first.spec, target: { ...first.spec.target, creationPolicy: "Never" } },
    };
    assert.match(objectionsTo(spoiled).join(), /creationPolicy/);
    assert.match(objectionsTo({ ...first, spec: { ...first.spec, stores: [] } }).join(), /stores/);
  });

  it("names have a form that Vault, AWS and Azure take", async () => {
    const names = async (secretStore: object) =>
      (await stored(secretStore)).flatMap(({ spec }) => spec.data.map(({ remoteRef }) => remoteRef.key));
    const forAny = await names({});
    assert.ok(forAny.includes("transcript-pipeline/prod/backup-cloud-access-key"), forAny.join());
    // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
    for (const name of forAny) assert.match(name, /^[A-Za-z0-9/_+=.@-]{1,512}$/);
    const forAzure = await names({ separator: "-" });
    assert.ok(forAzure.includes("transcript-pipeline-prod-login-mon-x"), forAzure.join());
    // https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates
    for (const name of forAzure) assert.match(name, /^[0-9A-Za-z-]{1,127}$/);
    const own = await names({ path: "team/db" });
    assert.ok(own.includes("team/db/owner"), own.join());
  });

  it("what passwords are generated from stays registered and protected, so that the way back leads to the same ones", async () => {
    const generated = (all: readonly Registration[]) =>
      all
        .filter(({ type }) => type.startsWith("random:"))
        .map(({ name, inputs, protect }) => ({ name, inputs, protect }));
    const before = await registered({ ...everything(), secrets: { repositories: KEYS } });
    assert.deepEqual(
      generated(await registered({ ...everything(), secretStore: STORED })),
      generated(before),
    );
  });

  it("lets go of each Secret that the engine may have, before the store takes it over", async () => {
    const all = await registered(
      { ...everything(), secretStore: STORED },
      { heldSecrets: ["postgres-secret", "postgres-ca"] },
    );
    const read = all.find(({ type, name }) => type.endsWith(":Secret") && name === "postgres-secret");
    const taken = all.find(
      ({ type, name }) => type.endsWith(":ExternalSecret") && name === "postgres-secret",
    );
    assert.equal(read, undefined, "it is registered, not read");
    assert.match(taken?.dependencies.join() ?? "", /core\/v1:Secret::postgres-secret/);
    const other = all.find(
      ({ type, name }) => type.endsWith(":ExternalSecret") && name === "postgres-superuser",
    );
    assert.doesNotMatch(other?.dependencies.join() ?? "", /core\/v1:Secret::/);
  });

  it("the cluster is asked about exactly these Secrets", () => {
    const { settings } = readSettings("prod", { ...everything(), secretStore: STORED });
    assert.deepEqual(
      wantedSecrets(settings).sort(),
      objects.map(({ metadata }) => metadata.name),
    );
  });
});

describe("a template of an external secret", () => {
  const leaf = { leaf: "backup-passphrase", value: undefined };

  it("repeats what is written, whatever it means in a template", () => {
    assert.equal(templateOf(["a"]), "a");
    assert.equal(templateOf(["{", leaf, "}"]), '{{ "{" }}{{ .backup_passphrase }}}');
    assert.equal(templateOf(["{{ .owner }}"]), '{{ "{" }}{{ "{" }} .owner }}');
    assert.equal(templateOf([]), "");
  });
});
