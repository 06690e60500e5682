/** Messages: who is told, and of what. */
import { NOTIFIER_NAME } from "../../../components/kubernetes/names.ts";
import { at, because, type Change, filesOf, isKind } from "../changes.ts";
import { list, quoted, type Say } from "../statements.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";

const isNotifier = isKind("StatefulSet");
const isSecret = isKind("Secret");
const isTable = isKind("ConfigMap");

/** Lines of a table by their first field, which is unique. */
function rowsOf(object: Change["old"], file: string): Map<string, string> {
  const text = at(object, `data["${file}"]`);
  const lines = typeof text === "string" ? text.split("\n").filter((line) => line !== "") : [];
  return new Map(lines.map((line) => [line.split("\t", 1)[0] ?? "", line]));
}

/** What differs between two tables. */
function differences(change: Change, file: string) {
  const [before, after] = [rowsOf(change.old, file), rowsOf(change.new, file)];
  return {
    gone: [...before.keys()].filter((name) => !after.has(name)),
    added: [...after.keys()].filter((name) => !before.has(name)),
    changed: [...after].flatMap(([name, row]) => {
      const old = before.get(name);
      return old === undefined || old === row ? [] : [name];
    }),
  };
}

function sayTables(change: Change, say: Say): void {
  if (change.kind !== "update" || filesOf(change).length === 0) return sayObject(change, say);
  const sinks = differences(change, "sinks.tsv");
  const rules = differences(change, "rules.tsv");
  const named = (names: readonly string[]) => quoted(list(names));
  if (sinks.gone.length > 0)
    say(
      "danger",
      `Sends no more messages to ${named(sinks.gone)}: whoever reads them there learns of nothing`,
    );
  if (sinks.added.length > 0) say("attention", `Sends messages to ${named(sinks.added)} too, from now on`);
  if (sinks.changed.length > 0) say("attention", `Changes what ${named(sinks.changed)} is sent, or where`);
  if (rules.gone.length > 0) say("danger", `Sends no more messages of ${named(rules.gone)}`);
  if (rules.added.length > 0) say("attention", `Sends messages of ${named(rules.added)} too, from now on`);
  if (rules.changed.length > 0)
    say("attention", `Changes from when on a message is sent, or its words: ${named(rules.changed)}`);
  if ([sinks, rules].flatMap((one) => Object.values(one).flat()).length === 0) sayObject(change, say);
}

/** The whole of what a change of one of the capability's resources means. */
function sayMonitoring(change: Change, say: Say): void {
  const { kind, name } = change;
  if (isTable(change)) return sayTables(change, say);
  if (isSecret(change) && kind === "update")
    return say("attention", `Changes a secret: what messages are sent with (${name})`);
  if (isNotifier(change) && kind === "delete")
    return say("danger", `Tells nobody any more when something is wrong: ${name} is deleted`);
  if (isNotifier(change) && kind === "update")
    return say("routine", `Restarts what sends messages; the server runs on${because(change)}`);
  sayObject(change, say);
}

export const monitoring: Sentences = {
  owns: ({ logicalName }) => logicalName === NOTIFIER_NAME,
  say: sayMonitoring,
};
