/** The section `backup`: where backups go, when they are made, and what is restored. */
import type { Problem } from "../problem.ts";
import { bytesOfQuantity } from "../quantities.ts";
import {
  absolutePath,
  certificates,
  defaulted,
  flag,
  host,
  hostKeys,
  image,
  integer,
  moment,
  oneOf,
  required,
  size,
  text,
} from "./fields.ts";
import { commandToRemove, commandToSet, type Entries, type Section, type ValuesOf } from "./reader.ts";
import { kindProblems, type Kinds, strayProblems } from "./kinds.ts";
import { isStored } from "./secret-store.ts";
import { objectionToDirectory } from "./system-directories.ts";

/** Where a repository can be. */
const KINDS = ["volume", "directory", "s3", "sftp"] as const;

const repository = {
  kind: required(
    oneOf(KINDS, {
      description:
        "`s3`: an object store. `sftp`: another machine, or a storage box. `directory`: on another disk of the node, or a share mounted there. `volume`: next to the data, for trying it out",
    }),
  ),
  path: absolutePath({
    description:
      "`directory`: the directory on the node. `sftp`: on the other machine. `s3`: prefix of the objects. Default for `s3`: /transcript-pipeline/<stack>",
  }),
  mount: absolutePath({ description: "`directory`: mount point above `path`, which must be mounted" }),
  capacity: size({
    description: "`directory`: the space that must be available. Default: `storage.capacity`",
  }),
  endpoint: host({
    description:
      "`s3`: host name of the store, as in s3.eu-central-1.amazonaws.com. `sftp`: name or address of the machine",
  }),
  port: integer(1, 65535, "port", {
    description: "`s3`, `sftp`: port of the endpoint. Default: 443, and 22 for `sftp`",
  }),
  user: text(/^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}$/, "the name of a user", {
    description: "`sftp`: the user, who may log in with `secrets.repositories.<name>.privateKey`",
  }),
  hostKeys: hostKeys({ description: "`sftp`: public host keys of the endpoint, from `ssh-keyscan`" }),
  bucket: text(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "3 to 63 lower-case letters, digits, '.' and '-'", {
    description: "`s3`: the bucket, which must exist",
  }),
  region: defaulted(
    "us-east-1",
    text(/^[a-z0-9-]{1,64}$/, "a region's name, as in eu-central-1", { description: "`s3`: region" }),
  ),
  pathStyle: defaulted(
    true,
    flag({ description: "`s3`: the bucket is part of the path, as every store but AWS expects it" }),
  ),
  ca: certificates({ description: "`s3`: the CA of the store's certificate. Default: those of the image" }),
  keepFull: defaulted(
    4,
    integer(1, 1000, "full backups", {
      description: "Full backups that are kept, each with the WAL from it on",
    }),
  ),
} as const satisfies Section;

/** The name of a repository: part of objects' names. */
export const REPOSITORY_NAME = {
  name: /^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/,
  allowed: "22 lower-case letters, digits and '-' at most, beginning with a letter",
  most: 2,
};

/** A repository's secrets, in `secrets.repositories`. */
export const REPOSITORY_SECRETS = ["accessKey", "secretKey", "privateKey"] as const;

const repositories: Entries<typeof repository> = {
  fields: repository,
  ...REPOSITORY_NAME,
  secrets: { path: "secrets.repositories", fields: REPOSITORY_SECRETS },
};

/** Five fields of cron, or one of its words. */
const CRON = "@(yearly|monthly|weekly|daily|hourly)|[0-9*/,A-Za-z-]+( [0-9*/,A-Za-z-]+){4}";
const schedule = (about: { description: string }) =>
  text(new RegExp(`^(${CRON})$`), "a cron schedule, as in '0 2 * * 0'", about);

/** In place of a schedule. A field that is left out has its default, so it cannot say this. */
export const NEVER = "never";

export const backup = {
  repositories,
  image: defaulted(
    "woblerr/pgbackrest:2.59.2-v0.39",
    image({ description: "An image with pgBackRest and bash" }),
  ),
  archiveTimeout: defaulted(
    30,
    integer(5, 45, "seconds", {
      description:
        "Time after which WAL that is not full is archived: at most this much and the transfer is lost",
    }),
  ),
  fullSchedule: defaulted("30 1 * * 0", schedule({ description: "When full backups are made" })),
  incrementalSchedule: defaulted(
    "30 1 * * 1-6",
    schedule({ description: "When incremental backups are made" }),
  ),
  drillSchedule: defaulted(
    "30 4 * * 0",
    schedule({
      description: "When the newest backup of each repository is restored as a test, and compared",
    }),
  ),
  drillFree: defaulted(
    10,
    integer(0, 90, "percent of the data's disk", {
      description:
        "What must stay free of the data's disk next to a restored copy. Otherwise the drill fails",
    }),
  ),
  verify: defaulted(
    true,
    flag({
      description:
        "Whether a drill then reads every object of each repository, and finds damage in older backups and gaps in the WAL. A store may charge for that",
    }),
  ),
  dumpSchedule: defaulted(
    "30 3 * * 6",
    text(new RegExp(`^(${CRON}|${NEVER})$`), `a cron schedule, as in '0 2 * * 0', or '${NEVER}'`, {
      description:
        "When a logical dump of the database is written into each repository, and compared. `never`: only by `npm run backup -- dump`",
    }),
  ),
  keepDumps: defaulted(
    4,
    integer(1, 1000, "dumps", { description: "Logical dumps that are kept in each repository" }),
  ),
  dumpImage: defaulted(
    "rclone/rclone:1.71.2",
    image({ description: "An image with rclone 1.60 or newer and a shell, for logical dumps" }),
  ),
  timeZone: defaulted(
    "Etc/UTC",
    text(/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/, "a time zone, as in Europe/Berlin", {
      description: "Time zone of the schedules",
    }),
  ),
  backupTimeout: defaulted(
    43200,
    integer(600, 604800, "seconds", {
      description: "Time for one backup, one restore drill or one logical dump, including waiting",
    }),
  ),
  walQueue: size({
    description:
      "WAL that may wait on the data's disk for a repository. More is dropped: the next backup closes the gap. Default: half of `storage.capacity`",
  }),
  restoreFrom: text(REPOSITORY_NAME.name, "the name of a repository", {
    description: "The repository from which an empty directory is filled, instead of a new database",
  }),
  restoreTime: moment({ description: "The moment to restore to. Default: the latest" }),
} as const satisfies Section;

/** What is written in the section. */
export type BackupValues = ValuesOf<typeof backup>;
/** One repository. */
export type Repository = ValuesOf<typeof repository>;

/** What repositories are reached with, by the repository's name. */
type Keys = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Looked {
  stack: string;
  storage: { path: string };
  backup: BackupValues;
  secrets: { repositories: Keys };
  secretStore: { source: string };
  database: { settings: Readonly<Record<string, string>> };
}

const REPOSITORIES: Kinds<Repository["kind"]> = {
  path: "backup.repositories",
  secretPath: "secrets.repositories",
  what: "repository",
  fieldsOf: {
    volume: { needs: [], has: [], secrets: [] },
    directory: { needs: ["path"], has: ["mount", "capacity"], secrets: [] },
    s3: { needs: ["endpoint", "bucket"], has: ["port", "path", "ca"], secrets: ["accessKey", "secretKey"] },
    sftp: { needs: ["endpoint", "user", "hostKeys", "path"], has: ["port"], secrets: ["privateKey"] },
  },
};

/** Whether a repository is reached over the network. */
export function isRemote({ kind }: Pick<Repository, "kind">): boolean {
  return kind === "s3" || kind === "sftp";
}

/** The port of a repository's endpoint. */
export function portOf({ kind, port }: Pick<Repository, "kind" | "port">): number {
  return port ?? (kind === "sftp" ? 22 : 443);
}

/** Whether WAL is archived. */
export function isBackedUp({ backup: written }: { backup: BackupValues }): boolean {
  return Object.keys(written.repositories).length > 0;
}

const isIn = (path: string, directory: string) => `${path}/`.startsWith(`${directory}/`);

/** How one directory is to another, or undefined if they are apart. */
function overlap(path: string, other: string): string | undefined {
  if (path === other) return "the same directory as";
  if (isIn(path, other)) return "in";
  return isIn(other, path) ? "above" : undefined;
}

/**
 * Checks a repository's directory.
 *
 * @param others directories that it must be apart from, by key
 */
function directoryProblems(
  stack: string,
  name: string,
  { kind, path, mount }: Repository,
  others: Readonly<Record<string, string>>,
): Problem[] {
  if (kind !== "directory" || path === undefined) return [];
  const key = `backup.repositories.${name}`;
  const unfit = objectionToDirectory(path, stack === "dev");
  const allowed = `Allowed: a directory for these backups alone, such as /mnt/backup/postgres. Set it: ${commandToSet(`${key}.path`, false)}`;
  const problems: Problem[] = [];
  if (unfit !== undefined)
    problems.push({ key: `${key}.path`, message: `is "${path}", ${unfit}. ${allowed}` });
  for (const [other, taken] of Object.entries(others)) {
    const how = overlap(path, taken);
    if (how === undefined) continue;
    const message = `is "${path}", ${how} ${other}, "${taken}": what deletes or fills one does it to the other. ${allowed}`;
    problems.push({ key: `${key}.path`, message });
  }
  if (mount !== undefined && !isIn(path, mount)) {
    const message = `is "${mount}", which is not above path, "${path}". Set it: ${commandToSet(`${key}.mount`, false)}`;
    problems.push({ key: `${key}.mount`, message });
  }
  return problems;
}

/** The directories of the stack that a repository's must be apart from: the data's, and those of repositories before it. */
function directoriesBefore({ storage, backup: { repositories: all } }: Looked, name: string) {
  const before = Object.entries(all).slice(0, Object.keys(all).indexOf(name));
  return {
    "storage.path": storage.path,
    ...Object.fromEntries(
      before.flatMap(([other, { kind, path }]) =>
        kind === "directory" && path !== undefined ? [[`backup.repositories.${other}.path`, path]] : [],
      ),
    ),
  };
}

/** Settings that archiving sets, and what else it cannot do with. */
const OF_ARCHIVING = ["archive_mode", "archive_command", "archive_library", "archive_timeout"];

/** How the fields of the section fit together, and to those of others. */
export function backupProblems(looked: Looked): Problem[] {
  const { stack, backup: written, secrets, database } = looked;
  const names = Object.keys(written.repositories);
  const problems = Object.entries(written.repositories).flatMap(([name, values]) => [
    ...kindProblems(REPOSITORIES, name, values, secrets.repositories[name], isStored(looked)),
    ...directoryProblems(stack, name, values, directoriesBefore(looked, name)),
  ]);
  problems.push(...strayProblems(REPOSITORIES, names, secrets.repositories));
  const { restoreFrom, restoreTime } = written;
  if (restoreFrom !== undefined && !names.includes(restoreFrom)) {
    problems.push({
      key: "backup.restoreFrom",
      message:
        `is "${restoreFrom}". Allowed: the name of a repository` +
        `${names.length > 0 ? `, ${names.join(" or ")}` : ", and there is none"}. To remove it: ${commandToRemove("backup.restoreFrom")}`,
    });
  }
  if (restoreTime !== undefined && restoreFrom === undefined) {
    problems.push({
      key: "backup.restoreTime",
      message: `is without backup.restoreFrom, the repository to restore from. Set it: ${commandToSet("backup.restoreFrom", false)}`,
    });
  }
  if (names.length === 0) return problems;
  for (const setting of Object.keys(database.settings)) {
    if (!OF_ARCHIVING.includes(setting.toLowerCase())) continue;
    const key = `database.settings.${setting}`;
    problems.push({
      key,
      message: `is set by the backups and cannot be configured. To remove it: ${commandToRemove(key)}`,
    });
  }
  if (database.settings.wal_level?.toLowerCase() === "minimal") {
    const key = "database.settings.wal_level";
    problems.push({
      key,
      message: `is minimal, with which no WAL can be archived. Allowed with backups: replica or logical. To remove it: ${commandToRemove(key)}`,
    });
  }
  return problems;
}

/** What every preview says about the backups. */
export function backupWarnings({
  backup: written,
  storage,
}: {
  backup: BackupValues;
  storage: { capacity: string };
}): string[] {
  const entries = Object.entries(written.repositories);
  if (entries.length === 0) {
    return [
      "there are no backups: what is lost with the disk is lost for good. Where they can go: docs/backups.md",
    ];
  }
  const kinds = new Set(entries.map(([, { kind }]) => kind));
  const warnings: string[] = [];
  if (!entries.some(([, repository]) => isRemote(repository))) {
    const where = kinds.has("directory") ? "on this node" : "on the data's own disk";
    warnings.push(
      `all backups are ${where}, and lost with it. Add a repository on another machine: docs/backups.md`,
    );
  }
  const queue = walQueueBytes(written, storage.capacity);
  if (queue >= (bytesOfQuantity(storage.capacity) ?? NaN)) {
    warnings.push(
      `backup.walQueue is ${written.walQueue}, and storage.capacity ${storage.capacity}: when no repository answers, the disk fills before WAL is dropped`,
    );
  }
  if (written.restoreFrom !== undefined) {
    warnings.push(
      `backup.restoreFrom is ${written.restoreFrom}: an empty directory is filled from that repository. Once it is: ${commandToRemove("backup.restoreFrom")}`,
    );
  }
  return warnings;
}

/** Bytes of WAL that may wait for a repository. */
export function walQueueBytes({ walQueue }: BackupValues, capacity: string): number {
  return walQueue === undefined ? (bytesOfQuantity(capacity) ?? NaN) / 2 : (bytesOfQuantity(walQueue) ?? NaN);
}
