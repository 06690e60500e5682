/**
 * An SFTP server in the cluster: OpenSSH's, for one user with a key. Its image is built and imported only when these tests
 * need it.
 */
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildSftpServerImage } from "../../../tools/local-cluster/images.ts";
import { ctr, kubectl, state, succeed, theCluster } from "../support.ts";
import type { Place } from "./place.ts";

const NAMESPACE = "sftp-server";
const NAME = "sftp";
const PORT = 2222;
const labels = { app: NAME };

/** Its keys of both kinds that it has, and the user's; made once. */
const prepare = `set -e; mkdir -p /run/sshd; cd /keys
for kind in ed25519 ecdsa; do [ -e $kind ] || ssh-keygen -q -t $kind -N '' -f $kind; done
[ -e user ] || ssh-keygen -q -t ed25519 -N '' -f user
cp user.pub authorized_keys; chmod 644 authorized_keys; chown backups /data
exec /usr/sbin/sshd -D -e -f /dev/null -p ${PORT} -h /keys/ed25519 -h /keys/ecdsa`;

const options = {
  AuthorizedKeysFile: "/keys/authorized_keys",
  StrictModes: "no",
  PasswordAuthentication: "no",
  KbdInteractiveAuthentication: "no",
  UsePAM: "no",
  PidFile: "none",
  AllowUsers: "backups",
  Subsystem: "sftp internal-sftp",
  ForceCommand: "internal-sftp",
};

function objects(image: string, folder: string): unknown[] {
  const metadata = { name: NAME, namespace: NAMESPACE };
  const flags = Object.entries(options).map(([name, value]) => `-o '${name}=${value}'`);
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
    { apiVersion: "v1", kind: "Service", metadata, spec: { selector: labels, ports: [{ port: PORT }] } },
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
            terminationGracePeriodSeconds: 2,
            containers: [
              {
                name: NAME,
                image,
                command: ["bash", "-c", `${prepare} ${flags.join(" ")}`],
                readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
                volumeMounts: [
                  { name: "data", mountPath: "/data" },
                  { name: "keys", mountPath: "/keys" },
                ],
              },
            ],
            volumes: ["data", "keys"].map((name) => ({
              name,
              hostPath: { path: join(folder, name), type: "Directory" },
            })),
          },
        },
      },
    },
  ];
}

/** The server, from its start until it is removed. */
export class SftpServer implements Place {
  private readonly folder = join(dirname(dirname(state().directory)), "sftp-server");
  /** The repository, as this machine sees it. */
  readonly directory = join(this.folder, "data/prod");
  private hostKeys = "";
  private privateKey = "";

  async start(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
    for (const name of ["data", "keys"]) mkdirSync(join(this.folder, name), { recursive: true });
    const { archive, reference } = await buildSftpServerImage(() => undefined);
    await ctr("images", "import", "--local=false", archive);
    const list = { apiVersion: "v1", kind: "List", items: objects(reference, this.folder) };
    await succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, "apply", "-f", "-"], {
      input: JSON.stringify(list),
    });
    await kubectl("rollout", "status", "deployment", NAME, "-n", NAMESPACE, "--timeout=120s");
    this.hostKeys = await this.read("ed25519.pub", "ecdsa.pub");
    this.privateKey = await this.read("user");
  }

  /** Files with keys. */
  private read(...names: string[]): Promise<string> {
    const files = names.map((name) => `/keys/${name}`);
    return kubectl("exec", "-n", NAMESPACE, `deployment/${NAME}`, "--", "cat", ...files);
  }

  get fields(): Record<string, unknown> {
    const { hostKeys } = this;
    const endpoint = `${NAME}.${NAMESPACE}.svc`;
    return { kind: "sftp", endpoint, port: PORT, user: "backups", hostKeys, path: "/data/prod" };
  }

  get secrets(): Record<string, string> {
    return { privateKey: this.privateKey };
  }

  async remove(): Promise<void> {
    await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
