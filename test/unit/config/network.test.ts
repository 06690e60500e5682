import assert from "node:assert/strict";
import { ConfigurationError, readSettings } from "../../../config.ts";
import { networkWarnings, OWN_NAMESPACE, repositoryDestinations } from "../../../config/network.ts";
import { pathOf } from "../../../config/reader.ts";
import { APPLICATION } from "../../../components/kubernetes/labels.ts";
import { deployable, type Raw } from "../../settings.ts";
import { ed25519HostKey, userKey } from "../../ssh-keys.ts";

const KEYS = { accessKey: "AKIAEXAMPLE", secretKey: "very-secret-key-of-the-store" };
const store = (fields: object): Raw => ({
  backup: {
    repositories: { cloud: { kind: "s3", endpoint: "s3.example.com", bucket: "backups", ...fields } },
  },
  secrets: { repositories: { cloud: KEYS } },
});

const read = (changes: Raw) => readSettings("prod", { ...deployable(), ...changes }).settings;

function refused(changes: Raw): string {
  try {
    read(changes);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.message;
  }
  return assert.fail("this configuration was accepted");
}

const client = (fields: object): Raw => ({ network: { clients: { api: fields } } });
const where = (endpoint: string, destination?: object, clusterRanges?: string[]) =>
  repositoryDestinations(
    read({
      ...store({ endpoint }),
      network: {
        ...(destination && { repositories: { cloud: destination } }),
        ...(clusterRanges && { clusterRanges }),
      },
    }),
  );

describe("the network's configuration", () => {
  it("names the namespace that the program deploys to", () => assert.equal(OWN_NAMESPACE, APPLICATION));

  it("leaves open whether there are policies, so that an existing server keeps what it has", () => {
    assert.equal(read({}).network.policies, undefined);
    assert.deepEqual(read({}).network.clients, {});
  });

  it("takes clients by namespace, by labels or by addresses", () => {
    const { clients } = read({
      network: {
        clients: {
          api: { namespace: "media", podLabels: { app: "api", "app.kubernetes.io/part-of": "media" } },
          all: { namespace: "reports" },
          own: { podLabels: { app: "worker", trusted: true } },
          // As `pulumi config set --path network.clients.dotted.podLabels.app.kubernetes.io/name` writes it.
          dotted: { podLabels: { app: { kubernetes: { "io/name": "api" } } } },
          desk: { ranges: ["192.168.1.20", "192.168.2.0/24", "fd00::1"] },
        },
      },
    }).network;
    assert.deepEqual(clients.own?.podLabels, { app: "worker", trusted: "true" });
    assert.deepEqual(clients.dotted?.podLabels, { "app.kubernetes.io/name": "api" });
    assert.deepEqual(clients.desk?.ranges, ["192.168.1.20/32", "192.168.2.0/24", "fd00::1/128"]);
  });

  const cases: [what: string, changes: Raw, says: RegExp][] = [
    [
      "another word for policies",
      { network: { policies: "off" } },
      /network\.policies: is "off"\. Allowed: one of enforced, none/,
    ],
    [
      "a client that is nobody",
      client({}),
      /clients\.api: names nobody\. Allowed: podLabels, another namespace, or ranges\. Set it: pulumi config set --path network\.clients\.api\.podLabels\.app/,
    ],
    [
      "every pod of the database's own namespace",
      client({ namespace: "transcript-pipeline" }),
      /names every pod of the database's own namespace/,
    ],
    [
      "addresses of pods",
      client({ namespace: "media", ranges: ["10.0.0.0/8"] }),
      /api\.ranges: names addresses, and namespace names pods/,
    ],
    [
      "everybody by address",
      client({ ranges: ["0.0.0.0/0"] }),
      /api\.ranges: is \["0\.0\.0\.0\/0"\]\. Allowed: a list of addresses and ranges.*\[0\] is none of these\. Set it: pulumi config set --path 'network\.clients\.api\.ranges\[0\]'/,
    ],
    ["half of everybody", client({ ranges: ["0.0.0.0/1", "128.0.0.0/1"] }), /no larger than \/8/],
    ["a name where addresses are needed", client({ ranges: ["db.example.com"] }), /\[0\] is none of these/],
    ["no addresses at all", client({ ranges: [] }), /Allowed: a list of addresses/],
    ["labels that are none", client({ podLabels: { app: "a b" } }), /app is none of these/],
    ["no labels at all", client({ podLabels: {} }), /Allowed: a map of labels/],
    ["a list of labels", client({ podLabels: ["app"] }), /Allowed: a map of labels/],
    ["a namespace that is none", client({ namespace: "Media" }), /clients\.api\.namespace: is "Media"/],
    [
      "a client's name that is none",
      { network: { clients: { "My API": { namespace: "media" } } } },
      /is not a name\. Allowed: 32 lower-case/,
    ],
    [
      "a way out to no repository",
      { network: { repositories: { nas: { ports: [22] } } } },
      /repositories\.nas: is not used: there is no repository of this name\. To remove it: pulumi config rm/,
    ],
    [
      "a way out to a repository on the node",
      {
        backup: { repositories: { disk: { kind: "volume" } } },
        network: { repositories: { disk: { ports: [22] } } },
      },
      /is not used: there is no repository disk that is reached over the network/,
    ],
    [
      "ports that are none",
      { ...store({}), network: { repositories: { cloud: { ports: [0] } } } },
      /Allowed: a list of ports from 1 to 65535; \[0\] is none/,
    ],
    [
      "labels of pods in no namespace",
      { ...store({}), network: { repositories: { cloud: { podLabels: { app: "s3" } } } } },
      /cloud\.namespace: is missing/,
    ],
    [
      "pods and addresses at once",
      { ...store({}), network: { repositories: { cloud: { namespace: "s3", ranges: ["192.168.1.2"] } } } },
      /cloud\.ranges: names addresses/,
    ],
  ];
  for (const [what, changes, says] of cases)
    it(`refuses ${what}, naming the key and the way out`, () => assert.match(refused(changes), says));

  it("puts a label with a dot in brackets in its command", () => {
    assert.equal(
      pathOf("network.clients.api.podLabels.app.kubernetes.io/name"),
      'network.clients.api.podLabels["app.kubernetes.io/name"]',
    );
  });

  it("warns when there are no policies", () => {
    assert.match(
      networkWarnings(read({ network: { policies: "none" } })).join(),
      /every pod in the cluster can reach/,
    );
    assert.deepEqual(networkWarnings(read({})), []);
  });
});

describe("the backups' way out", () => {
  const everywhere = { ports: [443], ranges: ["0.0.0.0/0"], except: ["10.42.0.0/16", "10.43.0.0/16"] };

  it("leads to a store's port everywhere but in the cluster, by default", () => {
    assert.deepEqual(where("s3.eu-central-1.amazonaws.com"), [everywhere]);
  });

  it("leads over IPv6 too in a cluster that has it", () => {
    assert.deepEqual(
      where("s3.example.com", undefined, ["10.42.0.0/16", "10.43.0.0/16", "2001:db8:42::/56"]),
      [everywhere, { ports: [443], ranges: ["::/0"], except: ["2001:db8:42::/56"] }],
    );
  });

  it("leads to one address if the endpoint is one, as of a NAS in a private network", () => {
    assert.deepEqual(where("192.168.1.20"), [{ ports: [443], ranges: ["192.168.1.20/32"] }]);
    assert.deepEqual(where("10.42.9.9"), [{ ports: [443], ranges: ["10.42.9.9/32"] }]);
    assert.deepEqual(where("fd00::2"), [{ ports: [443], ranges: ["fd00::2/128"] }]);
  });

  it("leads to the pods of a store in the cluster, on its own port", () => {
    for (const endpoint of ["store.minio.svc", "store.minio.svc.cluster.local"])
      assert.deepEqual(where(endpoint), [{ ports: [443], namespace: "minio", podLabels: undefined }]);
    assert.deepEqual(where("svc.example.com"), [everywhere]);
    assert.deepEqual(where("store.minio.svc", { ports: [9000], podLabels: { app: "minio" } }), [
      { ports: [9000], namespace: "minio", podLabels: { app: "minio" } },
    ]);
  });

  it("leads where it is configured to", () => {
    assert.deepEqual(where("s3.example.com", { ranges: ["203.0.113.0/24"], ports: [443, 8443] }), [
      { ports: [443, 8443], ranges: ["203.0.113.0/24"] },
    ]);
  });

  it("leads to the SSH port of another machine", () => {
    const sftp = {
      kind: "sftp",
      endpoint: "box.example",
      user: "u",
      path: "/backups",
      hostKeys: ed25519HostKey(),
    };
    const settings = read({
      backup: { repositories: { box: sftp } },
      secrets: { repositories: { box: { privateKey: userKey() } } },
    });
    assert.deepEqual(repositoryDestinations(settings), [{ ...everywhere, ports: [22] }]);
  });

  it("leads nowhere for repositories on the node", () => {
    const settings = read({
      backup: {
        repositories: { a: { kind: "volume" }, b: { kind: "directory", path: "/mnt/backup/postgres" } },
      },
    });
    assert.deepEqual(repositoryDestinations(settings), []);
  });

  it("is warned about where a Service may hide the port, until the port is set", () => {
    const inCluster = store({ endpoint: "store.minio.svc" });
    const key = /network\.repositories\.cloud\.ports\[0\]/;
    assert.match(networkWarnings(read(inCluster)).join(), key);
    const set = { network: { repositories: { cloud: { ports: [9000] } } } };
    assert.deepEqual(networkWarnings(read({ ...inCluster, ...set })), []);
  });
});
