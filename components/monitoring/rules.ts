/**
 * What is wrong, and from when on: one table for the status in words, for messages and for alerts, so that they never
 * disagree. Figures and their units: components/server/scripts/figures-now.sql, node-figures.sh;
 * of whoever looks: scripts/look.sh. Pure.
 */
import { readableBytes, readableSpan } from "../../quantities.ts";

/** How grave it is: the data or the service is in danger now, or will be if nobody acts. */
export type Severity = "critical" | "warning";

/** A figure that was measured. */
export interface Figure {
  name: string;
  /** Which one, such as a repository; empty if there is only one. */
  label: string;
  /** In the unit that the name ends with. */
  value: number;
}

/** When a figure is wrong. */
export interface Rule {
  /** Its name, unique. */
  name: string;
  figure: string;
  /** Wrong above it, or below it. */
  above?: number;
  below?: number;
  /** Seconds that it must last before somebody is told. The status shows it at once. */
  lasts: number;
  severity: Severity;
  /** What is wrong. `{label}` and `{value}` in the figure's own unit; see {@link sentence}. */
  words: string;
  /** What to do, in words or as a command; the page says more. */
  remedy: string;
  /** Page in docs/, with the part of it. */
  page: string;
  /** Why it comes neither too early nor too late. */
  why: string;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LOGS = "kubectl -n transcript-pipeline logs";

/** The gravest first, and what everything else depends on. */
export const RULES: readonly Rule[] = [
  {
    name: "database-silent",
    figure: "database_silent_seconds",
    above: 35,
    lasts: 0,
    severity: "critical",
    words: "the database has not answered for {value}",
    remedy: "npm run status",
    page: "status.md#the-database-does-not-answer",
    why: "it is asked every ten seconds, and a restart for a deployment takes less; with the message that is within a minute",
  },
  {
    name: "disk-read-only",
    figure: "disk_read_only",
    above: 0,
    lasts: 0,
    severity: "critical",
    words: "the data's disk is mounted read-only: PostgreSQL cannot write",
    remedy: "find out why on the node, before anything else is tried: dmesg | tail -n 50",
    page: "status.md#the-disk-is-read-only",
    why: "a kernel mounts a file system read-only after an error of it; nothing mends that by itself",
  },
  {
    name: "raid-degraded",
    figure: "raid_missing_devices",
    above: 0,
    lasts: 0,
    severity: "critical",
    words: "RAID {label} lacks {value} of its devices: one more that fails may take all data with it",
    remedy: "replace the device: cat /proc/mdstat on the node",
    page: "status.md#a-raid-lacks-a-device",
    why: "a rebuild takes hours, during which the array is as bare as before it",
  },
  {
    name: "damaged-pages",
    figure: "damaged_pages",
    above: 0,
    lasts: 0,
    severity: "critical",
    words:
      "PostgreSQL has read {value} damaged pages in database {label}: disk or memory return other data than was written",
    remedy: "stop what writes, and prove what the backups have: npm run backup -- drill",
    page: "status.md#damaged-pages",
    why: "checksums do not err: one is enough",
  },
  {
    name: "disk-almost-full",
    figure: "disk_free_ratio",
    below: 0.05,
    lasts: 5 * MINUTE,
    severity: "critical",
    words: "only {value} of the data's disk is free: PostgreSQL stops when it cannot write its WAL",
    remedy: "make room, or grow the volume",
    page: "full-disk.md",
    why: "5 % of a small disk still takes a few segments of WAL; a large sort may come close to it for a minute",
  },
  {
    name: "disk-files-almost-used",
    figure: "disk_files_free_ratio",
    below: 0.05,
    lasts: 5 * MINUTE,
    severity: "critical",
    words:
      "only {value} of the files that the data's disk can hold are left: PostgreSQL stops when it cannot make one",
    remedy: "remove what else is on the disk: df -i",
    page: "full-disk.md",
    why: "a database has few files, so that something else uses them, and goes on",
  },
  {
    name: "archive-behind",
    figure: "archive_behind_seconds",
    above: MINUTE,
    lasts: 45,
    severity: "critical",
    words: "a loss of the disk now would cost the last {value} of work: archiving is behind",
    remedy: `the agent says why: ${LOGS} postgres-backup-0`,
    page: "backups.md",
    why: "a minute is what is promised; a server that was away has archived something within 40 s of its start",
  },
  {
    name: "repository-failing",
    figure: "repository_failing",
    above: 0,
    lasts: 15 * MINUTE,
    severity: "critical",
    words: "repository {label} cannot be read, or has no backup: nothing may come back from it",
    remedy: "npm run backup -- status",
    page: "backups.md",
    why: "it is asked every ten minutes: one failure may be the network's, two are not",
  },
  {
    name: "drill-failed",
    figure: "drill_failed",
    above: 0,
    lasts: 0,
    severity: "critical",
    words: "the last restore drill of repository {label} failed: its backups may be worth nothing",
    remedy: "npm run backup -- status has its words; again: npm run backup -- drill",
    page: "backups.md",
    why: "a drill has tried for hours before it fails",
  },
  {
    name: "configuration-refused",
    figure: "configuration_refused",
    above: 0,
    lasts: 30,
    severity: "critical",
    words: "PostgreSQL refused the deployed configuration, and runs with the last one that worked",
    remedy: `correct database.settings, and deploy again. Why: ${LOGS} postgres-0 -c reconcile`,
    page: "refused-configuration.md",
    why: "a deployment that corrects it at once takes a few seconds",
  },
  {
    name: "certificate-expired",
    figure: "certificate_left_seconds",
    below: 0,
    lasts: 0,
    severity: "critical",
    words: "the server's certificate has expired: clients that verify it are refused",
    remedy: `renew it. Why nobody did: ${LOGS} postgres-0 -c certificate`,
    page: "tls.md",
    why: "it is refused from this second on",
  },
  {
    name: "certificate-ends",
    figure: "certificate_left_seconds",
    below: 3 * DAY,
    lasts: 0,
    severity: "critical",
    words: "the server's certificate is valid for {value} more: then clients that verify it are refused",
    remedy: `renew it. Why nobody did: ${LOGS} postgres-0 -c certificate`,
    page: "tls.md",
    why: "three days have a working day in them",
  },
  {
    name: "transaction-numbers-run-out",
    figure: "transaction_numbers_used_ratio",
    above: 0.75,
    lasts: 0,
    severity: "critical",
    words: "{value} of the transaction numbers are used: at 100 % PostgreSQL writes no more",
    remedy: "end what holds vacuum back: old transactions, prepared transactions, replication slots",
    page: "status.md#transaction-numbers",
    why: "PostgreSQL's own emergency begins here: vacuum_failsafe_age is 1.6 of 2.1 thousand million",
  },
  {
    name: "figures-silent",
    figure: "figures_silent_seconds",
    above: 3 * MINUTE,
    lasts: 0,
    severity: "warning",
    words:
      "the database answers, and for {value} nobody has known how it is: its figures are old, or cannot be read",
    remedy: `${LOGS} postgres-0 -c reconcile; ${LOGS} postgres-notify-0 -c look`,
    page: "notifications.md#nobody-knows-how-the-database-is",
    why: "they are written every 15 s, and a new password takes the kubelet 90 s",
  },
  {
    name: "disk-full-soon",
    figure: "disk_full_seconds",
    below: 4 * DAY,
    lasts: HOUR,
    severity: "warning",
    words: "the data's disk is full in {value}, if it goes on as in the last day",
    remedy: "make room, or grow the volume",
    page: "growing.md",
    why: "a weekend is two days; an hour lets an import end that fills the disk once",
  },
  {
    name: "disk-filling",
    figure: "disk_free_ratio",
    below: 0.15,
    lasts: 15 * MINUTE,
    severity: "warning",
    words: "{value} of the data's disk is free",
    remedy: "make room, or grow the volume",
    page: "growing.md",
    why: "a restore drill or a build of an index needs room next to the data",
  },
  {
    name: "backup-old",
    figure: "backup_age_seconds",
    above: 26 * HOUR,
    lasts: 0,
    severity: "warning",
    words: "repository {label} has had no base backup for {value}: a restore takes longer each day",
    remedy: "npm run backup -- now",
    page: "backups.md",
    why: "one is made each day; two hours for a slow one. The WAL is archived all the same",
  },
  {
    name: "restore-unproven",
    figure: "restore_proven_seconds",
    above: 8 * DAY,
    lasts: 0,
    severity: "warning",
    words: "no restore of repository {label} was proven for {value}",
    remedy: "npm run backup -- drill",
    page: "backups.md",
    why: "a drill is made each week; a day for one that failed to be made up for",
  },
  {
    name: "repositories-silent",
    figure: "repositories_silent_seconds",
    above: 30 * MINUTE,
    lasts: 0,
    severity: "warning",
    words: "the backup agent has not said for {value} what is in the repositories",
    remedy: `${LOGS} postgres-backup-0`,
    page: "backups.md",
    why: "it is asked every ten minutes, and a repository that hangs costs it two",
  },
  {
    name: "certificate-overdue",
    figure: "certificate_overdue_seconds",
    above: 0,
    lasts: DAY,
    severity: "warning",
    words: "the server's certificate should have been renewed {value} ago",
    remedy: `why nobody did: ${LOGS} postgres-0 -c certificate`,
    page: "tls.md",
    why: "with a third of its time or 30 days left it is renewed, here and by cert-manager; a day for that",
  },
  {
    name: "certificate-refused",
    figure: "certificate_refused",
    above: 0,
    lasts: 2 * MINUTE,
    severity: "warning",
    words: "a new certificate cannot be used: the server keeps the one that it has until it expires",
    remedy: `why: ${LOGS} postgres-0 -c certificate`,
    page: "tls.md",
    why: "a Secret that is being replaced is whole again within the 90 s that the kubelet takes",
  },
  {
    name: "settings-refused",
    figure: "settings_refused",
    above: 0,
    lasts: 2 * MINUTE,
    severity: "warning",
    words: "PostgreSQL refused settings at its last reload, and could not be started again with them",
    remedy: `correct database.settings, and deploy again. Which: ${LOGS} postgres-0 -c reconcile`,
    page: "settings-refused.md",
    why: "read back every minute",
  },
  {
    name: "credentials-refused",
    figure: "credentials_refused",
    above: 0,
    lasts: 2 * MINUTE,
    severity: "warning",
    words: "Secret {label} has not been taken up: passwords in the database are not those in it",
    remedy: `deploy again, or correct the Secret. Why: ${LOGS} postgres-0 -c reconcile`,
    page: "passwords.md",
    why: "a Secret that is being edited may be wrong for a moment",
  },
  {
    name: "transaction-numbers-used",
    figure: "transaction_numbers_used_ratio",
    above: 0.4,
    lasts: HOUR,
    severity: "warning",
    words: "{value} of the transaction numbers are used: vacuum is held back",
    remedy: "end what holds it back: old transactions, prepared transactions, replication slots",
    page: "status.md#transaction-numbers",
    why: "autovacuum begins at 10 %, and is long done at 40 %",
  },
  {
    name: "connections-used",
    figure: "connections_used_ratio",
    above: 0.8,
    lasts: 2 * MINUTE,
    severity: "warning",
    words: "{value} of the connections are in use: at 100 % clients are refused",
    remedy: "let clients pool their connections, or raise database.settings.max_connections",
    page: "status.md#connections",
    why: "a burst of a few seconds is what a reserve is for",
  },
  {
    name: "transaction-open",
    figure: "transaction_open_seconds",
    above: HOUR,
    lasts: 0,
    severity: "warning",
    words:
      "a client's transaction has been open for {value}: until it ends, vacuum removes nothing that was deleted since",
    remedy:
      "npm run psql -- -c 'select pid, usename, state, xact_start from pg_stat_activity order by xact_start limit 5'",
    page: "status.md#what-holds-others-back",
    why: "no request takes an hour; dumps and drills of this program are not counted",
  },
  {
    name: "lock-awaited",
    figure: "lock_wait_seconds",
    above: 5 * MINUTE,
    lasts: 0,
    severity: "warning",
    words: "a session has waited {value} for a lock",
    remedy:
      "npm run psql -- -c 'select pid, pg_blocking_pids(pid), usename, wait_event_type from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0'",
    page: "status.md#what-holds-others-back",
    why: "a migration waits for its lock a few seconds at most, and tries again",
  },
  {
    name: "prepared-transaction-open",
    figure: "prepared_transaction_seconds",
    above: HOUR,
    lasts: 0,
    severity: "warning",
    words: "a prepared transaction is {value} old: it holds its locks over a restart, and vacuum back",
    remedy: "commit prepared or rollback prepared: select gid, owner from pg_prepared_xacts",
    page: "status.md#what-holds-others-back",
    why: "who prepares one commits it within seconds",
  },
  {
    name: "slot-keeps-wal",
    figure: "slot_wal_bytes",
    above: 8 * 2 ** 30,
    lasts: 10 * MINUTE,
    severity: "warning",
    words: "replication slot {label} keeps {value} of WAL on the disk for whoever reads it",
    remedy: "start its reader, or: select pg_drop_replication_slot('…')",
    page: "full-disk.md",
    why: "a reader that works is seconds behind",
  },
  {
    name: "jobs-dead",
    figure: "jobs_dead",
    above: 0,
    lasts: 0,
    severity: "warning",
    words: "{value} jobs of kind {label} were given up",
    remedy:
      "npm run psql -- -c \"select id, last_error from jobs where status = 'dead' limit 10\"; again: retry_job",
    page: "status.md#jobs",
    why: "each was tried as often as it may be",
  },
  {
    name: "jobs-waiting",
    figure: "jobs_waiting_seconds",
    above: HOUR,
    lasts: 0,
    severity: "warning",
    words: "a job of kind {label} has waited for {value}",
    remedy: "are there workers for this kind, and do they work?",
    page: "status.md#jobs",
    why: "a queue that works is minutes long; `monitoring.queueAge` is yours to set",
  },
];

/** What is wrong only by its users' own measure. */
export interface Limits {
  /** Seconds that a job may wait. */
  queueAge: number;
}

/** The rules with these limits. */
export function rulesFor({ queueAge }: Limits): Rule[] {
  return RULES.map((rule) => (rule.name === "jobs-waiting" ? { ...rule, above: queueAge } : rule));
}

/** A share in percent: two digits below 10 %, so that 0.4 % is not none. */
function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(ratio < 0.1 ? 2 : 3))} %`;
}

/** A value in the unit that the figure's name ends with. */
export function readable({ name, value }: Pick<Figure, "name" | "value">): string {
  if (name.endsWith("_seconds")) return readableSpan(value);
  if (name.endsWith("_ratio")) return percent(value);
  if (name.endsWith("_bytes")) return readableBytes(value);
  return String(value);
}

/** Whether the figure is wrong by the rule. */
export function isWrong({ figure, above, below }: Rule, { name, value }: Figure): boolean {
  return (
    figure === name && ((above !== undefined && value > above) || (below !== undefined && value < below))
  );
}

/** What is wrong, in a sentence. */
export function sentence({ words }: Pick<Rule, "words">, figure: Figure): string {
  return words.replaceAll(/\{(label|value)\}/g, (_, part) =>
    part === "label" ? figure.label : readable(figure),
  );
}
