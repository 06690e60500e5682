import { EXPORTER_NAME, EXPORTER_PORTS, PROMETHEUS_NAME } from "../../../../components/kubernetes/names.ts";
import {
  api,
  apiOnNode,
  CLOSED,
  connecting,
  connects,
  database,
  type Deed,
  inContainer,
  inPodOf,
  kubelet,
  type Place,
  prometheus,
  others,
  clients,
} from "../acts.ts";
import type { Attacker, Attempt } from "../attempt.ts";
import { CLIENTS_PORT, type Stage } from "../stage.ts";

const inExporter = (line: string) => inContainer(`${EXPORTER_NAME}-0`, "database", line);
const inPrometheus = (line: string) => inContainer(`${PROMETHEUS_NAME}-0`, "prometheus", line);

const NO_FILE = /No such file or directory/;
const TOKEN = "cat /var/run/secrets/kubernetes.io/serviceaccount/token >/dev/null";

/** A way out of a pod that monitors, next to the same by somebody who may. */
const wayOut =
  (from: (line: string) => Deed) =>
  (tries: string, place: Place, control: Deed): Attempt<Stage> => ({
    tries,
    attack: (stage) => from(connecting(place(stage)))(stage),
    refused: CLOSED,
    control,
  });
const outOfExporter = wayOut(inExporter);
const outOfPrometheus = wayOut(inPrometheus);

/** A connection that the client's pod accepts, from itself. */
const clientItself = inPodOf("client", connecting(["127.0.0.1", CLIENTS_PORT]));

/** Whoever runs code in a pod that monitors, as that pod's user. */
export const takenOverMonitoring: Attacker<Stage> = {
  who: "code in the pods that monitor",
  attempts: [
    outOfExporter("connects from the exporter to the API server", api, connects("foreign", api)),
    outOfExporter("connects from the exporter to a client", clients, clientItself),
    outOfExporter(
      "connects from the exporter to a pod of another namespace",
      others,
      connects("foreign", others),
    ),
    outOfExporter("connects from the exporter to Prometheus", prometheus, (stage) =>
      inPrometheus(connecting(["127.0.0.1", prometheus(stage)[1]]))(stage),
    ),
    outOfPrometheus("connects from Prometheus to the database", database, connects("client", database)),
    outOfPrometheus("connects from Prometheus to the API server", api, connects("foreign", api)),
    outOfPrometheus(
      "connects from Prometheus to the API server by the node's address",
      apiOnNode,
      connects("foreign", apiOnNode),
    ),
    outOfPrometheus("connects from Prometheus to the kubelet", kubelet, connects("foreign", kubelet)),
    outOfPrometheus(
      "connects from Prometheus to a pod of another namespace",
      others,
      connects("foreign", others),
    ),
    ...(
      [
        ["the exporter", inExporter],
        ["Prometheus", inPrometheus],
      ] as const
    ).flatMap(([pod, inside]): Attempt<Stage>[] => [
      {
        tries: `has a token for the API server in ${pod}`,
        attack: inside(TOKEN),
        refused: NO_FILE,
        control: inPodOf("foreign", TOKEN),
      },
      {
        tries: `writes the root file system of ${pod}`,
        attack: inside("touch /usr/bin/mine"),
        refused: /Read-only file system|Permission denied/,
        control: inside("touch /tmp/mine || touch /prometheus/mine"),
      },
      {
        tries: `changes its scripts in ${pod}`,
        attack: inside("touch /usr/local/lib/transcript-pipeline/prometheus.sh"),
        refused: /Read-only file system|Permission denied/,
        control: inside("touch /tmp/mine || touch /prometheus/mine"),
      },
    ]),
    {
      tries: "reads a login's password in Prometheus",
      attack: inPrometheus("cat /etc/credentials/POSTGRES_PASSWORD >/dev/null"),
      refused: NO_FILE,
      control: inExporter("cat /etc/credentials/POSTGRES_PASSWORD >/dev/null"),
    },
    {
      tries: "finds the exporter's password in its environment or its command line",
      attack: inExporter(
        `password=$(cat /etc/credentials/POSTGRES_PASSWORD)
         grep -aFlz -- "$password" /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null || { echo none; false; }`,
      ),
      refused: /^none$/m,
      control: inExporter(
        `password=$(cat /etc/credentials/POSTGRES_PASSWORD); grep -F -q -- "$password" /tmp/*.pgpass`,
      ),
    },
  ],
};

/** The ways to metrics that nobody has been given, of whoever has a pod in or outside of the namespace. */
export const metricsReading = (from: keyof Stage["pods"]) =>
  (
    [
      ...Object.entries(EXPORTER_PORTS).map(
        ([container, port]) =>
          [
            `connects to the exporter's port of ${container}`,
            (stage: Stage) => [stage.exporter, port] as const,
            (stage: Stage) => inPrometheus(connecting([stage.exporter, port]))(stage),
          ] as const,
      ),
      [
        "connects to Prometheus",
        prometheus,
        (stage: Stage) => inPrometheus(connecting(["127.0.0.1", prometheus(stage)[1]]))(stage),
      ],
    ] as const
  ).map(([tries, place, control]): Attempt<Stage> => ({
    tries,
    attack: connects(from, place),
    refused: CLOSED,
    control,
  }));
