/** A pod with the programs of a client, for tests that come from elsewhere than the server's own pod. */
import assert from "node:assert/strict";
import { execute, kubectl, type Ran, theCluster } from "./support.ts";

const NAMESPACE = "transcript-pipeline";

/** The server's names. */
export const HOST = "postgres.transcript-pipeline.svc.cluster.local";
/** Where the pod has the authorities that it trusts. */
export const AUTHORITY = "/etc/postgres-ca/ca.crt";

/** A client's way to the server. */
export interface Way {
  /** @default the owner */
  user?: string;
  password: string;
  /** Further keywords of libpq. @default verify-full, by the Service's name */
  options?: string;
  /** Milliseconds. @default 60000 */
  timeout?: number;
}

export class ClientPod {
  readonly name: string;
  readonly namespace: string;

  private constructor(name: string, namespace: string) {
    this.name = name;
    this.namespace = namespace;
  }

  /**
   * Starts one, next to the server or in a namespace that exists.
   *
   * @param labels of the pod. @default none
   * @param token whether it has a token for the API server. @default no
   */
  static async start(
    name: string,
    {
      namespace = NAMESPACE,
      labels = {},
      token = false,
    }: { namespace?: string; labels?: Record<string, string>; token?: boolean } = {},
  ): Promise<ClientPod> {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace, labels },
      spec: {
        automountServiceAccountToken: token,
        terminationGracePeriodSeconds: 0,
        securityContext: {
          ...{ runAsNonRoot: true, runAsUser: 999, runAsGroup: 999, fsGroup: 999 },
          seccompProfile: { type: "RuntimeDefault" },
        },
        containers: [
          {
            name: "client",
            image: theCluster().postgresImage,
            imagePullPolicy: "Never",
            command: ["sleep", "3600"],
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
            resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { cpu: "1", memory: "256Mi" } },
            volumeMounts: [
              { name: "authority", mountPath: "/etc/postgres-ca", readOnly: true },
              { name: "tmp", mountPath: "/tmp" },
            ],
          },
        ],
        volumes: [
          { name: "authority", configMap: { name: "postgres-ca", optional: true } },
          { name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
        ],
      },
    };
    const { kubeconfig, kubectl: program } = theCluster();
    const made = await execute(program, ["--kubeconfig", kubeconfig, "apply", "-f", "-"], {
      input: JSON.stringify(pod),
    });
    assert.equal(made.status, 0, made.output);
    await kubectl("wait", "--for=condition=Ready", `pod/${name}`, "-n", namespace, "--timeout=120s");
    return new ClientPod(name, namespace);
  }

  /** A command in the pod. */
  run(command: readonly string[], input = "", timeout = 60_000): Promise<Ran> {
    const { kubeconfig, kubectl: program } = theCluster();
    const pod = ["exec", "-i", "-n", this.namespace, this.name, "--", ...command];
    return execute(program, ["--kubeconfig", kubeconfig, ...pod], { input, timeout });
  }

  /** psql's answer to a statement, or its complaint: the status tells. */
  psql(statement: string, { user = "transcript_user", password, options, timeout }: Way): Promise<Ran> {
    const way = options ?? `host=${HOST} sslmode=verify-full sslrootcert=${AUTHORITY}`;
    const line =
      'IFS= read -r PGPASSWORD; export PGPASSWORD PGCONNECT_TIMEOUT=10; exec psql -X -q -w -At -d "$0" -c "$1"';
    const connection = `user=${user} dbname=transcripts_db ${way}`;
    return this.run(["bash", "-c", line, connection, statement], `${password}\n`, timeout);
  }

  /** Ends it. */
  async remove(): Promise<void> {
    await kubectl(
      "delete",
      "pod",
      this.name,
      "-n",
      this.namespace,
      "--ignore-not-found",
      "--grace-period=0",
      "--force",
    );
  }
}

/**
 * A load of short transactions on connections that stay open, in a client's pod.
 *
 * @returns what pgbench says of them, once its time is over
 */
export function underLoad(
  client: ClientPod,
  { password, options, seconds }: { password: string; options?: string; seconds: number },
): Promise<Ran> {
  const way = options ?? `host=${HOST} sslmode=verify-full sslrootcert=${AUTHORITY}`;
  const line = [
    "IFS= read -r PGPASSWORD; export PGPASSWORD",
    // A statement that the owner may make; the sleep keeps the rate low on a busy machine.
    "printf 'select count(*) from pg_class;\\n\\\\sleep 100 ms\\n' >/tmp/load.sql",
    `exec pgbench -n -c 20 -j 2 -T ${seconds} -f /tmp/load.sql "user=transcript_user dbname=transcripts_db ${way}"`,
  ].join("; ");
  return client.run(["bash", "-c", line], `${password}\n`, (seconds + 120) * 1000);
}

/** Checks that a load of {@link underLoad} lost no connection and no transaction. */
export function nothingFailed({ status, output }: Ran): void {
  assert.equal(status, 0, output);
  assert.match(output, /number of failed transactions: 0 /, output);
  assert.doesNotMatch(output, /aborted|FATAL|error/i, output);
}
