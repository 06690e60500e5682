/** Backups: the agent, its Jobs, its configuration and the passphrase. */
import { BACKUP_CRON_JOBS, BACKUP_NAME } from "../../../components/kubernetes/names.ts";
import { at, because, type Change, filesOf, isKind } from "../changes.ts";
import { quoted, type Say } from "../statements.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";

const isAgent = isKind("StatefulSet");
const isSchedule = isKind("CronJob");
const isRun = isKind("Job");
const isSecret = isKind("Secret");
const isPassphrase = ({ type }: Pick<Change, "type">) => type.startsWith("random:");

const CONFIG = `${BACKUP_NAME}-config`;

/** How many full backups of each repository are kept, by its number. */
function kept(text: unknown): Map<string, number> {
  const found = typeof text === "string" ? text.matchAll(/^repo(\d)-retention-full=(\d+)$/gm) : [];
  return new Map([...found].map(([, number = "", count]) => [number, Number(count)]));
}

function sayConfig(change: Change, say: Say): void {
  if (change.kind !== "update" || filesOf(change).length === 0) return sayObject(change, say);
  const path = 'data["pgbackrest.conf"]';
  const [before, after] = [kept(at(change.old, path)), kept(at(change.new, path))];
  for (const [number, count] of before) {
    const left = after.get(number);
    if (left === undefined) {
      say("danger", `Stops archiving into repository ${number}: what is in it ages from now on`);
    } else if (left < count) {
      say("danger", `Deletes backups: repository ${number} keeps ${left} full backups instead of ${count}`);
    }
  }
  say("attention", "Changes where backups go, or how they are made");
}

/** A change of the restore drills. */
function sayDrills(change: Change, say: Say): void {
  if (change.kind === "delete")
    return say(
      "danger",
      `Restores no backup as a test any more: ${change.name} is deleted, and a backup that cannot be restored stays unnoticed`,
    );
  if (change.kind === "update" && change.paths.has("spec.schedule"))
    return say(
      "attention",
      `Restores the backups as a test at other times: ${quoted(at(change.new, "spec.schedule"))} (${change.name})`,
    );
  sayObject(change, say);
}

/** The whole of what a change of one of the capability's resources means. */
function sayBackup(change: Change, say: Say): void {
  const { kind, name, logicalName } = change;
  if (isPassphrase(change)) {
    if (kind === "create") return sayObject(change, say);
    if (kind === "update") return sayObject(change, say);
    return say(
      "danger",
      `Changes the passphrase of the backups: no backup so far can be read with the new one (${name})`,
    );
  }
  if (isSecret(change)) {
    if (kind === "create") return sayObject(change, say);
    return say(
      kind === "update" ? "attention" : "danger",
      kind === "update"
        ? `Changes a secret: ${name}, the passphrase or the keys of the backups. With another passphrase the repositories cannot be read or written`
        : `Takes away the passphrase and the keys of the backups (${name})`,
    );
  }
  if (isAgent(change) && kind === "delete")
    return say(
      "danger",
      `Stops archiving: ${name} is deleted, and every row written from now on is lost with the disk`,
    );
  if (isSchedule(change) && logicalName === BACKUP_CRON_JOBS.drill) return sayDrills(change, say);
  if (isSchedule(change) && kind === "delete")
    return say("danger", `Makes no more such backups: ${name} is deleted`);
  if (isSchedule(change) && kind === "update" && change.paths.has("spec.schedule"))
    return say(
      "attention",
      `Makes backups at other times: ${quoted(at(change.new, "spec.schedule"))} (${name})`,
    );
  if (isRun(change) && kind !== "delete")
    return say("routine", "Makes a backup in each repository and restores it as a test, in the background");
  if (logicalName === CONFIG) return sayConfig(change, say);
  if (isAgent(change) && kind === "update")
    return say("routine", `Restarts the backup agent; the server runs on${because(change)}`);
  sayObject(change, say);
}

export const backup: Sentences = {
  owns: ({ logicalName }) => logicalName === BACKUP_NAME || logicalName.startsWith(`${BACKUP_NAME}-`),
  say: sayBackup,
};
