/** The section `network`: who may reach the database and its metrics, and what backups, messages and alerts may reach. */
import { isIP } from "node:net";
import type { Problem } from "../problem.ts";
import type { BackupValues } from "./backup.ts";
import { isRemote, portOf, REPOSITORY_NAME } from "./backup.ts";
import { alertmanagerOf, type MonitoringValues } from "./monitoring.ts";
import { type NotifyValues, portOfSink, SINK_NAME } from "./notify.ts";
import { defaulted, dnsName, labels, oneOf, ports, ranges } from "./fields.ts";
import { hasExporter } from "./own-logins.ts";
import { commandToRemove, commandToSet, type Entries, type Section, type ValuesOf } from "./reader.ts";

/** The namespace that everything is deployed to: its pods are named by labels alone. */
export const OWN_NAMESPACE = "transcript-pipeline";

const client = {
  namespace: dnsName({
    description: `Namespace of the pods. Default: the database's own, ${OWN_NAMESPACE}`,
  }),
  podLabels: labels({
    description: "Labels of the pods, all of them. Default: every pod of that namespace",
  }),
  ranges: ranges({
    description:
      "Instead of pods: addresses of clients that are not pods, or are in the network of another node",
  }),
} as const satisfies Section;

const clients: Entries<typeof client> = {
  fields: client,
  name: /^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/,
  allowed: "32 lower-case letters, digits and '-' at most, beginning with a letter",
  most: 32,
};

/** @param what is reached, whose name may say where it is, and the default of its port, in words */
const destinationFields = (what: string, named: string, port: string) =>
  ({
    namespace: dnsName({
      description: `Namespace of the ${what}'s pods, if it is in the cluster. Default: that of ${named} such as store.minio.svc`,
    }),
    podLabels: labels({ description: "Labels of those pods. Default: every pod of that namespace" }),
    ranges: ranges({
      description: `Addresses of the ${what}, if it is not in the cluster. Default: ${named}, if it is an address; otherwise every one outside \`network.clusterRanges\``,
    }),
    ports: ports({
      description: `Ports that the ${what} listens on. Behind a Service: its \`targetPort\`. Default: ${port}`,
    }),
  }) as const satisfies Section;

const destination = destinationFields("repository", "an endpoint", "the repository's `port`");
const sinkDestination = destinationFields("sink", "a `mail`'s host", "443, and the `port` of a `mail`");

const alertmanager = destinationFields(
  "Alertmanager",
  "`monitoring.alertmanager`",
  "`monitoring.alertmanagerPort`",
);

const repositories: Entries<typeof destination> = { fields: destination, ...REPOSITORY_NAME };
const sinks: Entries<typeof sinkDestination> = { fields: sinkDestination, ...SINK_NAME };

const scraper = {
  ...client,
  podLabels: labels({
    description:
      "Labels of the pods that may read the metrics, all of them. Default: every pod of that namespace",
  }),
} as const satisfies Section;
const scrapers: Entries<typeof scraper> = { ...clients, fields: scraper };

export const network = {
  policies: oneOf(["enforced", "none"], {
    description:
      "`enforced`: network policies deny everything in the namespace but what this section allows. `none`: every pod in the cluster can reach the database. Default: `enforced`, but a server that was deployed without stays without, and each preview warns",
  }),
  clients,
  scrapers,
  repositories,
  sinks,
  alertmanager,
  clusterRanges: defaulted(
    ["10.42.0.0/16", "10.43.0.0/16"],
    ranges({
      description:
        "Addresses of the cluster's pods and Services: `--cluster-cidr` and `--service-cidr` of K3s. With an IPv6 range, repositories and sinks are reached over IPv6 too",
    }),
  ),
} as const satisfies Section;

/** What is written in the section. */
export type NetworkValues = ValuesOf<typeof network>;
/** One client. */
export type Client = ValuesOf<typeof client>;

function clientProblems(
  section: "clients" | "scrapers",
  name: string,
  { namespace, podLabels, ranges: addresses }: Client,
): Problem[] {
  const key = `network.${section}.${name}`;
  const labelled = `pulumi config set --path ${key}.podLabels.app <value>`;
  if (addresses !== undefined && (namespace !== undefined || podLabels !== undefined))
    return [
      {
        key: `${key}.ranges`,
        message: `names addresses, and ${namespace !== undefined ? "namespace" : "podLabels"} names pods. Allowed: one of the two. To remove it: ${commandToRemove(`${key}.ranges`)}`,
      },
    ];
  if (addresses === undefined && podLabels === undefined && (namespace ?? OWN_NAMESPACE) === OWN_NAMESPACE)
    return [
      {
        key,
        message:
          `${namespace === undefined ? "names nobody" : "names every pod of the database's own namespace"}. Allowed: podLabels, ` +
          `another namespace, or ranges. Set it: ${labelled}`,
      },
    ];
  return [];
}

/** How the fields of the section fit together, and to the repositories, the sinks and the Alertmanager. */
export function networkProblems({
  network: written,
  backup,
  notify,
  monitoring,
}: {
  network: NetworkValues;
  backup: BackupValues;
  notify: NotifyValues;
  monitoring: MonitoringValues;
}): Problem[] {
  const problems = (["clients", "scrapers"] as const).flatMap((section) =>
    Object.entries(written[section]).flatMap(([name, values]) => clientProblems(section, name, values)),
  );
  if (!hasExporter({ monitoring }))
    problems.push(
      ...Object.keys(written.scrapers).map((name) => ({
        key: `network.scrapers.${name}`,
        message: `is not used: monitoring.prometheus is none, so that there are no metrics. To remove it: ${commandToRemove(`network.scrapers.${name}`)}`,
      })),
    );
  for (const [name, values] of Object.entries(written.repositories)) {
    const repository = backup.repositories[name];
    problems.push(
      ...(repository === undefined || !isRemote(repository)
        ? unusedDestination(
            `network.repositories.${name}`,
            repository === undefined
              ? "repository of this name"
              : `repository ${name} that is reached over the network`,
          )
        : destinationProblems(`network.repositories.${name}`, values, repository.endpoint)),
    );
  }
  for (const [name, values] of Object.entries(written.sinks)) {
    const sink = notify.sinks[name];
    problems.push(
      ...(sink === undefined
        ? unusedDestination(`network.sinks.${name}`, "sink of this name")
        : destinationProblems(`network.sinks.${name}`, values, sink.host)),
    );
  }
  const told = alertmanagerOf(monitoring);
  if (told !== undefined)
    problems.push(...destinationProblems("network.alertmanager", written.alertmanager, told.host));
  else if (Object.values(written.alertmanager).some((value) => value !== undefined))
    problems.push(...unusedDestination("network.alertmanager", "monitoring.alertmanager"));
  return problems;
}

/** What is written of where something is. */
type WrittenDestination = ValuesOf<typeof destination>;

function unusedDestination(key: string, what: string): Problem[] {
  return [{ key, message: `is not used: there is no ${what}. To remove it: ${commandToRemove(key)}` }];
}

/** @param endpoint the configured host. Undefined: only a secret has it */
function destinationProblems(
  key: string,
  { namespace, podLabels, ranges: addresses }: WrittenDestination,
  endpoint: string | undefined,
): Problem[] {
  if (addresses !== undefined && (namespace !== undefined || podLabels !== undefined))
    return [
      {
        key: `${key}.ranges`,
        message: `names addresses, and ${namespace !== undefined ? "namespace" : "podLabels"} names pods. Allowed: one of the two. To remove it: ${commandToRemove(`${key}.ranges`)}`,
      },
    ];
  if (podLabels !== undefined && (namespace ?? namespaceOf(endpoint)) === undefined)
    return [
      {
        key: `${key}.namespace`,
        message: `is missing: podLabels names pods of a namespace. Set it: ${commandToSet(`${key}.namespace`, false)}`,
      },
    ];
  return [];
}

/** The namespace of an endpoint in the cluster, such as `store.minio.svc.cluster.local`; undefined if it is elsewhere. */
export function namespaceOf(endpoint = ""): string | undefined {
  return /^(?:[a-z0-9-]+\.)+?([a-z0-9-]+)\.svc(?:\.|$)/.exec(endpoint)?.[1];
}

/** Where a repository, a sink or an Alertmanager is, as policies see it. */
export type OutsideDestination = { ports: readonly number[] } & (
  | { namespace: string; podLabels?: Readonly<Record<string, string>> | undefined }
  | { ranges: readonly string[]; except?: readonly string[] }
);

/** Every address of a protocol. */
const EVERYWHERE = { 4: "0.0.0.0/0", 6: "::/0" } as const;

/**
 * What something is reached at: as it is configured, or by its host.
 *
 * @param endpoint its host. Undefined: only a secret has it
 */
function destinationOf(
  endpoint: string | undefined,
  port: number,
  clusterRanges: readonly string[],
  written: WrittenDestination | undefined,
): OutsideDestination[] {
  const { ranges: addresses, namespace = namespaceOf(endpoint), podLabels } = written ?? {};
  const reached = { ports: written?.ports ?? [port] };
  if (addresses !== undefined) return [{ ...reached, ranges: addresses }];
  if (namespace !== undefined) return [{ ...reached, namespace, podLabels }];
  const family = isIP(endpoint ?? "");
  if (family !== 0) return [{ ...reached, ranges: [`${endpoint}/${family === 4 ? 32 : 128}`] }];
  // In a cluster without IPv6, no pod has such an address.
  return ([4, 6] as const).flatMap((version) => {
    const except = clusterRanges.filter((range) => isIP(range.split("/")[0] ?? "") === version);
    return version === 6 && except.length === 0
      ? []
      : [{ ...reached, ranges: [EVERYWHERE[version]], except }];
  });
}

/** What the backups reach over the network. Nothing for repositories on the node. */
export function repositoryDestinations({
  network: written,
  backup,
}: {
  network: NetworkValues;
  backup: BackupValues;
}): OutsideDestination[] {
  return Object.entries(backup.repositories)
    .filter(([, repository]) => isRemote(repository))
    .flatMap(([name, repository]) =>
      destinationOf(
        repository.endpoint,
        portOf(repository),
        written.clusterRanges,
        written.repositories[name],
      ),
    );
}

/** What the messages' sender reaches over the network. */
export function sinkDestinations({
  network: written,
  notify,
}: {
  network: NetworkValues;
  notify: NotifyValues;
}): OutsideDestination[] {
  const all = Object.entries(notify.sinks).flatMap(([name, sink]) =>
    destinationOf(sink.host, portOfSink(sink), written.clusterRanges, written.sinks[name]),
  );
  // Most sinks are somewhere outside, at one port.
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

/** What the bundled Prometheus reaches over the network, next to the exporters. */
export function alertmanagerDestinations({
  network: written,
  monitoring,
}: {
  network: NetworkValues;
  monitoring: MonitoringValues;
}): OutsideDestination[] {
  const told = alertmanagerOf(monitoring);
  return told ? destinationOf(told.host, told.port, written.clusterRanges, written.alertmanager) : [];
}

/** What every preview says about the network. */
export function networkWarnings({
  network: written,
  backup,
  monitoring,
}: {
  network: NetworkValues;
  backup: BackupValues;
  monitoring: MonitoringValues;
}): string[] {
  if (written.policies === "none")
    return [
      "network.policies is none: every pod in the cluster can reach the database's port, and only its password is in the way. docs/network-policies.md",
    ];
  const unread =
    ["annotations", "operator"].includes(monitoring.prometheus) && Object.keys(written.scrapers).length === 0
      ? [
          `nobody may read the metrics: monitoring.prometheus is ${monitoring.prometheus}, and network.scrapers has nothing. Set it: pulumi config set --path network.scrapers.prometheus.namespace <namespace>`,
        ]
      : [];
  const ofRepositories = Object.entries(backup.repositories).flatMap(([name, repository]) => {
    if (!isRemote(repository)) return [];
    const { namespace = namespaceOf(repository.endpoint), ports: chosen } = written.repositories[name] ?? {};
    if (namespace === undefined || chosen !== undefined) return [];
    const key = `network.repositories.${name}.ports`;
    return [
      `the repository ${name} is in the cluster, and policies see the ports of its pods: if its Service's targetPort is not ` +
        `${portOf(repository)}, backups cannot reach it. Set it either way: pulumi config set --path '${key}[0]' <port>`,
    ];
  });
  return [...unread, ...ofRepositories];
}
