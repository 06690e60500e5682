/** The ways in and out that the database and its own pods need, and no other. */
import { SERVER_SELECTOR, labelsOf } from "../kubernetes/labels.ts";
import { ACCESS_LABEL, INIT_JOB_NAME, JOB_LABEL, NOTIFIER_NAME } from "../kubernetes/names.ts";
import { DNS, type Destination, type Peer, type PodLabels, type WayIn, type WaysOut } from "./policies.ts";

/**
 * The pods of the init Job. Of our own pods they and the notifier alone connect to the database: the others use its
 * socket, on the volume or in the pod.
 */
const INIT_JOB: PodLabels = { [JOB_LABEL]: INIT_JOB_NAME };

/** Every pod that makes, restores or compares backups and dumps. */
const BACKUP_PODS: PodLabels = {
  "app.kubernetes.io/part-of": labelsOf("backup")["app.kubernetes.io/part-of"] ?? "",
  "app.kubernetes.io/component": "backup",
};

/** The pod that tells people what is wrong. */
const NOTIFIER: PodLabels = { app: NOTIFIER_NAME };

/** Clients, by a name that becomes part of a policy's. */
export type Clients = Readonly<Record<string, Peer>>;

/** Where no clients are configured: pods of the namespace with the access label. */
const LABELLED: Clients = { labelled: { podLabels: ACCESS_LABEL } };

/** Arguments of {@link ways}. */
export interface WaysArgs {
  /** The database's port. */
  port: number;
  /** The policies' own namespace. */
  namespace: string;
  /** @default pods of the namespace with the access label */
  clients: Clients;
  /** Where the backups are, without those on the node. */
  repositories: readonly Destination[];
  /** Where messages go. @default no notifier */
  sinks?: readonly Destination[] | undefined;
}

/**
 * The ways. A client in the namespace needs the way out too, because its own pods are denied that as well. The server
 * has none: it answers, and connects to nobody.
 */
export function ways({ port, namespace, clients, repositories, sinks }: WaysArgs): {
  waysIn: WayIn[];
  waysOut: WaysOut[];
} {
  const named = Object.entries(Object.keys(clients).length === 0 ? LABELLED : clients);
  const toDatabase: Destination = {
    to: [{ podLabels: SERVER_SELECTOR }],
    ports: [{ port, protocol: "TCP" }],
  };
  const inside = named.flatMap(([name, client]) => {
    if ("ranges" in client || (client.namespace ?? namespace) !== namespace) return [];
    return client.podLabels ? [{ name: `client-${name}`, pods: client.podLabels }] : [];
  });
  return {
    waysIn: [
      {
        name: "database",
        pods: SERVER_SELECTOR,
        port,
        from: [
          { podLabels: INIT_JOB },
          ...(sinks ? [{ podLabels: NOTIFIER }] : []),
          ...named.map(([, client]) => client),
        ],
      },
    ],
    waysOut: [
      ...[{ name: "init", pods: INIT_JOB }, ...inside].map((way) => ({
        ...way,
        destinations: [DNS, toDatabase],
      })),
      ...(repositories.length > 0
        ? [{ name: "backup", pods: BACKUP_PODS, destinations: [DNS, ...repositories] }]
        : []),
      ...(sinks ? [{ name: "notify", pods: NOTIFIER, destinations: [DNS, toDatabase, ...sinks] }] : []),
    ],
  };
}
