/** Objects that the tests of secret stores make and read. */
import { kubectl, succeed, theCluster } from "../support.ts";

/** The namespace of the stores, and of the account that may read from them. */
export const STORES_NAMESPACE = "secret-stores";

/** Creates or changes objects. On the server's side: the definitions of stores are longer than an annotation may be. */
export async function apply(...wanted: unknown[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: wanted };
  await succeed("kubectl", [...withKubeconfig(), "apply", "--server-side", "--force-conflicts", "-f", "-"], {
    input: JSON.stringify(list),
  });
}

/** For a kubectl whose failure is of interest. */
export const withKubeconfig = () => ["--kubeconfig", theCluster().kubeconfig];

/** An object as the API has it. */
export async function read<Read>(namespace: string, what: string): Promise<Read> {
  return JSON.parse(await kubectl("get", "-n", namespace, ...what.split(" "), "-o", "json")) as Read;
}

/** A Secret. */
export interface Secret {
  type: string;
  metadata: {
    uid: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: unknown[];
  };
  data: Record<string, string>;
}

/** A Secret's values, decoded. */
export function valuesOf({ data }: Secret): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
  );
}

/** A Deployment of one pod, which has a Service of its name. */
export interface Server {
  name: string;
  image: string;
  command: readonly string[];
  port: number;
  /** Name of its account. @default none, and no token */
  account?: string;
  environment?: Readonly<Record<string, string>>;
  /** By the place where it is mounted. */
  volumes?: Readonly<Record<string, object>>;
}

/** The objects of a server. */
export function serverObjects({
  name,
  image,
  command,
  port,
  account,
  environment = {},
  volumes = {},
}: Server): object[] {
  const metadata = { name, namespace: STORES_NAMESPACE };
  const labels = { app: name };
  const mounts = Object.entries(volumes).map(([mountPath, volume], index) => ({
    mount: { name: `volume-${index}`, mountPath },
    volume: { name: `volume-${index}`, ...volume },
  }));
  return [
    { apiVersion: "v1", kind: "Service", metadata, spec: { selector: labels, ports: [{ port }] } },
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
            ...(account === undefined
              ? { automountServiceAccountToken: false }
              : { serviceAccountName: account }),
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 2,
            containers: [
              {
                name,
                image,
                imagePullPolicy: "Never",
                command,
                env: Object.entries(environment).map(([variable, value]) => ({ name: variable, value })),
                readinessProbe: {
                  tcpSocket: { port },
                  periodSeconds: 1,
                  timeoutSeconds: 5,
                  failureThreshold: 10,
                },
                volumeMounts: mounts.map(({ mount }) => mount),
              },
            ],
            volumes: mounts.map(({ volume }) => volume),
          },
        },
      },
    },
  ];
}

/** Waits until the server's pod is ready. */
export async function untilServes(name: string, namespace = STORES_NAMESPACE): Promise<void> {
  await kubectl("rollout", "status", "deployment", name, "-n", namespace, "--timeout=180s");
}

/** A program in the server's container, with a text for its input; must succeed. Returns what it printed. */
export async function inServer(name: string, command: readonly string[], input: string): Promise<string> {
  const where = ["exec", "-i", "-n", STORES_NAMESPACE, `deployment/${name}`, "--"];
  const ran = await succeed("kubectl", [...withKubeconfig(), ...where, ...command], { input });
  return ran.stdout;
}
