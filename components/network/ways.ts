/** The ways in and out that the database and its own pods need, and no other. */
import { SERVER_SELECTOR, labelsOf } from "../kubernetes/labels.ts";
import {
  ACCESS_LABEL,
  EXPORTER_NAME,
  EXPORTER_PORTS,
  INIT_JOB_NAME,
  NOTIFIER_NAME,
  PROMETHEUS_NAME,
  PROMETHEUS_PORT,
} from "../kubernetes/names.ts";
import { DNS, type Destination, type Peer, type PodLabels, type WayIn, type WaysOut } from "./policies.ts";

/**
 * The pods of the init Job. Of our own pods they, the notifier and the exporters alone connect to the database: the others
 * use its socket, on the volume or in the pod.
 */
const INIT_JOB: PodLabels = { app: INIT_JOB_NAME };

/** Every pod that makes, restores or compares backups and dumps. */
const BACKUP_PODS: PodLabels = {
  "app.kubernetes.io/part-of": labelsOf("backup")["app.kubernetes.io/part-of"] ?? "",
  "app.kubernetes.io/component": "backup",
};

/** The pod that tells people what is wrong. */
const NOTIFIER: PodLabels = { app: NOTIFIER_NAME };

/** The pod that has the metrics, and the one of the bundled Prometheus. */
const EXPORTER: PodLabels = { app: EXPORTER_NAME };
const PROMETHEUS: PodLabels = { app: PROMETHEUS_NAME };

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
  /** Who reads metrics. @default no exporter */
  metrics?:
    | {
        /** Who may ask the exporters, or the bundled Prometheus if there is one. @default nobody */
        scrapers: Clients;
        /** Whether there is a bundled Prometheus. */
        bundled: boolean;
        /** Where the Alertmanager is that it tells. @default it tells nobody */
        alertmanager?: readonly Destination[] | undefined;
      }
    | undefined;
}

/**
 * The ways. A client in the namespace needs the way out too, because its own pods are denied that as well. The server
 * has none: it answers, and connects to nobody.
 */
export function ways({ port, namespace, clients, repositories, sinks, metrics }: WaysArgs): {
  waysIn: WayIn[];
  waysOut: WaysOut[];
} {
  const named = Object.entries(Object.keys(clients).length === 0 ? LABELLED : clients);
  const toDatabase: Destination = {
    to: [{ podLabels: SERVER_SELECTOR }],
    ports: [{ port, protocol: "TCP" }],
  };
  const inside = (clients: readonly (readonly [string, Peer])[], kind: string) =>
    clients.flatMap(([name, client]) => {
      if ("ranges" in client || (client.namespace ?? namespace) !== namespace) return [];
      return client.podLabels ? [{ name: `${kind}-${name}`, pods: client.podLabels }] : [];
    });
  const toExporters: Destination = {
    to: [{ podLabels: EXPORTER }],
    ports: Object.values(EXPORTER_PORTS).map((number) => ({ port: number, protocol: "TCP" })),
  };
  const toPrometheus: Destination = {
    to: [{ podLabels: PROMETHEUS }],
    ports: [{ port: PROMETHEUS_PORT, protocol: "TCP" }],
  };
  const scrapers = Object.values(metrics?.scrapers ?? {});
  return {
    waysIn: [
      {
        name: "database",
        pods: SERVER_SELECTOR,
        ports: [port],
        from: [
          { podLabels: INIT_JOB },
          ...(sinks ? [{ podLabels: NOTIFIER }] : []),
          ...(metrics ? [{ podLabels: EXPORTER }] : []),
          ...named.map(([, client]) => client),
        ],
      },
      ...(metrics
        ? [
            {
              name: "metrics",
              pods: EXPORTER,
              ports: Object.values(EXPORTER_PORTS),
              // Whoever is named asks the bundled Prometheus, if there is one.
              from: metrics.bundled ? [{ podLabels: PROMETHEUS }] : scrapers,
            },
          ]
        : []),
      ...(metrics?.bundled
        ? [{ name: "prometheus", pods: PROMETHEUS, ports: [PROMETHEUS_PORT], from: scrapers }]
        : []),
    ],
    waysOut: [
      ...[{ name: "init", pods: INIT_JOB }, ...inside(named, "client")].map((way) => ({
        ...way,
        destinations: [DNS, toDatabase],
      })),
      ...(repositories.length > 0
        ? [{ name: "backup", pods: BACKUP_PODS, destinations: [DNS, ...repositories] }]
        : []),
      ...(sinks ? [{ name: "notify", pods: NOTIFIER, destinations: [DNS, toDatabase, ...sinks] }] : []),
      ...(metrics ? [{ name: "exporter", pods: EXPORTER, destinations: [DNS, toDatabase] }] : []),
      ...inside(Object.entries(metrics?.scrapers ?? {}), "scraper").map((way) => ({
        ...way,
        destinations: [DNS, metrics?.bundled ? toPrometheus : toExporters],
      })),
      ...(metrics?.bundled
        ? [
            {
              name: "prometheus-out",
              pods: PROMETHEUS,
              destinations: [DNS, toExporters, ...(metrics.alertmanager ?? [])],
            },
          ]
        : []),
    ],
  };
}
