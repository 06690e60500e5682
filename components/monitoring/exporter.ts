/** The component that has the metrics: two postgres_exporters in a pod of their own, each for one database. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";
import { lonePod } from "../kubernetes/lone-pod.ts";
import { EXPORTER_CONTAINERS, EXPORTER_NAME, EXPORTER_PORTS } from "../kubernetes/names.ts";
import {
  inMemory,
  mountsIn,
  type Placement,
  type PodVolume,
  restrictedContainer,
  withLog,
} from "../kubernetes/pods.ts";
import { scriptFiles, SCRIPTS_PATH } from "../kubernetes/scripts.ts";
import { connectionEnvironment, type PostgresEndpoint, TRUST_PATH } from "../postgres-endpoint.ts";
import { databaseQueries, figureQueries } from "./metrics.ts";

/** Arguments of {@link Exporter}. */
export interface ExporterArgs {
  namespace: pulumi.Input<string>;
  placement: Placement;
  endpoint: PostgresEndpoint;
  /** The Secret of a login of the kind `monitoring`. */
  loginSecretName: pulumi.Input<string>;
  /** An image with postgres_exporter. */
  image: string;
  /** Annotations of the Service, for those who find it by them. */
  annotations?: Readonly<Record<string, string>> | undefined;
}

const { figures: FIGURES, database: DATABASE } = EXPORTER_CONTAINERS;
const QUERIES_PATH = "/etc/exporter";

/** What each container runs: see scripts/exporter.sh. */
const RUNS = {
  [FIGURES]: { database: "postgres", queries: "figures.yaml", collectors: "none", memory: "64Mi" },
  // The one of the login's Secret. Its answer grows with tables, indexes and statements.
  [DATABASE]: { database: "-", queries: "database.yaml", collectors: "all", memory: "128Mi" },
} as const;

function volumes({ endpoint, loginSecretName }: ExporterArgs, filesName: pulumi.Input<string>): PodVolume[] {
  const { trust } = endpoint;
  const everywhere = (mount: PodVolume["mounts"][string]) => ({ [FIGURES]: mount, [DATABASE]: mount });
  return [
    {
      name: "files",
      source: { configMap: { name: filesName } },
      // One ConfigMap: the script is found where all scripts are.
      mounts: everywhere([
        { path: SCRIPTS_PATH, readOnly: true },
        { path: QUERIES_PATH, readOnly: true },
      ]),
    },
    {
      name: "login",
      source: { secret: { secretName: loginSecretName, defaultMode: 0o440, optional: true } },
      mounts: everywhere({ path: "/etc/credentials", readOnly: true }),
    },
    ...(trust?.ca
      ? [{ name: "trust", source: trust.ca, mounts: everywhere({ path: TRUST_PATH, readOnly: true }) }]
      : []),
    inMemory("figures-tmp", "1Mi", { [FIGURES]: { path: "/tmp" } }),
    inMemory("database-tmp", "1Mi", { [DATABASE]: { path: "/tmp" } }),
  ];
}

/**
 * Has the figures of the database as metrics, for whoever collects them. Outside the server's pod, so that another version
 * of it restarts no database, and as a login that may only monitor.
 */
export class Exporter extends pulumi.ComponentResource {
  /** The Service. */
  readonly serviceName: pulumi.Output<string>;

  constructor(name: string, args: ExporterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Exporter", name, {}, opts);
    const child = { parent: this, deleteBeforeReplace: true };
    const labels = labelsOf("exporter");
    const metadata = { name: EXPORTER_NAME, namespace: args.namespace, labels };
    const data = {
      ...scriptFiles(import.meta.url, "exporter.sh"),
      "figures.yaml": figureQueries(),
      "database.yaml": databaseQueries(),
    };
    const files = new k8s.core.v1.ConfigMap(EXPORTER_NAME, { metadata, data }, child);
    const mounted = volumes(args, files.metadata.name);
    const environment = connectionEnvironment(args.endpoint);
    const pod = lonePod(
      EXPORTER_NAME,
      {
        namespace: args.namespace,
        labels,
        placement: args.placement,
        scripts: data,
        service: { ports: EXPORTER_PORTS, annotations: args.annotations },
        containers: ([FIGURES, DATABASE] as const).map((container) => {
          const { database, queries, collectors, memory } = RUNS[container];
          const port = EXPORTER_PORTS[container];
          const answers = { httpGet: { path: "/", port }, timeoutSeconds: 5 };
          return {
            name: container,
            image: args.image,
            ...restrictedContainer,
            command: [
              ...["sh", `${SCRIPTS_PATH}/exporter.sh`],
              ...[String(port), database, `${QUERIES_PATH}/${queries}`, collectors],
            ],
            env: environment,
            ports: [{ name: container, containerPort: port }],
            // Its start page: if the database does not answer, restarting the exporter does not help.
            livenessProbe: { ...answers, periodSeconds: 10, failureThreshold: 6 },
            // It may wait for its login. A deployment waits for it.
            startupProbe: { ...answers, periodSeconds: 2, failureThreshold: 300 },
            readinessProbe: { tcpSocket: { port }, periodSeconds: 2, failureThreshold: 5 },
            resources: withLog({
              requests: { cpu: "10m", memory: "24Mi" },
              limits: { cpu: "200m", memory },
            }),
            volumeMounts: mountsIn(container, mounted),
          };
        }),
        volumes: mounted,
      },
      child,
      {},
    );
    this.serviceName = pod.serviceName;
    this.registerOutputs();
  }
}
