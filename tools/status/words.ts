/** The status in words: what is wrong and what to type, and a line for each question that somebody has. Pure. */
import { readableSpan } from "../../quantities.ts";
import { type Figure, readable } from "../../components/monitoring/rules.ts";
import type { Finding, StatusReport } from "./findings.ts";

/** One question, and its answer. */
export interface Answer {
  question: "up" | "safe" | "fast" | "next";
  /** For people: "Is it up?" */
  title: string;
  text: string;
}

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;

/** The status in one line. */
export function headline({ stack, state, findings, unanswered }: StatusReport): string {
  const of = (severity: Finding["severity"]) =>
    findings.filter((finding) => finding.severity === severity).length;
  switch (state) {
    case "ok":
      return `${stack}: all is well`;
    case "unknown":
      return `${stack}: nothing is known to be wrong, but ${count(unanswered.length, "part")} did not answer`;
    default: {
      const parts = [
        ...(of("critical") > 0 ? [`${count(of("critical"), "thing")} wrong now`] : []),
        ...(of("warning") > 0 ? [count(of("warning"), "warning")] : []),
      ];
      return `${stack}: ${parts.join(", ")}`;
    }
  }
}

/** Reads figures by name. */
function reader(figures: readonly Figure[]) {
  const all = (name: string) => figures.filter((figure) => figure.name === name);
  return {
    all,
    /** A sentence about one figure, if it was measured. */
    say: (name: string, words: (text: string, value: number) => string): string[] => {
      const [figure] = all(name);
      return figure ? [words(readable(figure), figure.value)] : [];
    },
    most: (name: string) => Math.max(...all(name).map(({ value }) => value)),
  };
}

function upText({ figures, version, findings }: StatusReport): string[] {
  if (version === undefined)
    return [findings.some(({ name }) => name === "not-deployed") ? "not deployed" : "no answer"];
  const { say } = reader(figures);
  return [
    `PostgreSQL ${version}`,
    ...say("server_running_seconds", (text) => `running for ${text}`),
    ...say("connections_used_ratio", (text) => `${text} of its connections in use`),
  ];
}

function safeText({ figures, backups, at, findings, version }: StatusReport): string[] {
  const { say, all, most } = reader(figures);
  const raid =
    all("raid_missing_devices").length > 0 && most("raid_missing_devices") === 0 ? ["RAID whole"] : [];
  if (!backups)
    return [...(findings.some(({ name }) => name === "no-backups") ? ["no backups"] : []), ...raid];
  const span = (from: string, to: string) => readableSpan((Date.parse(to) - Date.parse(from)) / 1000);
  return [
    ...say("archive_behind_seconds", (text) => `a loss of the disk now would cost the last ${text}`),
    ...backups.repositories.map(({ name, kind, state: told, backups: made, proof }) => {
      const where = kind === "volume" ? `${name}, next to the data` : name;
      const newest = made.at(-1);
      if (!newest) return told === "unknown" ? `backups in ${where}: not known` : `no backup in ${where} yet`;
      // The drills are the database's to tell.
      const never = version === undefined ? "not known whether it was restored" : "never restored as a test";
      const proven = proof ? `restore proven ${span(proof.at, backups.now)} ago` : never;
      return `backup in ${where}: ${span(newest.finished, backups.now)} old, ${proven}`;
    }),
    ...backups.runs
      .filter(({ state }) => state === "running")
      .map(
        ({ what, at: since }) => `${what} is running${since === undefined ? "" : ` for ${span(since, at)}`}`,
      ),
    ...raid,
  ];
}

function fastText({ figures }: StatusReport): string[] {
  const { say, all } = reader(figures);
  const waiting = all("jobs_waiting_seconds");
  const oldest = waiting.reduce<Figure | undefined>(
    (most, figure) => (most === undefined || figure.value > most.value ? figure : most),
    undefined,
  );
  const queues = all("jobs_queued");
  const queued = queues.reduce((sum, { value }) => sum + value, 0);
  return [
    ...say("cache_hit_ratio", (text) => `${text} of reads from memory`),
    ...say("lock_wait_seconds", (text, value) =>
      value === 0 ? "nobody waits for a lock" : `longest wait for a lock ${text}`,
    ),
    ...say("transaction_open_seconds", (text) => `longest transaction ${text}`),
    ...(oldest
      ? [`${count(queued, "job")} queued, the oldest for ${readable(oldest)}`]
      : queues.length > 0
        ? ["no job waits"]
        : []),
  ];
}

/** Seconds. */
const YEAR = 365 * 86_400;

function nextText({ figures }: StatusReport): string[] {
  const { say } = reader(figures);
  return [
    ...say("disk_free_ratio", (text) => `${text} of the disk free`),
    // What lasts for years is no forecast.
    ...say("disk_full_seconds", (text, value) =>
      value < YEAR ? `full in ${text} if it goes on like this` : "not filling",
    ),
    ...say("certificate_left_seconds", (text, value) =>
      value < 0 ? "certificate expired" : `certificate valid for ${text}`,
    ),
    ...say("transaction_numbers_used_ratio", (text) => `transaction numbers ${text} used`),
  ];
}

/** What people ask, with the answers. */
export function answers(status: StatusReport): Answer[] {
  const texts = {
    up: ["Is it up?", upText(status)],
    safe: ["Is it safe?", safeText(status)],
    fast: ["Is it fast?", fastText(status)],
    next: ["What runs out next?", nextText(status)],
  } as const;
  return Object.entries(texts).map(([question, [title, parts]]) => ({
    question: question as Answer["question"],
    title,
    text: parts.length === 0 ? "not known" : parts.join("; "),
  }));
}

/** The status in words, the gravest first. Control characters of names and messages do not reach the terminal. */
export function statusWords(status: StatusReport): string[] {
  return [
    headline(status),
    ...status.findings.flatMap(({ severity, words, remedy, page }) => [
      `${severity === "critical" ? "WRONG" : "WARNING"}: ${words}`,
      `  ${remedy}  (${page})`,
    ]),
    ...answers(status).map(({ title, text }) => `${title.padEnd(20)} ${text}`),
    ...status.unanswered.map((reason) => `not known: ${reason}`),
  ].map((line) => line.replaceAll(/\p{Cc}/gu, " "));
}
