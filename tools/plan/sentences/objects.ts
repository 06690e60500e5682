/** What is said about a resource that no capability owns. */
import { because, type Change, filesOf, isKind } from "../changes.ts";
import { list, quoted, type Say } from "../statements.ts";
import type { Sentences } from "./sentences.ts";

/** The operation, and the resource's name. */
export function sayObject(change: Change, say: Say): void {
  const { kind, name } = change;
  if (kind === "replace") say("attention", `Replaces ${name}: deleted and created again${because(change)}`);
  else if (kind === "delete") say("attention", `Deletes ${name}`);
  else if (kind === "create") say("routine", `Creates ${name}`);
  else say("routine", `Updates ${name}${because(change)}`);
}

const isConfigMap = isKind("ConfigMap");

/** Any resource. */
export const objects: Sentences = {
  owns: () => true,
  say(change, say) {
    const files = isConfigMap(change) && change.kind === "update" ? filesOf(change) : [];
    if (files.length === 0) return sayObject(change, say);
    say("routine", `Updates ${change.name}: ${list(files.map(({ file }) => quoted(file)))}`);
  },
};
