/** What the components are given, of the settings and of what was found in the live cluster. Pure: nothing is created here. */
import { archiving } from "./components/backup/archiving.ts";
import type { RepositoryArgs } from "./components/backup/pgbackrest-conf.ts";
import type { SinkArgs } from "./components/monitoring/sinks.ts";
import type { Destination } from "./components/network/policies.ts";
import type { Clients } from "./components/network/ways.ts";
import { readSealed } from "./components/secrets/sealed-folder.ts";
import type { SecretSource } from "./components/secrets/source.ts";
import type { ServerExtension } from "./components/server/extension.ts";
import type { NodeConnection } from "./components/storage/node-storage.ts";
import type { CertificateSource } from "./components/tls/tls.ts";
import type { Settings } from "./config.ts";
import { portOf } from "./config/backup.ts";
import type { Client, OutsideDestination } from "./config/network.ts";
import { portOfSink } from "./config/notify.ts";
import { pathInStore, sealedDirectory } from "./config/secret-store.ts";
import { directoryOf } from "./directories.ts";
import type { Live } from "./live.ts";

/** Who keeps the values of the credentials. */
export function secretSource(settings: Settings, live: Live): SecretSource {
  const { source, store = "", storeKind, separator, refreshInterval } = settings.secretStore;
  switch (source) {
    case "pulumi":
      return { kind: source, beforeCreate: live.beforeSecret, afterCreate: live.afterSecret };
    case "external-secrets":
      return {
        kind: source,
        // The configuration's checks require it.
        store: { name: store, kind: storeKind },
        prefix: pathInStore(settings) + separator,
        refreshInterval,
        held: live.heldSecrets,
      };
    case "sealed-secrets": {
      const directory = sealedDirectory(settings);
      return {
        kind: source,
        directory,
        stack: settings.stack,
        objects: readSealed(directory),
        handOver: live.handOverSecret,
        held: live.heldSecrets,
      };
    }
  }
}

/** Where the server's certificate comes from. */
export function certificateSource(tls: Settings["tls"]): CertificateSource {
  switch (tls.source) {
    case "none":
    case "generated":
      return { kind: tls.source };
    case "existing":
      return { kind: "existing", secretName: tls.secretName };
    case "cert-manager":
      // The configuration's checks require it.
      return { kind: "cert-manager", issuer: { name: tls.issuer ?? "", kind: tls.issuerKind } };
  }
}

/** The repositories, in the order of their names: that of their numbers. */
export function repositoriesOf(settings: Settings): RepositoryArgs[] {
  const { stack, backup } = settings;
  return Object.entries(backup.repositories)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { kind, keepFull, ...written }]) => {
      const directory = directoryOf(settings, name);
      if (directory) return { name, kind: "directory", keepFull, ...directory };
      // What the kind needs is there: the configuration's checks ask for it.
      const { path = `/transcript-pipeline/${stack}`, endpoint = "", port } = written;
      const { bucket = "", region, pathStyle, ca, user = "", hostKeys = "" } = written;
      const common = { name, keepFull, path, endpoint, port: portOf({ kind, port }) };
      switch (kind) {
        case "s3":
          return { ...common, kind, bucket, region, pathStyle, ca };
        case "sftp":
          return { ...common, kind, user, hostKeys };
        default:
          return { name, kind: "volume", keepFull };
      }
    });
}

/** Who may reach the database, or the metrics. */
export function clientsOf(written: Readonly<Record<string, Client>>): Clients {
  return Object.fromEntries(
    Object.entries(written).map(([name, { namespace, podLabels, ranges }]) => [
      name,
      ranges === undefined ? { namespace, podLabels } : { ranges },
    ]),
  );
}

/** What pods reach over the network. */
export function asDestination({ ports, ...peer }: OutsideDestination): Destination {
  return { to: [peer], ports: ports.map((port) => ({ port, protocol: "TCP" })) };
}

/** Who is told what is wrong. */
export function sinksOf({ notify }: Settings): SinkArgs[] {
  return Object.entries(notify.sinks).map(([name, sink]): SinkArgs => {
    const { kind, least = "warning", ca } = sink;
    switch (kind) {
      // What the kind needs is there: the configuration's checks ask for it.
      case "mail": {
        const { host = "", from = "", to = [], user, security = "starttls" } = sink;
        return { name, kind, least, ca, host, port: portOfSink(sink), security, user, from, to };
      }
      case "telegram":
        return { name, kind, least, ca, chat: sink.chat ?? "" };
      default:
        return { name, kind, least, ca, bearer: sink.bearer === true };
    }
  });
}

/** What archiving adds to the server. */
export function archivingFor(
  { backup, database }: Settings,
  repositories: readonly RepositoryArgs[],
): ServerExtension {
  const from = repositories.findIndex(({ name }) => name === backup.restoreFrom);
  return archiving({
    archiveTimeout: backup.archiveTimeout,
    terminationGracePeriod: database.terminationGracePeriod,
    restore: from < 0 ? undefined : { repository: from + 1, time: backup.restoreTime },
  });
}

/** How the node's file system is reached, or undefined if it is prepared by hand. */
export function connectionTo({ node, secrets }: Settings, { agentSocket }: Live): NodeConnection | undefined {
  if (node.connection === "none") return undefined;
  if (node.connection === "local") return { kind: "local" };
  return {
    kind: "ssh",
    // The configuration's checks require both.
    host: node.sshHost ?? "",
    hostKey: node.sshHostKey ?? "",
    port: node.sshPort,
    user: node.sshUser,
    privateKey: secrets.sshPrivateKey,
    agentSocket,
  };
}
