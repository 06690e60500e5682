import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { serverNames } from "../../../../components/tls/tls.ts";
import type { Live } from "../../../../live.ts";
import { evaluate } from "../../../../tools/evaluation/evaluate.ts";
import { type Registration, unwrapped } from "../../../../tools/evaluation/recorder.ts";
import { deployable, type Raw } from "../../../settings.ts";

interface Mount {
  name: string;
  mountPath: string;
}
interface PodSpec {
  containers: { name: string; env?: { name: string; value: string }[]; volumeMounts: Mount[] }[];
  initContainers?: PodSpec["containers"];
  volumes: { name: string; secret?: { secretName: string; items?: unknown }; configMap?: { name: string } }[];
}

async function program(tls: Raw[string], live: Live = {}): Promise<Registration[]> {
  const raw: Raw = { ...deployable(), tls };
  const config = Object.entries(raw).map(
    ([name, value]) => [`transcript-pipeline:${name}`, JSON.stringify(value)] as const,
  );
  return (await evaluate("prod", Object.fromEntries(config), [], live)).registrations;
}

function of(registrations: readonly Registration[], kind: string, name: string): Record<string, unknown> {
  const found = registrations.find(
    (registration) => registration.type.endsWith(`:${kind}`) && registration.name === name,
  );
  assert.ok(found, `no ${kind} ${name}`);
  return unwrapped(found.inputs) as Record<string, unknown>;
}
const dataOf = (registrations: readonly Registration[], kind: string, name: string) =>
  (of(registrations, kind, name).data ?? of(registrations, kind, name).stringData) as Record<string, string>;
const podOf = (registrations: readonly Registration[], kind: string, name: string) =>
  (of(registrations, kind, name).spec as { template: { spec: PodSpec } }).template.spec;

/** Containers that mount a Secret or a ConfigMap, whole or in parts. */
function mounting(registrations: readonly Registration[], source: string): string[] {
  return registrations.flatMap(({ name, inputs }) => {
    const spec = (unwrapped(inputs) as { spec?: { template?: { spec: PodSpec } } }).spec?.template?.spec;
    const volumes = (spec?.volumes ?? []).filter(
      ({ secret, configMap }) => (secret?.secretName ?? configMap?.name) === source,
    );
    return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]
      .filter(({ volumeMounts }) =>
        volumeMounts.some((mount) => volumes.some((volume) => volume.name === mount.name)),
      )
      .map((container) => `${name} ${container.name}`);
  });
}

/** Settings of the server, by name. */
const settingsOf = (registrations: readonly Registration[]) =>
  dataOf(registrations, "ConfigMap", "postgres-config")["postgresql.conf"] ?? "";
const accessOf = (registrations: readonly Registration[]) =>
  (dataOf(registrations, "ConfigMap", "postgres-config")["pg_hba.conf"] ?? "").replace(/ +/g, " ");

describe("TLS", () => {
  it("is on by default, speaks 1.3, and lets nobody in over the network without it", async () => {
    const stack = await program({});
    assert.match(settingsOf(stack), /^ssl = 'on'$/m);
    assert.match(settingsOf(stack), /^ssl_min_protocol_version = 'TLSv1\.3'$/m);
    assert.match(accessOf(stack), /^hostssl all all all scram-sha-256$/m);
    assert.doesNotMatch(accessOf(stack), /^host all all all scram/m);
    assert.match(accessOf(stack), /^host all all 127\.0\.0\.1\/32 scram-sha-256$/m);
  });

  it("shows the authority's key to one container, which has no data, no socket and no password", async () => {
    const stack = await program({});
    assert.deepEqual(mounting(stack, "postgres-ca"), [
      "postgres postgres",
      "postgres certificate",
      "postgres-init migrate",
    ]);
    const pod = podOf(stack, "StatefulSet", "postgres");
    const keys = pod.volumes
      .filter(({ secret }) => secret?.secretName === "postgres-ca")
      .map(({ name }) => name);
    const withKeys = pod.containers.filter(({ volumeMounts }) =>
      volumeMounts.some(({ name }) => keys.includes(name)),
    );
    assert.deepEqual(
      withKeys.map(({ name }) => name),
      ["certificate"],
    );
    assert.deepEqual(withKeys[0]?.volumeMounts.map(({ mountPath }) => mountPath).sort(), [
      "/etc/tls",
      "/etc/tls-trust",
      "/run/tls",
      "/tmp",
      "/usr/local/lib/transcript-pipeline",
    ]);
  });

  it("gives clients the authority, and nothing of its key", async () => {
    const stack = await program({});
    const trusted = dataOf(stack, "ConfigMap", "postgres-ca");
    assert.deepEqual(Object.keys(trusted), ["ca.crt"]);
    assert.doesNotMatch(trusted["ca.crt"] ?? "", /PRIVATE/);
    assert.ok(new X509Certificate(trusted["ca.crt"] ?? "").ca);
    assert.equal(trusted["ca.crt"], dataOf(stack, "Secret", "postgres-ca")["tls.crt"]);
    const secret = stack.find(({ type, name }) => type.endsWith(":Secret") && name === "postgres-ca");
    assert.ok(
      !JSON.stringify(secret?.inputs)
        .replace(/\{"4dabf[^}]*\}/g, "")
        .includes("PRIVATE KEY"),
      "marked as a secret",
    );
  });

  it("has the init Job verify the server by certificate and name", async () => {
    const migrate = podOf(await program({}), "Job", "postgres-init").containers[0];
    const env = Object.fromEntries((migrate?.env ?? []).map(({ name, value }) => [name, value]));
    assert.equal(env.PGSSLMODE, "verify-full");
    assert.equal(env.PGSSLROOTCERT, "/etc/postgres-ca/ca.crt");
  });

  it("knows every name by which the server is reached in the cluster, and those of the configuration", () => {
    const names = serverNames("db", "corp.internal", ["db.example.com", "203.0.113.7"]);
    for (const name of [
      ...["postgres", "postgres.db", "postgres.db.svc", "postgres.db.svc.corp.internal"],
      ...["postgres-0.postgres-headless.db.svc.corp.internal", "localhost", "127.0.0.1"],
      ...["db.example.com", "203.0.113.7"],
    ])
      assert.ok(names.includes(name), name);
    assert.equal(names[0], "postgres.db.svc.corp.internal");
    assert.equal(new Set(names).size, names.length);
  });

  it("signs with the first of several authorities, and has clients trust all of them", async () => {
    const stack = await program({ authorities: ["2027", "1"] });
    const bundle = dataOf(stack, "ConfigMap", "postgres-ca")["ca.crt"] ?? "";
    const signing = dataOf(stack, "Secret", "postgres-ca")["tls.crt"] ?? "";
    assert.equal(bundle.split("BEGIN CERTIFICATE").length - 1, 2);
    assert.ok(bundle.startsWith(signing));
    assert.match(new X509Certificate(signing).subject, /database CA 2027$/);
    const protections = stack.flatMap(({ name, protect }) =>
      name.startsWith("postgres-tls-authority-")
        ? [[name.replace("postgres-tls-authority-", ""), protect]]
        : [],
    );
    // One that no longer signs can be removed.
    assert.deepEqual(protections, [
      ["2027", true],
      ["1", false],
    ]);
  });

  it("takes an existing Secret's certificate, and gives clients that one key of it which is public", async () => {
    const stack = await program({ source: "existing", secretName: "corporate-tls" });
    assert.ok(!stack.some(({ name }) => name === "postgres-ca"));
    const { volumes } = podOf(stack, "Job", "postgres-init");
    const trust = volumes.find(({ secret }) => secret?.secretName === "corporate-tls");
    assert.deepEqual(trust?.secret?.items, [{ key: "ca.crt", path: "ca.crt" }]);
  });

  it("asks cert-manager for a certificate that libpq can use, with every name", async () => {
    const stack = await program({ source: "cert-manager", issuer: "corporate", issuerKind: "ClusterIssuer" });
    const { spec } = of(stack, "Certificate", "postgres-tls") as {
      spec: {
        dnsNames: string[];
        ipAddresses: string[];
        privateKey: object;
        issuerRef: object;
        secretName: string;
      };
    };
    assert.ok(spec.dnsNames.includes("postgres.transcript-pipeline.svc.cluster.local"));
    assert.deepEqual(spec.ipAddresses, ["127.0.0.1", "::1"]);
    assert.deepEqual(spec.issuerRef, { group: "cert-manager.io", name: "corporate", kind: "ClusterIssuer" });
    assert.deepEqual(spec.privateKey, {
      algorithm: "ECDSA",
      size: 256,
      encoding: "PKCS8",
      rotationPolicy: "Always",
    });
    assert.deepEqual(mounting(stack, "postgres-tls").sort(), [
      ...["postgres certificate", "postgres postgres", "postgres-init migrate"],
    ]);
  });

  it("has clients connect by a public name when they use the roots of their systems", async () => {
    const stack = await program({ source: "existing", trust: "system", names: ["db.example.com"] });
    const migrate = podOf(stack, "Job", "postgres-init").containers[0];
    const env = Object.fromEntries((migrate?.env ?? []).map(({ name, value }) => [name, value]));
    assert.equal(env.PGHOST, "db.example.com");
    assert.equal(env.PGSSLROOTCERT, "system");
  });

  it("keeps what the authority is computed from, whoever signs, so that it is never deleted by a change of the source", async () => {
    for (const tls of [
      { source: "none" },
      { source: "existing" },
      { source: "cert-manager", issuer: "corporate" },
    ]) {
      const kept = (await program(tls)).find(({ name }) => name === "postgres-tls-authority-1");
      assert.equal(kept?.protect, true, tls.source);
    }
  });

  it("switched off, leaves nothing else of itself behind", async () => {
    const stack = await program({ source: "none" });
    const left = stack.flatMap(({ name, custom }) => (custom && /tls|postgres-ca/i.test(name) ? [name] : []));
    assert.deepEqual(left, ["postgres-tls-authority-1"]);
    assert.doesNotMatch(settingsOf(stack), /ssl/);
    assert.match(accessOf(stack), /^host all all all scram-sha-256$/m);
  });

  describe("in a stack that accepts plain connections today", () => {
    const plain = /^host all all all scram-sha-256$/m;
    it("goes on accepting them until that is set", async () => {
      assert.match(accessOf(await program({}, { acceptsPlain: true })), plain);
      assert.match(settingsOf(await program({}, { acceptsPlain: true })), /^ssl = 'on'$/m);
      assert.doesNotMatch(
        accessOf(await program({ plainConnections: "refused" }, { acceptsPlain: true })),
        plain,
      );
    });
    it("does not begin to accept them again once it refused them", async () => {
      assert.doesNotMatch(accessOf(await program({}, { acceptsPlain: false })), plain);
    });
    it("accepts them knowingly, if that is set", async () => {
      assert.match(accessOf(await program({ plainConnections: "accepted" })), plain);
    });
  });
});
