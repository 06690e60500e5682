/** The data: its volume, the claim on it, and its directory on the node. */
import { DATA_DIRECTORY } from "../../../components/storage/directory.ts";
import { at, type Change, fromTo, isKind } from "../changes.ts";
import { quoted, type Say } from "../statements.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";

const isVolume = isKind("PersistentVolume", "PersistentVolumeClaim");
const isDirectory = ({ type }: Pick<Change, "type">) => type.startsWith("command:");

/** The Command that prepares the data directory. */
const DATA_COMMAND = "postgres-volume-directory";
const SEVERAL = "Checks the directories on their node, and prepares those that are new";

/** What a volume's directory is called: the data's by that name, and another capability's by none. */
const directoryOf = ({ logicalName }: Pick<Change, "logicalName">) =>
  logicalName === DATA_DIRECTORY.volume || logicalName === DATA_COMMAND
    ? "the data directory"
    : "the directory";
const prepares = (change: Pick<Change, "logicalName">) =>
  `Checks ${directoryOf(change)} on its node, and prepares it if it is new`;

function sayVolume(change: Change, say: Say): void {
  const { kind, name } = change;
  const paths = [...change.paths.keys()];
  if (kind === "delete" || kind === "replace") {
    const path = paths.find((candidate) => candidate.startsWith("spec.hostPath"));
    const where = path === undefined ? "" : `: ${directoryOf(change)} ${fromTo(change, path)}`;
    say(
      "danger",
      `Touches data: ${name} is ${kind === "delete" ? "deleted" : "deleted and created again"}${where}`,
    );
    return;
  }
  for (const path of paths) {
    const values = fromTo(change, path);
    if (path.startsWith("spec.hostPath")) say("danger", `Touches data: ${directoryOf(change)} ${values}`);
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
      if (kind === "delete") say("routine", `No longer looks after ${directoryOf(change)} on the node`);
      else say("attention", prepares(change));
    } else if (kind === "create") sayObject(change, say);
    else sayVolume(change, say);
  },
  first(own) {
    const found = own.filter(isDirectory);
    const [one] = found;
    if (!one) return {};
    return { sentence: found.length === 1 ? prepares(one) : SEVERAL };
  },
};
