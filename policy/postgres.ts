/** Recognizes a PostgreSQL server and reads its settings. Shares no code with the program. */
import { posix } from "node:path";
import { amountOf } from "./amounts.ts";
import { bytesOfQuantity, bytesOfSetting } from "../quantities.ts";
import { type Container, type Pod, podsIn, volumesOf } from "./pods.ts";
import { type KubernetesObject, objectsIn, type Resource } from "./resources.ts";
import { field, isMap, listAt, mapAt, textAt, UNKNOWN } from "./values.ts";

export const POSTGRES_PORT = 5432;
/** Where the official image puts the data unless PGDATA says otherwise. */
const USUAL_DATA_DIRECTORY = "/var/lib/postgresql/data";

const IMAGE = /(^|\/)(postgres|postgresql|pgvector|postgis|spilo[^/]*|timescaledb[^/]*|pgvecto-rs|paradedb)$/;

/** An image's repository: without its tag and its digest. A colon before a slash is a registry's port. */
export function repositoryOf(image: string): string {
  return image.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
}

/** Whether an image is PostgreSQL's, by the last part of its repository's name. */
export function isDatabaseImage(image: string | undefined): boolean {
  return IMAGE.test(repositoryOf(image ?? ""));
}

function environment(container: Container, name: string): unknown {
  // The last of two counts.
  return field(
    listAt(container.body, "env").findLast((entry) => field(entry, "name") === name),
    "value",
  );
}

/** Whether a container serves a database, rather than being a client of one. */
export function isServer(container: Container): boolean {
  if (container.sort === "init") return false;
  return (
    environment(container, "PGDATA") !== undefined ||
    listAt(container.body, "ports").some((port) => field(port, "containerPort") === POSTGRES_PORT) ||
    (isDatabaseImage(textAt(container.body, "image")) &&
      // A server writes there. What is not known yet is judged again before it is deployed.
      listAt(container.body, "volumeMounts").some(
        (mount) =>
          (textAt(mount, "mountPath") ?? "").startsWith("/var/lib/postgresql") &&
          ![true, UNKNOWN].includes(field(mount, "readOnly") as boolean | symbol),
      ))
  );
}

/** The containers of a pod that serve a database. */
export function serversOf(pod: Pod): Container[] {
  return pod.containers.filter(isServer);
}

/** Why a pod belongs to the node that has the storage, or undefined when it may run anywhere. */
export function statefulness(pod: Pod): string | undefined {
  if (pod.object.kind === "StatefulSet") return "is a StatefulSet";
  if (serversOf(pod).length > 0) return "serves a database";
  if (
    volumesOf(pod).some(
      (volume) => volume.persistentVolumeClaim !== undefined || volume.hostPath !== undefined,
    )
  ) {
    return "mounts storage of the node";
  }
  // One copy of the image, on the node where the server needs it anyway.
  if (pod.containers.some(({ body }) => isDatabaseImage(textAt(body, "image"))))
    return "uses the database's image";
  return undefined;
}

/** Where a server keeps its data. */
export function dataDirectory(server: Container): string {
  const chosen = environment(server, "PGDATA");
  return posix.normalize(typeof chosen === "string" && chosen !== "" ? chosen : USUAL_DATA_DIRECTORY);
}

/** The mount that holds a path of a container: the longest one above it. */
export function mountOver(container: Container, path: string): Record<string, unknown> | undefined {
  const length = (mount: unknown) => (textAt(mount, "mountPath") ?? "").length;
  return listAt(container.body, "volumeMounts")
    .filter(isMap)
    .filter((mount) => `${path}/`.startsWith(`${(textAt(mount, "mountPath") ?? "?").replace(/\/+$/, "")}/`))
    .sort((a, b) => length(b) - length(a))[0];
}

/** One line of a configuration file: a setting, by its lower-case name, `include` too, or what cannot be read. */
export type SettingLine = { line: string } & (
  { name: string; value: string } | { name?: undefined; value?: undefined }
);

/** As guc-file.l reads them: a name, an optional `=`, and a value in quotes or without spaces. */
const SETTING_LINE =
  /^\s*([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*(?:\.[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)?)(?:\s*=\s*|\s+|(?='))(?:'((?:[^'\\]|\\.|'')*)'|([^\s#'=]+))\s*(?:#.*)?$/;

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** A quoted value without its escapes: `''`, `\\n`, `\\47`. */
function unquoted(text: string): string {
  return text.replace(/''|\\([0-7]{1,3}|.)/g, (both, escape?: string) => {
    if (escape === undefined) return both.slice(1);
    return /^[0-7]/.test(escape) ? String.fromCharCode(parseInt(escape, 8)) : (ESCAPES[escape] ?? escape);
  });
}

/** The lines of a postgresql.conf, without empty ones and comments. */
export function settingLines(text: string): SettingLine[] {
  return text.split(/\r?\n/).flatMap((raw): SettingLine[] => {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) return [];
    const [, name, quoted, plain] = SETTING_LINE.exec(raw) ?? [];
    if (name === undefined) return [{ line }];
    return [
      { line, name: name.toLowerCase(), value: quoted === undefined ? (plain ?? "") : unquoted(quoted) },
    ];
  });
}

/** A limit of a role's sessions; without `whose` where it cannot be read. */
export type SessionLine = SettingLine & { whose?: string | undefined };

/** The lines of a file of sessions' limits, `<whose> <setting> <value>`, without empty ones and comments. */
export function sessionLines(text: string): SessionLine[] {
  return text.split(/\r?\n/).flatMap((raw): SessionLine[] => {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) return [];
    const [, whose, name, value] = /^(\S+)\s+(\S+)\s+(.+)$/.exec(line) ?? [];
    return [name === undefined || value === undefined ? { line } : { line, whose, name, value }];
  });
}

/** Settings of a postgresql.conf; the last of repeated ones counts. */
export function parseSettings(text: string): Record<string, string> {
  return Object.fromEntries(
    settingLines(text).flatMap(({ name, value }) => (name === undefined ? [] : [[name, value]])),
  );
}

/** Settings given on a container's command line, as `-c fsync=off` or `--fsync=off`. */
export function settingsOnCommandLine(container: Container): Record<string, string> {
  const words = [...listAt(container.body, "command"), ...listAt(container.body, "args")].filter(
    (word) => typeof word === "string",
  );
  const settings: Record<string, string> = {};
  for (const match of words.join(" ").matchAll(/(?:^|\s)(?:-c\s*|--)([A-Za-z_][\w.-]*)=('[^']*'|\S+)/g)) {
    settings[(match[1] ?? "").toLowerCase().replaceAll("-", "_")] = (match[2] ?? "").replace(/^'|'$/g, "");
  }
  return settings;
}

/** Texts of configuration files in a ConfigMap, by name. */
export function configurationFiles(body: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(mapAt(body, "data")).flatMap(([name, text]) =>
      typeof text === "string" && /\.conf$/.test(name) ? [[name, text]] : [],
    ),
  );
}

/** The server's ConfigMap, and files of settings in others. */
export const SERVER_CONFIG = "postgres-config";
const SETTINGS_FILE = /(^|[-_.])(postgres|postgresql|pgsql|sessions)([-_.]|$)/;

/** Texts of the files of a ConfigMap that hold settings of PostgreSQL, by name. */
export function settingsFiles({ kind, name, body }: KubernetesObject): Record<string, string> {
  if (kind !== "ConfigMap") return {};
  return Object.fromEntries(
    Object.entries(configurationFiles(body)).filter(
      ([file]) => !/hba|ident/.test(file) && (name === SERVER_CONFIG || SETTINGS_FILE.test(file)),
    ),
  );
}

/** A server with what its memory depends on. */
export interface ServerFacts {
  pod: Pod;
  container: Container;
  settings: Record<string, string>;
  /** Bytes of /dev/shm. */
  sharedMemory: number;
}

/** Containers have 64 MiB of it unless a volume is mounted there. */
const USUAL_SHARED_MEMORY = 64 * 2 ** 20;

function sharedMemoryOf(pod: Pod, container: Container): number {
  const mount = listAt(container.body, "volumeMounts").find(
    (entry) => field(entry, "mountPath") === "/dev/shm",
  );
  const volume = volumesOf(pod).find(({ name }) => name === field(mount, "name"));
  if (!mount || !volume || field(volume, "emptyDir", "medium") !== "Memory") return USUAL_SHARED_MEMORY;
  return bytesOfQuantity(textAt(volume, "emptyDir", "sizeLimit") ?? "") ?? USUAL_SHARED_MEMORY;
}

/** The servers of a stack, each with the settings of the ConfigMaps that its pod mounts. */
export function serversIn(stack: readonly Resource[]): ServerFacts[] {
  const configMaps = objectsIn(stack).filter(({ kind }) => kind === "ConfigMap");
  return podsIn(stack).flatMap((pod) => {
    const names = volumesOf(pod).map((volume) => field(volume, "configMap", "name"));
    const mounted = configMaps.filter(({ name }) => names.includes(name));
    // A name that is not known yet, or a projected volume: it may be any configuration of PostgreSQL in the stack.
    const files = (mounted.length > 0 ? mounted : configMaps).flatMap(({ body }) =>
      Object.entries(configurationFiles(body)).filter(([name]) => !/hba|ident/.test(name)),
    );
    const written = Object.assign({}, ...files.map(([, text]) => parseSettings(text))) as Record<
      string,
      string
    >;
    return serversOf(pod).map((container) => ({
      pod,
      container,
      settings: { ...written, ...settingsOnCommandLine(container) },
      sharedMemory: sharedMemoryOf(pod, container),
    }));
  });
}

const KB = 2 ** 10;
/** Defaults of PostgreSQL 16, and what a bare number counts: https://www.postgresql.org/docs/16/runtime-config-resource.html */
const MEMORY_SETTINGS: Readonly<Record<string, { usual: number; unit: number }>> = {
  shared_buffers: { usual: 128 * 2 ** 20, unit: 8 * KB },
  work_mem: { usual: 4 * 2 ** 20, unit: KB },
  maintenance_work_mem: { usual: 64 * 2 ** 20, unit: KB },
  autovacuum_work_mem: { usual: -1, unit: KB },
  wal_buffers: { usual: -1, unit: 8 * KB },
};

/** Bytes of a memory setting, -1 where PostgreSQL derives it, NaN where it cannot be read. */
export function memorySetting(settings: Readonly<Record<string, string>>, name: string): number {
  const { usual = NaN, unit = NaN } = MEMORY_SETTINGS[name] ?? {};
  const written = settings[name];
  if (written === undefined) return usual;
  if (written === "-1") return -1;
  return /^\d+$/.test(written) ? Number(written) * unit : (bytesOfSetting(written) ?? NaN);
}

/**
 * Bytes of shared memory for connections, locks and counted statements. An estimate, not measured: the old manual's
 * 1800 bytes a process and 270 a lock, and half a kilobyte for each statement.
 */
function tablesOf(settings: Readonly<Record<string, string>>): number {
  const numberOf = (name: string, usual: number) => amountOf(settings[name] ?? "", "") ?? usual;
  const processes =
    numberOf("max_connections", 100) +
    numberOf("autovacuum_max_workers", 3) +
    numberOf("max_worker_processes", 8) +
    numberOf("max_wal_senders", 10) +
    numberOf("max_prepared_transactions", 0);
  const locks = numberOf("max_locks_per_transaction", 64) + numberOf("max_pred_locks_per_transaction", 64);
  const activity = amountOf(settings.track_activity_query_size ?? "", "B") ?? KB;
  return processes * (1800 + 270 * locks + activity) + numberOf("pg_stat_statements.max", 5000) * 512;
}

/** Bytes that a server takes at its start. */
export function memoryAtStart({ settings, sharedMemory }: ServerFacts): {
  sharedBuffers: number;
  walBuffers: number;
  tables: number;
  total: number;
} {
  const sharedBuffers = memorySetting(settings, "shared_buffers");
  const chosen = memorySetting(settings, "wal_buffers");
  // Derived: a 32nd of shared_buffers, between 64 kB and one segment of 16 MB.
  const walBuffers =
    chosen >= 0 || Number.isNaN(chosen) ? chosen : Math.min(2 ** 24, Math.max(64 * KB, sharedBuffers / 32));
  const reserved = (amountOf(settings.min_dynamic_shared_memory ?? "", "MB") ?? 0) * 2 ** 20;
  const tables = tablesOf(settings) + reserved;
  return { sharedBuffers, walBuffers, tables, total: sharedBuffers + walBuffers + sharedMemory + tables };
}
