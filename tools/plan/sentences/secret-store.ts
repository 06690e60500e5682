/** Secrets whose values a store has: which store, and who makes them from now on. */
import { at, because, type Change, isKind } from "../changes.ts";
import { list, quoted, type Say } from "../statements.ts";
import type { Sentences } from "./sentences.ts";

const isStored = isKind("ExternalSecret");
const isSecret = isKind("Secret");
const GUIDE = "docs/secret-stores.md";

/** A store in a sentence. */
function storeOf(object: Change["old"]): string {
  const text = (field: string) => {
    const value = at(object, `spec.secretStoreRef.${field}`);
    return typeof value === "string" ? value : "?";
  };
  return quoted(`${text("kind")} ${text("name")}`);
}

/** The Secrets of the plan's changes that are like one, in one sentence. */
const alike = (plan: readonly Change[], which: (change: Change) => boolean) =>
  list(
    plan.filter((change) => isStored(change) && which(change)).map(({ logicalName }) => quoted(logicalName)),
  );

/** Whether the stack makes the Secret of an object itself from now on. */
const isTakenBack = ({ logicalName }: Change, plan: readonly Change[]) =>
  plan.some((other) => isSecret(other) && other.kind === "create" && other.logicalName === logicalName);

/** Names of the store's values that an object reads. */
function valuesOf(object: Change["old"]): string[] {
  const data = at(object, "spec.data");
  return Array.isArray(data) ? data.map((entry) => String(at(entry, "remoteRef.key"))).sort() : [];
}

function sayUpdate(change: Change, say: Say, plan: readonly Change[]): void {
  const [before, after] = [storeOf(change.old), storeOf(change.new)];
  if (before !== after) {
    const names = alike(
      plan,
      ({ kind, old, new: next }) => kind === "update" && storeOf(old) !== storeOf(next),
    );
    return say(
      "danger",
      `Takes the values of ${names} from another store: ${before} → ${after}. What it has for them are the passwords from then on: see ${GUIDE}`,
    );
  }
  for (const field of ["creationPolicy", "deletionPolicy"]) {
    const [was, is] = [change.old, change.new].map((object) => at(object, `spec.target.${field}`));
    if (was !== is)
      say(
        "danger",
        `Changes whether the Secret ${quoted(change.logicalName)} stays: ${field} ${quoted(was)} → ${quoted(is)}`,
      );
  }
  const [had, has] = [valuesOf(change.old), valuesOf(change.new)];
  const missing = has.filter((value) => !had.includes(value));
  if (missing.length > 0)
    return say(
      "attention",
      `Reads ${list(missing.map(quoted))} from the store ${after}: without ${missing.length === 1 ? "it" : "them"}, ${quoted(change.logicalName)} stays as it is`,
    );
  say("routine", `Updates ${change.name}${because(change)}`);
}

export const secretStore: Sentences = {
  owns: isStored,
  say(change, say, plan) {
    const { kind, name } = change;
    if (kind === "update") return sayUpdate(change, say, plan);
    if (kind === "replace")
      return say("attention", `Deletes ${name} and creates it again: the Secret that it makes stays`);
    if (kind === "create") {
      const names = alike(
        plan,
        (other) => other.kind === "create" && storeOf(other.new) === storeOf(change.new),
      );
      return say(
        "attention",
        `Takes the values of ${names} from the store ${storeOf(change.new)}: no Secret is deleted on the way, and one whose value is another one in the store has a new password. See ${GUIDE}`,
      );
    }
    if (isTakenBack(change, plan)) {
      const names = alike(plan, (other) => other.kind === "delete" && isTakenBack(other, plan));
      return say(
        "attention",
        `Takes ${names} back from the store ${storeOf(change.old)}: no Secret is deleted, and the stack's own passwords, from before the store, are in force again. See ${GUIDE}`,
      );
    }
    const names = alike(plan, (other) => other.kind === "delete" && !isTakenBack(other, plan));
    say("attention", `Changes a secret: ${names} is not made from the store any more, and is deleted`);
  },
  // A Secret that is taken back is not a new one.
  silences(plan) {
    const back = new Set(
      plan
        .filter((change) => isStored(change) && change.kind === "delete")
        .map(({ logicalName }) => logicalName),
    );
    return (change) => isSecret(change) && change.kind === "create" && back.has(change.logicalName);
  },
};
