/** The data: its volume, the claim on it, and its directory on the node. */
import { at, type Change, fromTo, isKind } from "../changes.ts";
import { quoted, type Say } from "../statements.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";

const isVolume = isKind("PersistentVolume", "PersistentVolumeClaim");
const isDirectory = ({ type }: Pick<Change, "type">) => type.startsWith("command:");

const PREPARES = "Checks the data directory on its node, and prepares it if it is new";

function sayVolume(change: Change, say: Say): void {
  const { kind, name } = change;
  const paths = [...change.paths.keys()];
  if (kind === "delete" || kind === "replace") {
    const path = paths.find((candidate) => candidate.startsWith("spec.hostPath"));
    const where = path === undefined ? "" : `: the data directory ${fromTo(change, path)}`;
    say(
      "danger",
      `Touches data: ${name} is ${kind === "delete" ? "deleted" : "deleted and created again"}${where}`,
    );
    return;
  }
  for (const path of paths) {
    const values = fromTo(change, path);
    if (path.startsWith("spec.hostPath")) say("danger", `Touches data: the data directory ${values}`);
    else if (path.startsWith("spec.nodeAffinity"))
      say("danger", `Touches data: the volume moves to another node, ${values}; its files do not`);
    else if (path === "spec.persistentVolumeReclaimPolicy") {
      if (at(change.new, path) === "Retain")
        say("routine", `The volume's files are kept when its claim goes: ${values}`);
      else
        say("danger", `Touches data: the volume's files are no longer kept when its claim goes: ${values}`);
    } else if (path === "spec.capacity.storage")
      say("attention", `Changes the size of the volume, under the running server: ${values}`);
    else if (path.startsWith("metadata.labels")) say("routine", `Updates the labels of ${name}`);
    else say("attention", `Changes ${name}: ${quoted(path)} ${values}`);
  }
}

export const storage: Sentences = {
  owns: (resource) => isVolume(resource) || isDirectory(resource),
  say(change, say) {
    const { kind } = change;
    if (isDirectory(change)) {
      if (kind === "delete") say("routine", "No longer looks after the data directory on the node");
      else say("attention", PREPARES);
    } else if (kind === "create") sayObject(change, say);
    else sayVolume(change, say);
  },
  first: (own) => (own.some(isDirectory) ? { sentence: PREPARES } : {}),
};
