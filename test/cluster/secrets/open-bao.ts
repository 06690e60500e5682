/**
 * OpenBao in the cluster, over TLS and with its data on a volume, as a Vault: key-value engine version 2, and login by
 * the token of a Kubernetes account, which it has checked by the API server.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { shellQuoted } from "../../../shell-words.ts";
import { buildSecretStoresImage } from "../../../tools/local-cluster/images.ts";
import { Authority } from "../backup/certificates.ts";
import { ctr, kubectl, state } from "../support.ts";
import { apply, inServer, serverObjects, STORES_NAMESPACE, untilServes } from "./objects.ts";
import type { Store } from "./store.ts";

const NAME = "openbao";
const HOST = `${NAME}.${STORES_NAMESPACE}.svc`;
const PORT = 8200;
/** The account whose token the controller logs in with. */
const READER = "secret-reader";
const ROLE = "transcript-pipeline";
/** Where the key-value engine is. */
const MOUNT = "secret";

const configuration = `
storage "raft" {
  path = "/data"
  node_id = "store"
}
listener "tcp" {
  address = "0.0.0.0:${PORT}"
  tls_cert_file = "/etc/store/tls.crt"
  tls_key_file = "/etc/store/tls.key"
}
seal "static" {
  current_key_id = "1"
  current_key = "file:///etc/store/unseal.key"
}
api_addr = "https://${HOST}:${PORT}"
cluster_addr = "https://127.0.0.1:8201"
`;

/** What the reader may do, and all that it may do. */
const policy = `path "${MOUNT}/data/transcript-pipeline/*" { capabilities = ["read"] }`;

export class OpenBao implements Store {
  readonly title = "OpenBao, as Vault";
  readonly clusterStore = "vault";
  private readonly folder = join(dirname(dirname(state().directory)), NAME);
  private readonly authority = new Authority(join(this.folder, "authority"));
  private token = "";

  async start(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(join(this.folder, "data"), { recursive: true });
    await this.authority.create();
    const { crt, key } = await this.authority.issue(HOST);
    const { archive, reference } = await buildSecretStoresImage(console.log);
    await ctr("images", "import", "--local=false", archive);
    const metadata = { name: NAME, namespace: STORES_NAMESPACE };
    await apply(
      { apiVersion: "v1", kind: "Namespace", metadata: { name: STORES_NAMESPACE } },
      { apiVersion: "v1", kind: "ServiceAccount", metadata },
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { ...metadata, name: READER } },
      {
        // It asks the API server whose a token is.
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "ClusterRoleBinding",
        metadata: { name: NAME },
        roleRef: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "ClusterRole",
          name: "system:auth-delegator",
        },
        subjects: [{ kind: "ServiceAccount", ...metadata }],
      },
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata,
        data: Object.fromEntries(
          Object.entries({
            "config.hcl": configuration,
            "tls.crt": crt,
            "tls.key": key,
            "ca.crt": this.authority.crt,
            "unseal.key": randomBytes(32),
          }).map(([file, content]) => [file, Buffer.from(content).toString("base64")]),
        ),
      },
      ...serverObjects({
        name: NAME,
        image: reference,
        command: ["bao", "server", "-config=/etc/store/config.hcl"],
        port: PORT,
        account: NAME,
        environment: {
          BAO_ADDR: `https://127.0.0.1:${PORT}`,
          BAO_CACERT: "/etc/store/ca.crt",
          BAO_TLS_SERVER_NAME: HOST,
        },
        volumes: {
          "/etc/store": { secret: { secretName: NAME } },
          "/data": { hostPath: { path: join(this.folder, "data"), type: "Directory" } },
        },
      }),
    );
    await untilServes(NAME);
    await this.initialise();
    await apply({
      apiVersion: "external-secrets.io/v1",
      kind: "ClusterSecretStore",
      metadata: { name: this.clusterStore },
      spec: this.storeSpec(STORES_NAMESPACE),
    });
  }

  /**
   * The specification of a store object that reads here.
   *
   * @param namespace of the account whose token is used; none for a SecretStore, which has its own
   */
  storeSpec(namespace?: string): object {
    return {
      provider: {
        vault: {
          server: `https://${HOST}:${PORT}`,
          path: MOUNT,
          version: "v2",
          caBundle: Buffer.from(this.authority.crt).toString("base64"),
          auth: {
            kubernetes: {
              mountPath: "kubernetes",
              role: ROLE,
              serviceAccountRef: { name: READER, ...(namespace !== undefined && { namespace }) },
            },
          },
        },
      },
    };
  }

  /** Lets the account of this name in another namespace read as well. */
  async admit(namespace: string): Promise<void> {
    await apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: READER, namespace } });
    await this.bao(roleFor(STORES_NAMESPACE, namespace));
  }

  async put(name: string, value: string): Promise<void> {
    // From a file: as an argument, `@` and `-` would mean something.
    await this.bao(
      `printf %s ${shellQuoted(JSON.stringify({ value }))} | bao kv put -mount=${MOUNT} ${shellQuoted(name)} -`,
    );
  }

  async forget(name: string): Promise<void> {
    await this.bao(`bao kv metadata delete -mount=${MOUNT} ${shellQuoted(name)}`);
  }

  async leave(): Promise<void> {
    await kubectl("scale", "deployment", NAME, "-n", STORES_NAMESPACE, "--replicas=0");
    await kubectl(
      "wait",
      "pod",
      "-n",
      STORES_NAMESPACE,
      "-l",
      `app=${NAME}`,
      "--for=delete",
      "--timeout=60s",
    );
  }

  async come(): Promise<void> {
    await kubectl("scale", "deployment", NAME, "-n", STORES_NAMESPACE, "--replicas=1");
    await untilServes(NAME);
    await this.bao(untilActive);
  }

  async remove(): Promise<void> {
    await kubectl("delete", "clustersecretstore", this.clusterStore, "--ignore-not-found");
    await kubectl("delete", "clusterrolebinding", NAME, "--ignore-not-found");
    await kubectl("delete", "namespace", STORES_NAMESPACE, "--ignore-not-found");
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async initialise(): Promise<void> {
    const command = "bao operator init -format=json -recovery-shares=1 -recovery-threshold=1";
    const answer = JSON.parse(await this.bao(command)) as { root_token?: string };
    assert.ok(answer.root_token, "OpenBao gave no token");
    this.token = answer.root_token;
    await this.bao(
      [
        untilActive,
        `bao secrets enable -path=${MOUNT} -version=2 kv`,
        "bao auth enable kubernetes",
        "bao write auth/kubernetes/config kubernetes_host=https://kubernetes.default.svc",
        `printf %s ${shellQuoted(policy)} | bao policy write reader -`,
        roleFor(STORES_NAMESPACE),
      ].join("\n"),
    );
  }

  /** Shell lines next to the server, as its administrator. By the input: what is secret is in no process list. */
  private bao(lines: string): Promise<string> {
    return inServer(NAME, ["bash", "-s"], `set -euo pipefail\nexport BAO_TOKEN=${this.token}\n${lines}\n`);
  }
}

/** After a start it unseals itself and then becomes active, within a second or two. */
const untilActive =
  "for try in $(seq 60); do bao secrets list >/dev/null 2>&1 && break; sleep 1; done; bao secrets list >/dev/null";

/** Lets the reader's accounts of these namespaces log in. */
function roleFor(...namespaces: readonly string[]): string {
  return `bao write auth/kubernetes/role/${ROLE} bound_service_account_names=${READER} \
bound_service_account_namespaces=${namespaces.join(",")} policies=reader ttl=10m`;
}
