/** The schema: migrations, and the Jobs that run them or upgrade the database to another image. */
import { INIT_JOB_NAME, UPGRADE_JOB_NAME } from "../../../components/kubernetes/names.ts";
import { type Change, filesOf, isKind } from "../changes.ts";
import { list, quoted, type Say } from "../statements.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";

/** Logical name of the ConfigMap with the migrations. */
const MIGRATIONS = "postgres-init-migrations";

const isJob = isKind("Job");
const isMigrations = ({ type, logicalName }: Pick<Change, "type" | "logicalName">) =>
  isKind("ConfigMap")({ type }) && logicalName === MIGRATIONS;

function sayJob(change: Change, say: Say): void {
  const { kind, name, logicalName } = change;
  if (kind === "update") return sayObject(change, say);
  if (logicalName === UPGRADE_JOB_NAME) {
    if (kind === "delete") sayObject(change, say);
    else say("attention", "Upgrades the existing database to the configured image");
  } else if (kind === "delete") say("attention", `Deletes ${name}: the migrations are no longer run`);
  else say("attention", "Runs the migrations again");
}

function sayMigrations(change: Change, say: Say): void {
  const files = filesOf(change);
  if (change.kind !== "update" || files.length === 0) return sayObject(change, say);
  const named = (isAdded: boolean) =>
    list(files.filter(({ how }) => how.startsWith("add") === isAdded).map(({ file }) => quoted(file)));
  const [rewritten, added] = [named(false), named(true)];
  if (rewritten !== "")
    say(
      "danger",
      `Rewrites a migration that has probably run, and will not run again: ${rewritten}. Add a new one instead`,
    );
  if (added !== "") say("attention", `Adds migrations: ${added}`);
}

export const migration: Sentences = {
  owns: (resource) =>
    isMigrations(resource) ||
    (isJob(resource) && [INIT_JOB_NAME, UPGRADE_JOB_NAME].includes(resource.logicalName)),
  say: (change, say) => (isJob(change) ? sayJob(change, say) : sayMigrations(change, say)),
  first: (own) =>
    own.some(({ logicalName }) => logicalName === INIT_JOB_NAME) ? { clause: "runs the migrations" } : {},
};
