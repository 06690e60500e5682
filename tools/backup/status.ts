/** What there is of backups: a status from what pgBackRest, the server and the cluster say, and its words. Pure. */
import { BACKUP_CRON_JOBS, FIRST_BACKUP_JOB } from "../../components/kubernetes/names.ts";
import { readableBytes, readableSpan } from "../../quantities.ts";

/** The parts of `pgbackrest info --output=json` that are read. */
export interface Information {
  backup: {
    label: string;
    type: string;
    error?: boolean | null;
    database: { "repo-key": number };
    info: { size: number; repository: { delta: number; size?: number } };
    /** Seconds since 1970. */
    timestamp: { start: number; stop: number };
    /** What backup.sh has annotated it with. */
    annotation?: Readonly<Record<string, string>> | null;
  }[];
  repo: { key: number; status: { code: number; message: string } }[];
  /** The WAL of each repository, of each version of PostgreSQL that it has held. */
  archive?: { database: { id: number; "repo-key": number }; max: string | null }[];
}

/** What tools/backup/status.sql returns. Times are ISO 8601. */
export interface ServerReport {
  now: string;
  archiving: boolean;
  archiver: {
    last_archived_wal: string | null;
    last_archived_time: string | null;
    last_failed_wal: string | null;
    last_failed_time: string | null;
  };
  /** Segments of WAL that wait to be archived. */
  waiting: number;
  heartbeat: {
    newest: string | null;
    archived: string | null;
    /** Seconds since the one that is archived, by a clock that nobody sets. */
    lost: number | null;
    /** The last time that the clock was set back, in two days. */
    setBack: ClockSetBack | null;
  } | null;
  drills: DrillReport[] | null;
}

/** The clock showed one moment, ISO 8601, and then an earlier one: what is between them, it has shown twice. */
export interface ClockSetBack {
  from: string;
  to: string;
}

/** One drill of one repository. */
export interface DrillReport {
  at: string;
  proven: boolean;
  repository: string | null;
  label: string | null;
  lsn: string | null;
  /** Seconds of work that would have been lost. */
  rpo: number | null;
  seconds: number | null;
  words: string;
}

/** The parts of a Job that are read. */
export interface JobObject {
  metadata: { name: string; ownerReferences?: { kind: string; name: string }[]; creationTimestamp?: string };
  status?: {
    startTime?: string;
    completionTime?: string;
    conditions?: { type: string; status: string; reason?: string; lastTransitionTime?: string }[];
  };
}

/** The parts of a Job's pod that are read. */
export interface JobPodObject {
  metadata: { labels?: Record<string, string> };
  status?: {
    phase?: string;
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}

interface ContainerStatus {
  name: string;
  state?: {
    running?: object;
    waiting?: { reason?: string };
    terminated?: { exitCode: number; message?: string };
  };
}

/** What was asked. A part that could not be asked is the reason. */
export interface Found {
  /** `1:cloud:s3 2:nas:directory` */
  repositories: string;
  information: Information | Error;
  server: ServerReport | Error;
  jobs: JobObject[];
  pods: JobPodObject[];
}

/** One base backup. */
export interface BackupReport {
  label: string;
  type: string;
  /** When it was finished, ISO 8601. */
  finished: string;
  seconds: number;
  /** Bytes of the database, and of what was stored for it. */
  size: number;
  stored: number;
  /** What a server needs for it, if the backup says so: version of PostgreSQL, image, extensions' versions by database. */
  version?: string;
  image?: string;
  extensions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** One repository. */
export interface RepositoryReport {
  name: string;
  kind: string;
  /** pgBackRest's: `ok`, or what is wrong. */
  state: string;
  /** The oldest first. Those with errors, such as a wrong checksum of a page, are left out. */
  backups: BackupReport[];
  /** Backups with errors. */
  damaged: string[];
  /** The moments that can be restored, ISO 8601; missing if there are none. */
  recoverable?: { from: string; to: string };
  /** Its newest WAL, if another repository has newer. */
  behind?: string;
  /** The last drill that restored it. */
  proof?: DrillReport;
}

/** A Job that makes backups or drills, and is running or has ended. */
export interface RunReport {
  what: "first backup and drill" | "full backup" | "incremental backup" | "drill" | "dump";
  job: string;
  state: "running" | "complete" | "failed";
  /** When it has begun or ended, ISO 8601. */
  at: string | undefined;
  /** The last line of its container, or what it waits for. */
  words: string;
}

/** The whole status, as --json prints it. */
export interface Status {
  /** The server's clock, ISO 8601; this machine's if the server does not answer. */
  now: string;
  repositories: RepositoryReport[];
  archiving: {
    state: "works" | "fails" | "off" | "unknown";
    lastArchived?: { wal: string; at: string } | undefined;
    lastFailed?: { wal: string; at: string } | undefined;
    /** Segments of WAL that wait on the disk. */
    waiting?: number;
    /** Seconds of work that a loss of the disk would cost now. */
    lost?: number | undefined;
  };
  clockSetBack?: ClockSetBack;
  /** The last drills, the newest first. */
  drills: DrillReport[];
  runs: RunReport[];
  /** What could not be asked. */
  unanswered: string[];
}

const iso = (time: string | number) => new Date(typeof time === "number" ? time * 1000 : time).toISOString();
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
/** The time in a label's last part. pgBackRest never lets it go back, whatever the clock does. */
const begun = (label: string) => label.split("_").at(-1) ?? label;
const secondsBetween = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 1000;

/** Undoes what extensions.sql does to names. What cannot be one stays as it is. */
function plain(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

/**
 * Extensions' versions by database, from the annotation: `transcripts_db:pg_trgm=1.6,vector=0.8.0;postgres:`. Databases
 * without extensions are left out.
 */
export function extensionsOf(annotation: string): Record<string, Record<string, string>> {
  const databases = annotation.split(";").flatMap((entry) => {
    const [database = "", list = ""] = entry.split(":");
    const extensions = list
      .split(",")
      .filter((extension) => extension !== "")
      .map((extension) => extension.split("=", 2).map(plain));
    return extensions.length === 0
      ? []
      : [[plain(database), Object.fromEntries(extensions) as Record<string, string>] as const];
  });
  return Object.fromEntries(databases);
}

/** The newest WAL of each repository, by its number; nothing of one that cannot be read. */
function newestWal({ archive = [] }: Information): Map<string, string> {
  const newest = new Map<string, string>();
  for (const { database, max } of archive) {
    const key = String(database["repo-key"]);
    if (max !== null && max > (newest.get(key) ?? "")) newest.set(key, max);
  }
  return newest;
}

function repositoryReports({ repositories, information }: Found, server: ServerReport | undefined) {
  const until = server?.heartbeat?.archived ?? undefined;
  const wal = information instanceof Error ? new Map<string, string>() : newestWal(information);
  const last = [...wal.values()].sort().at(-1);
  return repositories
    .split(" ")
    .filter((entry) => entry !== "")
    .map((entry): RepositoryReport => {
      const [key, name = "", kind = ""] = entry.split(":");
      if (information instanceof Error) return { name, kind, state: "unknown", backups: [], damaged: [] };
      const own = information.backup
        .filter(({ database }) => String(database["repo-key"]) === key)
        .sort((a, b) => compare(begun(a.label), begun(b.label)));
      const whole = own.filter(({ error }) => error !== true);
      const status = information.repo.find((repo) => String(repo.key) === key)?.status;
      const [oldest] = whole;
      const newest = whole.at(-1);
      const proof = server?.drills?.find(({ proven, repository }) => proven && repository === name);
      return {
        name,
        kind,
        state: status?.message ?? "unknown",
        backups: whole.map(({ label, type, timestamp, info, annotation }) => ({
          label,
          type,
          finished: iso(timestamp.stop),
          seconds: timestamp.stop - timestamp.start,
          size: info.size,
          stored: info.repository.delta,
          ...(annotation?.version !== undefined && { version: annotation.version }),
          ...(annotation?.image !== undefined && { image: annotation.image }),
          ...(annotation?.extensions !== undefined && { extensions: extensionsOf(annotation.extensions) }),
        })),
        damaged: own.filter(({ error }) => error === true).map(({ label }) => label),
        ...(oldest &&
          newest && {
            recoverable: {
              from: iso(oldest.timestamp.stop),
              to:
                until !== undefined && Date.parse(until) > newest.timestamp.stop * 1000
                  ? iso(until)
                  : iso(newest.timestamp.stop),
            },
          }),
        ...(last !== undefined && wal.get(key ?? "") !== last && { behind: wal.get(key ?? "") ?? "" }),
        ...(proof && { proof }),
      };
    });
}

function archivingReport(server: ServerReport | undefined): Status["archiving"] {
  if (!server) return { state: "unknown" };
  if (!server.archiving) return { state: "off" };
  const { archiver, waiting, heartbeat, now } = server;
  const at = (wal: string | null, time: string | null) =>
    wal === null || time === null ? undefined : { wal, at: iso(time) };
  const lastArchived = at(archiver.last_archived_wal, archiver.last_archived_time);
  const lastFailed = at(archiver.last_failed_wal, archiver.last_failed_time);
  // In the order of the WAL. By time only what waits: a clock that was set back makes an old failure look like a new one.
  const failedLast =
    lastFailed &&
    (!lastArchived ||
      lastFailed.wal > lastArchived.wal ||
      (waiting > 0 &&
        Date.parse(lastFailed.at) > Date.parse(lastArchived.at) &&
        Date.parse(lastFailed.at) <= Date.parse(now)));
  return {
    state: failedLast ? "fails" : lastArchived ? "works" : "unknown",
    lastArchived,
    lastFailed,
    waiting,
    lost: heartbeat?.lost ?? undefined,
  };
}

/** What a Job of the backups does, or undefined if it is none of theirs. */
function kindOf({ metadata }: JobObject): RunReport["what"] | undefined {
  if (metadata.name === FIRST_BACKUP_JOB) return "first backup and drill";
  switch (metadata.ownerReferences?.find(({ kind }) => kind === "CronJob")?.name) {
    case BACKUP_CRON_JOBS.full:
      return "full backup";
    case BACKUP_CRON_JOBS.incremental:
      return "incremental backup";
    case BACKUP_CRON_JOBS.drill:
      return "drill";
    case BACKUP_CRON_JOBS.dump:
      return "dump";
    default:
      return undefined;
  }
}

/** The last line of a container's log, without the name of its script. */
const lastLine = (text = "") =>
  (text.trimEnd().split("\n").at(-1) ?? "").replace(/^(backup|drill|dump): /, "");

/** The last line of the container that failed, or else of the last one that ended; what a pod waits for before. */
export function wordsOf(pod: JobPodObject | undefined): string {
  const all = [...(pod?.status?.initContainerStatuses ?? []), ...(pod?.status?.containerStatuses ?? [])];
  // An agent is told to stop when the drill is over, and ends with 143.
  const ended = all.flatMap(({ state }) => (state?.terminated ? [state.terminated] : []));
  const failed = ended.findLast(({ exitCode }) => exitCode !== 0 && exitCode !== 143);
  if (failed) return lastLine(failed.message) || `ended with ${failed.exitCode}`;
  // What a container says of its success, it writes for this.
  const successful = ended.findLast(({ message }) => message !== undefined && message !== "");
  if (successful && ended.length === all.length) return lastLine(successful.message);
  const waiting = all.find(({ state }) => state?.waiting && state.waiting.reason !== "PodInitializing")?.state
    ?.waiting;
  const running = all.findLast(({ state }) => state?.running)?.name;
  if (waiting?.reason !== undefined) return waiting.reason;
  return running === undefined ? "" : `container ${running} is running`;
}

/** What a success of a run makes up for. */
const MENDS: Readonly<Record<RunReport["what"], readonly RunReport["what"][]>> = {
  "first backup and drill": ["first backup and drill", "full backup", "incremental backup", "drill"],
  "full backup": ["full backup", "incremental backup"],
  "incremental backup": ["full backup", "incremental backup"],
  drill: ["drill", "first backup and drill"],
  dump: ["dump"],
};

/**
 * The runs, the newest first: those that are running, and of each kind the last one that has ended; without failures
 * that a later success has made up for.
 */
export function runReports(jobs: readonly JobObject[], pods: readonly JobPodObject[]): RunReport[] {
  const seen = new Set<RunReport["what"]>();
  const mended = new Set<RunReport["what"]>();
  return jobs
    .flatMap((job): RunReport[] => {
      const what = kindOf(job);
      if (what === undefined) return [];
      const { conditions = [], startTime, completionTime } = job.status ?? {};
      const ended = (type: string) =>
        conditions.find((condition) => condition.type === type && condition.status === "True");
      const failed = ended("Failed");
      const state = failed ? "failed" : ended("Complete") ? "complete" : "running";
      const pod = pods.findLast(({ metadata }) => metadata.labels?.["job-name"] === job.metadata.name);
      const at = failed?.lastTransitionTime ?? completionTime ?? startTime ?? job.metadata.creationTimestamp;
      const deadline =
        failed?.reason === "DeadlineExceeded" ? "it was not done in time: backup.backupTimeout" : "";
      return [{ what, job: job.metadata.name, state, at, words: deadline || wordsOf(pod) }];
    })
    .sort((a, b) => Date.parse(b.at ?? "") - Date.parse(a.at ?? ""))
    .filter(({ what, state }) => {
      if (state === "running") return true;
      const last = !seen.has(what) && !(state === "failed" && mended.has(what));
      seen.add(what);
      if (state === "complete") for (const kind of MENDS[what]) mended.add(kind);
      return last;
    });
}

/** The status of everything that was found. */
export function statusOf(found: Found): Status {
  const server = found.server instanceof Error ? undefined : found.server;
  return {
    now: iso(server?.now ?? Date.now() / 1000),
    repositories: repositoryReports(found, server),
    archiving: archivingReport(server),
    ...(server?.heartbeat?.setBack && {
      clockSetBack: { from: iso(server.heartbeat.setBack.from), to: iso(server.heartbeat.setBack.to) },
    }),
    drills: server?.drills ?? [],
    runs: runReports(found.jobs, found.pods),
    unanswered: [found.information, found.server].flatMap((part) =>
      part instanceof Error ? [part.message] : [],
    ),
  };
}

const moment = (time: string) => time.replace("T", " ").replace(/\.\d+Z$|Z$/, " UTC");
/** How long before `now` a time was. After it lies what was written before the clock was set back. */
const agoAt = (now: string) => (time: string) =>
  secondsBetween(time, now) < -5
    ? `at ${moment(time)}, which is yet to come`
    : `${readableSpan(secondsBetween(time, now))} ago`;
const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;

function repositoryLines(report: RepositoryReport, now: string): string[] {
  const { name, kind, state, backups, damaged, recoverable, proof, behind } = report;
  const ago = agoAt(now);
  const newest = backups.at(-1);
  const fulls = backups.filter(({ type }) => type === "full").length;
  const stored = backups.reduce((sum, backup) => sum + backup.stored, 0);
  const lines = [`repository ${name} (${kind}): ${state}`];
  if (newest) {
    lines.push(
      `  ${plural(backups.length, "backup")}, ${fulls} of them full, ${readableBytes(stored)} in all`,
      `  newest: ${newest.label} (${newest.type}), ${ago(newest.finished)}, of ${readableBytes(newest.size)}, made in ${readableSpan(newest.seconds)}`,
    );
    const { version, extensions = {} } = newest;
    if (version !== undefined) {
      const databases = Object.entries(extensions).map(
        ([database, has]) =>
          `${database} with ${Object.entries(has)
            .map(([extension, at]) => `${extension} ${at}`)
            .join(", ")}`,
      );
      lines.push(`  of PostgreSQL ${[version, ...databases].join("; ")}`.replaceAll(/\p{Cc}/gu, "?"));
    }
  } else if (state !== "unknown") {
    lines.push("  no backup");
  }
  if (behind !== undefined) {
    lines.push(
      `  LACKS WAL ${behind === "" ? "" : `after ${behind} `}that another repository has. Why: kubectl -n transcript-pipeline logs postgres-backup-0`,
    );
  }
  if (damaged.length > 0) lines.push(`  WITH ERRORS: ${damaged.join(", ")}`);
  if (recoverable) {
    lines.push(
      `  can be restored to any moment from ${moment(recoverable.from)} to ${moment(recoverable.to)}`,
    );
  }
  if (state !== "unknown") {
    lines.push(
      proof
        ? `  last proven restore: ${ago(proof.at)}, backup ${proof.label}`
        : "  never restored as a test: npm run backup -- drill",
    );
  }
  return lines;
}

function archivingLines({ archiving, now }: Status): string[] {
  const { state, lastArchived, lastFailed, waiting = 0, lost } = archiving;
  const ago = agoAt(now);
  const words = {
    works: "archiving: works",
    fails: `archiving: FAILS: ${lastFailed?.wal} could not be archived, ${ago(lastFailed?.at ?? now)}. Why: kubectl -n transcript-pipeline logs postgres-backup-0`,
    off: "archiving: off",
    unknown: "archiving: not known yet",
  }[state];
  return [
    words,
    ...(lastArchived ? [`  last archived: ${lastArchived.wal}, ${ago(lastArchived.at)}`] : []),
    ...(waiting > 0 ? [`  waiting on the disk: ${plural(waiting, "segment")} of WAL`] : []),
    ...(lost === undefined ? [] : [`  a loss of the disk now would cost the last ${readableSpan(lost)}`]),
  ];
}

/** The status in words. */
export function statusLines(status: Status): string[] {
  const { repositories, drills, runs, unanswered, now, clockSetBack } = status;
  const [lastDrill] = drills;
  const ago = agoAt(now);
  return [
    ...(repositories.length === 0 ? ["no backups: this stack has no repository. docs/backups.md"] : []),
    ...repositories.flatMap((report) => repositoryLines(report, now)),
    ...archivingLines(status),
    ...(clockSetBack
      ? [
          `the server's clock was set back from ${moment(clockSetBack.from)} to ${moment(clockSetBack.to)}: a restore to a moment between them ends at its first time. docs/restoring.md`,
        ]
      : []),
    ...(lastDrill ? [`last drill, ${ago(lastDrill.at)}: ${lastDrill.words}`] : []),
    ...runs.flatMap(({ what, job, state, at, words }) => {
      const since =
        at === undefined
          ? ""
          : state === "running"
            ? ` since ${readableSpan(secondsBetween(at, now))}`
            : `, ${ago(at)}`;
      // A backup is listed by its repository, and a drill by the server: of dumps, there is only this.
      if (state === "complete") return what === "dump" ? [`last dump${since}: ${words}`] : [];
      return [`${what} (${job}): ${state}${since}${words === "" ? "" : `: ${words}`}`];
    }),
    ...unanswered.map((reason) => `not known: ${reason}`),
  ];
}
