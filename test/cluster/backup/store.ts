/**
 * An object store in the cluster: seaweedfs, over TLS, which checks the signature of each request. Its image is built
 * and imported only when these tests need it. Its objects are in a folder of the machine, so they outlive its pod.
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildObjectStoreImage } from "../../../tools/local-cluster/images.ts";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { describeProcess, type NodeProcess, podProcesses, signal } from "../faults/node-processes.ts";
import { CLUSTER, ctr, execute, kubectl, state, succeed, theCluster, until } from "../support.ts";
import { Authority, type ServerCertificate } from "./certificates.ts";
import type { Place } from "./place.ts";

const STORE_NAMESPACE = "object-store";
const NAME = "store";
const labels = { app: NAME };

/** How a repository reaches the store. */
export const STORE = {
  host: `${NAME}.${STORE_NAMESPACE}.svc`,
  port: 8443,
  bucket: "backups",
  accessKey: "AKIAOFTHEBACKUPS",
  secretKey: "of+the/backups=tests0123456789abcdefghij",
} as const;

/** An access key that may use one bucket and nothing else, as the documentation advises. */
const identities = JSON.stringify({
  identities: [
    {
      name: "backups",
      credentials: [{ accessKey: STORE.accessKey, secretKey: STORE.secretKey }],
      actions: ["Read", "Write", "List", "Tagging"].map((action) => `${action}:${STORE.bucket}`),
    },
  ],
});

const command = [
  ...["weed", "server", "-dir=/data", "-ip=127.0.0.1", "-ip.bind=0.0.0.0"],
  ...["-master.volumeSizeLimitMB=64", "-volume.max=40", "-s3", "-s3.port.https=8443"],
  ...["-s3.cert.file=/etc/store/tls.crt", "-s3.key.file=/etc/store/tls.key"],
  ...["-s3.config=/etc/store/identities.json", "-s3.autoCreateBucket=false"],
  ...["-s3.port.iceberg=0", "-s3.port.lance=0"],
];

function objects(image: string, folder: string): unknown[] {
  const metadata = { name: NAME, namespace: STORE_NAMESPACE };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: STORE_NAMESPACE } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: labels, ports: [{ port: STORE.port, targetPort: 8443 }] },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        replicas: 1,
        strategy: { type: "Recreate" },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 5,
            enableServiceLinks: false,
            containers: [
              {
                name: NAME,
                image,
                command,
                readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
                volumeMounts: [
                  { name: "data", mountPath: "/data" },
                  { name: "files", mountPath: "/etc/store" },
                ],
              },
            ],
            volumes: [
              { name: "data", hostPath: { path: folder, type: "Directory" } },
              { name: "files", secret: { secretName: NAME } },
            ],
          },
        },
      },
    },
  ];
}

/** Creates or changes objects. */
async function apply(...wanted: unknown[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: wanted };
  await succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, "apply", "-f", "-"], {
    input: JSON.stringify(list),
  });
}

/** The store, from its start until it is removed. */
export class ObjectStore implements Place {
  private readonly folder = join(dirname(dirname(state().directory)), "object-store");
  private readonly authority = new Authority(join(this.folder, "authority"));

  /** Starts it, with an empty bucket. */
  async start(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(join(this.folder, "data"), { recursive: true });
    await this.authority.create();
    const { archive, reference } = await buildObjectStoreImage(() => undefined);
    await ctr("images", "import", "--local=false", archive);
    await apply(...objects(reference, join(this.folder, "data")));
    await this.present(await this.authority.issue(STORE.host));
    await this.makeBucket();
  }

  get fields(): Record<string, unknown> {
    const { host: endpoint, port, bucket } = STORE;
    return { kind: "s3", endpoint, port, bucket, ca: this.authority.crt };
  }

  get secrets(): Record<string, string> {
    return { accessKey: STORE.accessKey, secretKey: STORE.secretKey };
  }

  /** Serves a certificate of its authority, and starts again for it. */
  async certify(days?: number): Promise<void> {
    await this.present(await this.authority.issue(STORE.host, days));
  }

  /** Serves a certificate of another authority. */
  async certifyByAnother(): Promise<void> {
    const other = await new Authority(join(this.folder, "another")).create();
    await this.present(await other.issue(STORE.host));
  }

  private async present({ crt, key }: ServerCertificate): Promise<void> {
    await this.leave();
    await apply({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: NAME, namespace: STORE_NAMESPACE },
      stringData: { "tls.crt": crt, "tls.key": key, "identities.json": identities },
    });
    await this.come();
  }

  /** Goes away: connections to it are refused, or find nobody. */
  async leave(): Promise<void> {
    await kubectl("scale", "deployment", NAME, "-n", STORE_NAMESPACE, "--replicas=0");
    await kubectl("wait", "pod", "-n", STORE_NAMESPACE, "-l", `app=${NAME}`, "--for=delete", "--timeout=60s");
  }

  /** Comes back, with the objects that it had. */
  async come(): Promise<void> {
    await kubectl("scale", "deployment", NAME, "-n", STORE_NAMESPACE, "--replicas=1");
    await kubectl("rollout", "status", "deployment", NAME, "-n", STORE_NAMESPACE, "--timeout=120s");
  }

  /** Stands still: it accepts connections and never answers. */
  hang(): void {
    signal(this.processes(), "SIGSTOP");
  }

  /** Goes on where it stood still. */
  wake(): void {
    signal(this.processes(), "SIGCONT");
  }

  private processes(): NodeProcess[] {
    const found = podProcesses(clusterPaths(CLUSTER))
      .flatMap((pid) => describeProcess(pid) ?? [])
      .filter(({ title }) => title.startsWith("weed server"));
    assert.notEqual(found.length, 0, "the object store has no process");
    return found;
  }

  private async shell(line: string): Promise<string> {
    const weed = ["exec", "-i", "-n", STORE_NAMESPACE, `deployment/${NAME}`, "--", "weed", "shell"];
    const ran = await execute("kubectl", ["--kubeconfig", theCluster().kubeconfig, ...weed], {
      input: `${line}\n`,
    });
    return ran.output;
  }

  /** Makes the bucket. */
  async makeBucket(): Promise<void> {
    await until(
      "there is a bucket",
      async () => {
        await this.shell(`s3.bucket.create -name ${STORE.bucket}`);
        return (await this.shell("s3.bucket.list")).includes(STORE.bucket);
      },
      60_000,
      1000,
    );
  }

  /** Removes the bucket with everything in it. */
  async removeBucket(): Promise<void> {
    await this.shell(`s3.bucket.delete -name ${STORE.bucket}`);
    assert.ok(!(await this.shell("s3.bucket.list")).includes(STORE.bucket), "the bucket is still there");
  }

  /** Removes it and its objects. */
  async remove(): Promise<void> {
    await kubectl("delete", "namespace", STORE_NAMESPACE, "--ignore-not-found");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
