/** Ways to break the rules over secrets, and where they may stand. */
import { type Break, SET, JOB, CONF, POD, SERVER, remoteCommand } from "./break.ts";
import { add, type Change, edit, metadata, set, setAt } from "../stacks.ts";

/** The stack's Secrets, from a store instead. */
const stored = (): Change => (resources) => {
  for (const resource of resources) {
    if (resource.type !== "kubernetes:core/v1:Secret" || resource.name === "postgres-ca") continue;
    const type = "kubernetes:external-secrets.io/v1:ExternalSecret";
    const { metadata: of, stringData } = resource.inputs as {
      metadata: { labels: object };
      stringData: Record<string, unknown>;
    };
    Object.assign(resource, { type, urn: resource.urn.replace("kubernetes:core/v1:Secret", type) });
    resource.inputs = {
      apiVersion: "external-secrets.io/v1",
      kind: "ExternalSecret",
      metadata: of,
      spec: {
        refreshInterval: "1m",
        secretStoreRef: { name: "vault", kind: "SecretStore" },
        target: {
          name: resource.name,
          creationPolicy: "Orphan",
          deletionPolicy: "Retain",
          template: {
            engineVersion: "v2",
            type: "Opaque",
            metadata: { labels: of.labels },
            data: Object.fromEntries(Object.keys(stringData).map((key) => [key, "{{ .owner }}"])),
          },
        },
        data: [
          { secretKey: "owner", remoteRef: { key: "transcript-pipeline/prod/owner", property: "value" } },
        ],
      },
    };
  }
};

/** Without its ExternalSecrets. */
const unstored = (): Change => (resources) => {
  for (let at = resources.length - 1; at >= 0; at--)
    if (resources[at]?.type.endsWith(":ExternalSecret")) resources.splice(at, 1);
};

const DECLARED = { "secret-store": { store: "SecretStore/vault" } };

export const secretsBreaks: Readonly<Record<string, readonly Break[]>> = {
  "secrets-only-in-secrets": [
    {
      by: "an environment variable",
      change: set(SET, `${SERVER}/env/3`, { name: "POSTGRES_PASSWORD", value: "hunter2" }),
      message: /gives POSTGRES_PASSWORD its value in plain text/,
    },
    {
      by: "a ConfigMap",
      change: set(CONF, "data/API_TOKEN", "abc"),
      message: /data\["API_TOKEN"\] is named like a secret/,
    },
    {
      by: "a URL",
      change: set(JOB, `${POD}/containers/0/env/3`, {
        name: "DATABASE_URL",
        value: "postgres://u:hunter2@h/db",
      }),
      message: /holds a URL with a password/,
    },
    {
      by: "an option's next word",
      change: set(JOB, `${POD}/containers/0/args`, ["--user", "app", "--password", "hunter2"]),
      message: /containers\[0\]\.args gives --password its value in plain text/,
    },
    {
      by: "an option",
      change: set(JOB, `${POD}/containers/0/args`, ["--api-key=hunter2"]),
      message: /gives --api-key its value in plain text/,
    },
    {
      by: "a command line",
      change: set(JOB, `${POD}/containers/0/command`, ["sh", "-c", "PGPASSWORD=hunter2 psql"]),
      message: /an assignment of a secret/,
    },
    {
      by: "an annotation",
      change: set(SET, "metadata/annotations/dsn", "host=h password=hunter2"),
      message: /a connection string/,
    },
    {
      by: "a private key",
      change: set(CONF, "data/key.pem", "-----BEGIN RSA PRIVATE KEY-----\nx"),
      message: /a private key/,
    },
    {
      by: "SQL",
      change: set("ConfigMap/postgres-init-bootstrap", "data/05.sql", "ALTER ROLE x PASSWORD 'hunter2';"),
      message: /a password in SQL/,
    },
    {
      by: "a Patch",
      change: add("kubernetes:core/v1:ConfigMapPatch", { metadata: metadata("p"), data: { password: "x" } }),
      message: /ConfigMap\/p/,
    },
  ],
  "secret-inputs": [
    {
      by: "a Secret kept in plain text",
      change: edit("Secret/postgres-secret", (resource) => {
        resource.secretOutputs = [];
      }),
      message: /stringData is not kept encrypted/,
    },
    {
      by: "a SecretList",
      change: add("kubernetes:core/v1:SecretList", {
        items: [{ metadata: metadata("s"), stringData: { a: "b" } }],
      }),
      message: /SecretList/,
    },
    {
      by: "a placeholder",
      change: set("Secret/postgres-secret", "stringData/POSTGRES_PASSWORD", "CHANGE_ME_BEFORE_DEPLOY"),
      message: /is a placeholder/,
    },
    {
      by: "a short one",
      change: set("Secret/postgres-superuser", "stringData/POSTGRES_PASSWORD", "hunter2"),
      message: /only 7 characters long/,
    },
    {
      by: "an encoded one",
      change: add("kubernetes:core/v1:Secret", {
        metadata: metadata("s"),
        data: { password: Buffer.from("hunter2").toString("base64") },
      }),
      message: /data.password is only 7 characters long/,
    },
    {
      by: "a random string",
      change: add("random:index/randomString:RandomString", { length: 40 }, { name: "db-password" }),
      message: /its result is not a secret/,
    },
  ],
  "secret-in-plain-sight": [
    {
      by: "a copy in a ConfigMap",
      alsoFirst: [set("Secret/postgres-secret", "stringData/POSTGRES_PASSWORD", "copied-password-0123")],
      change: edit(CONF, ({ inputs }) => setAt(inputs, "data/x", "see copied-password-0123")),
      message: /data.x holds the value of Secret\/postgres-secret POSTGRES_PASSWORD/,
    },
  ],
  "secret-store": [
    {
      by: "values from a store that nobody declared",
      change: stored(),
      message:
        /ExternalSecret\/postgres-secret[^]*come from SecretStore\/vault, and no store is declared[^]*"store": "SecretStore\/vault"/,
    },
    {
      by: "another store",
      config: DECLARED,
      alsoFirst: [stored()],
      change: set("ExternalSecret/postgres-superuser", "spec/secretStoreRef", {
        kind: "ClusterSecretStore",
        name: "other",
      }),
      message: /come from ClusterSecretStore\/other, and the declared store is SecretStore\/vault/,
    },
    {
      by: "a store of another kind",
      config: DECLARED,
      alsoFirst: [stored()],
      change: set("ExternalSecret/postgres-superuser", "spec/secretStoreRef/kind", "ClusterSecretStore"),
      message: /come from ClusterSecretStore\/vault/,
    },
    {
      by: "no store any more",
      config: DECLARED,
      alsoFirst: [stored()],
      change: unstored(),
      message: /no Secret comes from the declared store SecretStore\/vault/,
    },
    {
      by: "a Secret of the stack next to the store",
      config: DECLARED,
      alsoFirst: [stored()],
      change: add("kubernetes:core/v1:Secret", {
        metadata: { ...metadata("postgres-login-app"), namespace: "transcript-pipeline" },
        stringData: { POSTGRES_PASSWORD: "a-password-of-the-stack-0123" },
      }),
      message: /Secret\/postgres-login-app[^]*next to a secret store/,
    },
    ...["Owner", "Merge", "None", undefined].map((policy) => ({
      by: `a Secret made as ${policy ?? "the default is"}`,
      config: DECLARED,
      alsoFirst: [stored()],
      change: set("ExternalSecret/postgres-secret", "spec/target/creationPolicy", policy),
      message: /creationPolicy is[^]*creationPolicy: Orphan/,
    })),
    ...["Delete", "Merge", undefined].map((policy) => ({
      by: `a Secret kept as ${policy ?? "the default is"}`,
      config: DECLARED,
      alsoFirst: [stored()],
      change: set("ExternalSecret/postgres-secret", "spec/target/deletionPolicy", policy),
      message: /deletionPolicy is[^]*deletionPolicy: Retain/,
    })),
    {
      by: "an object that makes another Secret",
      config: DECLARED,
      alsoFirst: [stored()],
      change: set("ExternalSecret/postgres-secret", "spec/target/name", "postgres-superuser"),
      message: /it makes another Secret than its own/,
    },
  ],
  "ssh-host-key": [
    {
      by: "no host key",
      change: remoteCommand({ host: "gen8", user: "root" }),
      message: /connection.hostKey is missing[^]*ssh-keyscan/,
    },
    {
      by: "a malformed host key",
      change: remoteCommand({ host: "gen8", hostKey: "" }),
      message: /hostKey is ""/,
    },
    {
      by: "a proxy without one",
      change: remoteCommand({ host: "gen8", hostKey: "ssh-ed25519 AAAA", proxy: { host: "p" } }),
      message: /connection.proxy.hostKey is missing/,
    },
    {
      by: "a copy without one",
      change: add("command:remote:CopyToRemote", { connection: { host: "h" } }, { name: "copy" }),
      message: /CopyToRemote\/copy/,
    },
    {
      by: "ssh that accepts any host",
      change: add("command:local:Command", { create: "ssh -o StrictHostKeyChecking=no h" }, { name: "l" }),
      message: /accept any host/,
    },
  ],
  "password-strength": [
    {
      by: "a short one",
      change: set("RandomPassword/postgres-credentials-owner", "length", 16),
      message: /length is 16[^]*32 or more/,
    },
    {
      by: "digits alone",
      change: edit("RandomPassword/postgres-credentials-owner", ({ inputs }) => {
        Object.assign(inputs, { length: 33, lower: false, upper: false });
      }),
      message: /33 characters out of 10 hold 109 bits/,
    },
  ],
};
