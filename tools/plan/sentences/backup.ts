/** Backups: the agent, its Jobs, its configuration and the passphrase. */
import { KEEP_PASSPHRASE } from "../../../components/backup/keep-passphrase.ts";
import { BACKUP_CRON_JOBS, BACKUP_NAME } from "../../../components/kubernetes/names.ts";
import { at, because, type Change, filesOf, isKind } from "../changes.ts";
import { quoted, type Say } from "../statements.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";
import { storage } from "./storage.ts";

const isAgent = isKind("StatefulSet");
const isSchedule = isKind("CronJob");
const isRun = isKind("Job");
const isSecret = isKind("Secret");
const isPassphrase = ({ type }: Pick<Change, "type">) => type.startsWith("random:");

const CONFIG = `${BACKUP_NAME}-config`;

/** Where a repository is, by its options. */
function placeOf(options: ReadonlyMap<string, string>): string {
  const of = (name: string) => options.get(name) ?? "";
  if (of("type") === "s3") return `${of("s3-bucket")}${of("path")} at ${of("s3-endpoint")}`;
  if (of("type") === "sftp") return `${of("path")} at ${of("sftp-host")}`;
  return of("path");
}

/** The repositories of a configuration by their places, whatever their numbers, and how many full backups each keeps. */
function kept(text: unknown): Map<string, number> {
  const options = typeof text === "string" ? [...text.matchAll(/^(repo\d)-([\w-]+)=(.*)$/gm)] : [];
  const repositories = new Map<string, Map<string, string>>();
  for (const [, repository = "", name = "", value = ""] of options)
    repositories.set(
      repository,
      (repositories.get(repository) ?? new Map<string, string>()).set(name, value),
    );
  return new Map([...repositories.values()].map((of) => [placeOf(of), Number(of.get("retention-full"))]));
}

function sayConfig(change: Change, say: Say): void {
  if (change.kind !== "update" || filesOf(change).length === 0) return sayObject(change, say);
  const path = 'data["pgbackrest.conf"]';
  const [before, after] = [kept(at(change.old, path)), kept(at(change.new, path))];
  for (const [place, count] of before) {
    const left = after.get(place);
    if (left === undefined) {
      say(
        "danger",
        `Stops archiving into ${quoted(place)}: what it holds stays, and is not added to from now on`,
      );
    } else if (left < count) {
      say(
        "danger",
        `Deletes backups: of ${count} full backups in ${quoted(place)}, ${left} are kept, each with the WAL from it on`,
      );
    }
  }
  for (const place of after.keys())
    if (!before.has(place)) say("attention", `Backs up into ${quoted(place)} too, from now on`);
  say("attention", "Changes where backups go, or how they are made");
}

/** A change of what the repositories are read and written with. */
function saySecret(change: Change, say: Say): void {
  const { kind, name, paths } = change;
  if (kind === "create") return sayObject(change, say);
  if (kind !== "update")
    return say("danger", `Takes away the passphrase and the keys of the backups (${name})`);
  const about = (part: string) => [...paths].filter(([path]) => path.includes(`-${part}.`));
  const [passphrases, keys] = [about("passphrase"), about("keys")];
  // A repository that comes or goes has, or takes with it, a file of its own with the same passphrase.
  if (passphrases.some(([, how]) => how.startsWith("update"))) {
    say(
      "danger",
      `Changes the passphrase of the backups (${name}): what a repository holds can no longer be read or added to. ` +
        "Change it only with a new path for the repository, and keep the old passphrase as long as the old backups",
    );
  }
  if (keys.length > 0)
    say("attention", `Changes a secret: the keys that the backups' repositories are reached with (${name})`);
  else if (!passphrases.some(([, how]) => how.startsWith("update")))
    say("attention", `Changes a secret: ${name}, the passphrase or the keys of the backups`);
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

/** How many dumps the CronJob keeps, or NaN. */
function keptDumps(object: Change["old"]): number {
  const containers = at(object, "spec.jobTemplate.spec.template.spec.containers");
  const env = (Array.isArray(containers) ? containers : []).flatMap(
    ({ env }: { env?: { name: string; value?: unknown }[] }) => env ?? [],
  );
  return Number(env.find(({ name }) => name === "KEEP")?.value);
}

/** A change of the logical dumps. */
function sayDumps(change: Change, say: Say): void {
  if (change.kind === "delete")
    return say("danger", `Makes no more logical dumps: ${change.name} is deleted. Those that are there stay`);
  if (change.kind !== "update") return sayObject(change, say);
  const suspended = at(change.new, "spec.suspend") === true;
  if (suspended !== (at(change.old, "spec.suspend") === true))
    return say(
      "attention",
      suspended
        ? `Makes logical dumps only on request from now on, by npm run backup -- dump (${change.name})`
        : `Makes logical dumps on a schedule from now on: ${quoted(at(change.new, "spec.schedule"))} (${change.name})`,
    );
  const [before, after] = [keptDumps(change.old), keptDumps(change.new)];
  if (after < before)
    return say(
      "danger",
      `Deletes logical dumps: of ${before} in each repository, ${after} are kept (${change.name})`,
    );
  if (change.paths.has("spec.schedule"))
    return say(
      "attention",
      `Makes logical dumps at other times: ${quoted(at(change.new, "spec.schedule"))} (${change.name})`,
    );
  sayObject(change, say);
}

/** The whole of what a change of one of the capability's resources means. */
function sayBackup(change: Change, say: Say): void {
  const { kind, name, logicalName } = change;
  if (isPassphrase(change)) {
    if (kind === "create") return say("attention", KEEP_PASSPHRASE);
    if (kind === "update") return sayObject(change, say);
    return say(
      "danger",
      `Changes the passphrase of the backups: no backup so far can be read with the new one (${name})`,
    );
  }
  if (isSecret(change)) return saySecret(change, say);
  if (isAgent(change) && kind === "delete")
    return say(
      "danger",
      `Stops archiving: ${name} is deleted, and every row written from now on is lost with the disk`,
    );
  if (isSchedule(change) && logicalName === BACKUP_CRON_JOBS.drill) return sayDrills(change, say);
  if (isSchedule(change) && logicalName === BACKUP_CRON_JOBS.dump) return sayDumps(change, say);
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
  // A volume and its directory are spoken about as every other one.
  owns: (resource) =>
    !storage.owns(resource) &&
    (resource.logicalName === BACKUP_NAME || resource.logicalName.startsWith(`${BACKUP_NAME}-`)),
  say: sayBackup,
  first: (own) => (own.some(isPassphrase) ? { sentence: KEEP_PASSPHRASE } : {}),
};
