/** Ways to break the rules over who reaches the database. */
import { type Break, SET, CONF, POD, SERVER, conf, service } from "./break.ts";
import { add, drop, metadata, set } from "../stacks.ts";

export const accessBreaks: Readonly<Record<string, readonly Break[]>> = {
  "not-exposed": [
    ...["NodePort", "LoadBalancer", "ExternalName"].map((type) => ({
      by: type,
      change: set("Service/postgres", "spec/type", type),
      message: new RegExp(`spec.type is "${type}"[^]*port-forward`),
    })),
    {
      by: "an external IP",
      change: set("Service/postgres", "spec/externalIPs", ["1.2.3.4"]),
      message: /externalIPs/,
    },
    {
      by: "a declared Service on the database",
      config: { "not-exposed": { exposed: ["Service/added"] } },
      change: service({ type: "LoadBalancer", ports: [{ port: 80, targetPort: 5432 }] }),
      message: /Service\/added[^]*port-forward/,
    },
    {
      by: "an undeclared Service",
      change: service({ type: "NodePort", ports: [{ port: 80 }] }),
      message: /or Service\/added in not-exposed.exposed/,
    },
    { by: "hostNetwork", change: set(SET, `${POD}/hostNetwork`, true), message: /the node's network/ },
    {
      by: "a hostPort",
      change: set(SET, `${SERVER}/ports/0/hostPort`, 5432),
      message: /container postgres has hostPort 5432/,
    },
    ...(
      [
        ["networking.k8s.io/v1", "Ingress"],
        ["traefik.io/v1alpha1", "IngressRouteTCP"],
        ["gateway.networking.k8s.io/v1alpha2", "TCPRoute"],
      ] as const
    ).map(([group, kind]) => ({
      by: kind,
      change: add(`kubernetes:${group}:${kind}`, {
        metadata: metadata("way-in"),
        spec: { rules: [{ backendRefs: [{ name: "postgres", port: 5432 }] }] },
      }),
      message: new RegExp(`it is a ${kind}, which opens a way in`),
    })),
  ],
  "encrypted-connections": [
    {
      by: "no ssl",
      change: conf("postgresql.conf", (text) => text.replace(/^ssl = .*\n/m, "")),
      message: /does not set ssl[^]*tls\.source generated/,
    },
    {
      by: "ssl off",
      change: conf("postgresql.conf", (text) => text.replace(/^ssl = .*$/m, "ssl = off")),
      message: /sets ssl to off/,
    },
    {
      by: "ssl off, later in the file",
      change: conf("postgresql.conf", (text) => `${text}ssl = no\n`),
      message: /sets ssl to no/,
    },
    ...["host", "hostnossl", "hostnogssenc", "hostgssenc"].map((type) => ({
      by: `a line of type ${type}`,
      change: conf("pg_hba.conf", (text) => text.replace(/^hostssl( +all +all +all)/m, `${type}$1`)),
      message: /log in without TLS[^]*"hostssl all all all scram-sha-256"[^]*plainConnections refused/,
    })),
    ...["10.42.0.0/16", "10.0.0.1 255.255.255.255", "samehost", "client.example.com"].map((address) => ({
      by: `plain logins from ${address}`,
      change: conf("pg_hba.conf", (text) => `host all app ${address} scram-sha-256\n${text}`),
      message: /log in without TLS/,
    })),
    {
      by: "a refusal of plain logins that comes too late, or for one user",
      change: conf(
        "pg_hba.conf",
        (text) =>
          `hostnossl all other all reject\nhost all app 10.0.0.0/8 scram-sha-256\nhostnossl all all all reject\n${text}`,
      ),
      message: /"host all app 10\.0\.0\.0\/8 scram-sha-256", by which clients log in without TLS/,
    },
  ],
  "client-authentication": [
    {
      by: "trust",
      change: conf("pg_hba.conf", (text) => `host all all 10.0.0.0/8 trust\n${text}`),
      message: /whose method is trust[^]*scram-sha-256/,
    },
    {
      by: "trust with a mask",
      change: conf("pg_hba.conf", (text) => `host all all 10.0.0.0 255.0.0.0 trust\n${text}`),
      message: /trust/,
    },
    {
      by: "trust on the socket",
      change: conf("pg_hba.conf", (text) => text.replace("peer map=server_pod", "trust")),
      message: /the method peer/,
    },
    {
      by: "md5",
      change: conf("pg_hba.conf", (text) => text.replaceAll("scram-sha-256", "md5")),
      message: /whose method is md5/,
    },
    ...(
      [
        ["include /tmp/hba", /takes clients from a file that no rule sees[^]*"client-authentication"/],
        ["include_if_exists /tmp/hba", /from a file that no rule sees/],
        ["host all @/tmp/users all scram-sha-256", /from a file that no rule sees/],
        ["host all /^.*$ all scram-sha-256", /matches any number of names/],
        ["host all +everybody all scram-sha-256", /matches any number of names/],
        ["host all all samehost trust", /whose method is trust/],
        ["host all all all ldap ldapserver=203.0.113.1", /whose method is ldap/],
        ["local all all peer map=other", /whose option map=other is not declared/],
        ["host all all all \\\n trust", /whose method is trust/],
        ['host "all" all all trust', /whose method is trust/],
        ["guest all all all scram-sha-256", /which cannot be read/],
      ] as const
    ).map(([line, message]) => ({
      by: `the line ${line}`,
      change: conf("pg_hba.conf", (text) => `${text}${line}\n`),
      message,
    })),
    {
      by: "weak verifiers",
      change: conf("postgresql.conf", (text) =>
        text.replace("password_encryption = 'scram-sha-256'", "password_encryption = md5"),
      ),
      message: /password_encryption to md5/,
    },
  ],
  "superuser-inside": [
    ...(
      [
        ["no line that rejects it", ""],
        ["one that rejects it from one network", "host all postgres 10.0.0.0/8 reject\n"],
        ["one that rejects it from one database", "host transcripts_db postgres all reject\n"],
        ["one that rejects somebody else", "host all postgre5 all reject\n"],
        ["one that rejects it over plain connections alone", "hostnossl all postgres all reject\n"],
      ] as const
    ).map(([by, line]) => ({
      by,
      change: conf("pg_hba.conf", (text) => text.replace(/^host +all +postgres .*\n/m, line)),
      message:
        /the line "hostssl all all all scram-sha-256", which lets the superuser postgres in over the network: no line[^]*Instead: the line "host all postgres all reject" before it/,
    })),
    {
      by: "the line that rejects it in the second place",
      change: conf("pg_hba.conf", (text) =>
        text.replace(/^(host +all +postgres .*\n)(hostssl .*\n)/m, "$2$1"),
      ),
      message: /"hostssl all all all scram-sha-256", which lets the superuser postgres in/,
    },
    ...[
      "host all postgres all scram-sha-256",
      'host all "postgres" all scram-sha-256',
      "host all postgres 0.0.0.0/0 gss",
      "hostssl all postgres all cert",
      "host all postgres samenet scram-sha-256",
      "host sameuser all .example.com scram-sha-256",
      "host all +admins all scram-sha-256",
      "host all /^p.*s$ all scram-sha-256",
      "host all postgres 127.0.0.1/0 scram-sha-256",
    ].map((line) => ({
      by: `the line ${line} before it`,
      change: conf("pg_hba.conf", (text) => `${line}\n${text}`),
      message: /which lets the superuser postgres in over the network: no line/,
    })),
    {
      by: "replication, which `all` does not reject",
      change: conf("pg_hba.conf", (text) => `${text}host replication all all scram-sha-256\n`),
      message:
        /over the network, for a copy of everything[^]*"host replication postgres all reject" before it/,
    },
    {
      by: "lines of another file",
      config: { "client-authentication": { declared: ["include more"] } },
      change: conf("pg_hba.conf", (text) => `include more\n${text}`),
      message: /which can let the superuser postgres in over the network, where no rule sees it/,
    },
  ],
  "own-namespace": [
    { by: "none", change: drop(SET, "metadata/namespace"), message: /which means `default`/ },
    {
      by: "default",
      change: set("Service/postgres", "metadata/namespace", "default"),
      message: /is "default"/,
    },
    { by: "kube-system", change: set(CONF, "metadata/namespace", "kube-system"), message: /kube-system/ },
    { by: "an empty one", change: set("Secret/postgres-secret", "metadata/namespace", ""), message: /is ""/ },
  ],
  "namespace-labels": [
    ...["enforce", "warn", "audit", "enforce-version"].map((name) => ({
      by: `no ${name}`,
      change: drop("Namespace/transcript-pipeline", `metadata/labels/pod-security.kubernetes.io~1${name}`),
      message: new RegExp(`pod-security.kubernetes.io/${name} is missing`),
    })),
    {
      by: "baseline",
      change: set(
        "Namespace/transcript-pipeline",
        "metadata/labels/pod-security.kubernetes.io~1enforce",
        "baseline",
      ),
      message: /is "baseline"/,
    },
    {
      by: "an old version of the standard",
      change: set(
        "Namespace/transcript-pipeline",
        "metadata/labels/pod-security.kubernetes.io~1enforce-version",
        "v1.0",
      ),
      message: /is "v1.0"/,
    },
    {
      by: "a mesh that puts containers into pods",
      change: set("Namespace/transcript-pipeline", "metadata/labels/istio-injection", "enabled"),
      message: /makes something else put containers into its pods/,
    },
    {
      by: "a NamespacePatch",
      change: add("kubernetes:core/v1:NamespacePatch", {
        metadata: { name: "n", labels: { "pod-security.kubernetes.io/enforce": "privileged" } },
      }),
      message: /privileged/,
    },
  ],
};
