/** Messages, metrics and alerts: who is told, and of what. */
import {
  ALERTS_NAME,
  DASHBOARDS_NAME,
  EXPORTER_NAME,
  NOTIFIER_NAME,
  PROMETHEUS_NAME,
} from "../../../components/kubernetes/names.ts";
import { at, because, type Change, filesOf, isKind } from "../changes.ts";
import { list, quoted, type Say } from "../statements.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";

const isWorkload = isKind("StatefulSet");
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

/** The alerts of an object by their names, each as a text. */
function alertsOf(object: Change["old"]): Map<string, string> {
  const text = at(object, 'data["alerts.yaml"]');
  let groups = at(object, "spec.groups");
  if (typeof text === "string")
    try {
      groups = (JSON.parse(text) as { groups?: unknown }).groups;
    } catch {
      // Whoever has written it by hand is told of a changed file.
    }
  return new Map(
    (Array.isArray(groups) ? groups : [])
      .flatMap((group: unknown) => (group as { rules?: { alert?: string }[] } | null)?.rules ?? [])
      .map((rule) => [rule.alert ?? "", JSON.stringify(rule)]),
  );
}

function sayAlerts(change: Change, say: Say): void {
  if (change.kind === "delete") return say("danger", `Raises no more alerts: ${change.name} is deleted`);
  if (change.kind !== "update") return sayObject(change, say);
  const [before, after] = [alertsOf(change.old), alertsOf(change.new)];
  const named = (names: readonly string[]) => quoted(list(names));
  const gone = [...before.keys()].filter((name) => !after.has(name));
  const added = [...after.keys()].filter((name) => !before.has(name));
  const changed = [...after.keys()].filter(
    (name) => before.has(name) && before.get(name) !== after.get(name),
  );
  if (gone.length > 0) say("danger", `Raises no more alert ${named(gone)}`);
  if (added.length > 0) say("attention", `Raises ${named(added)} too, from now on`);
  if (changed.length > 0)
    say("attention", `Changes from when on an alert is raised, or its words: ${named(changed)}`);
  if ([gone, added, changed].flat().length === 0) sayObject(change, say);
}

/** What deleting a workload that collects metrics leads to, and what updating it does. */
const COLLECTORS: Readonly<Record<string, { deleted: string; updated: string }>> = {
  [EXPORTER_NAME]: {
    deleted:
      "Has no more metrics of the database: no alert of Prometheus says any more that something is wrong",
    updated: "Restarts what has the metrics; the server runs on",
  },
  [PROMETHEUS_NAME]: {
    deleted: "Collects no more metrics and raises no more alerts; what was collected is gone",
    updated: "Starts Prometheus again without what it has collected; the server runs on",
  },
};

/** The whole of what a change of one of the capability's resources means. */
function sayMonitoring(change: Change, say: Say): void {
  const { kind, name, logicalName } = change;
  const collector = isWorkload(change) ? COLLECTORS[logicalName] : undefined;
  if (logicalName === ALERTS_NAME) return sayAlerts(change, say);
  if (collector && kind === "delete") return say("danger", collector.deleted);
  if (collector && kind === "update") return say("routine", `${collector.updated}${because(change)}`);
  if (logicalName !== NOTIFIER_NAME) return sayObject(change, say);
  if (isTable(change)) return sayTables(change, say);
  if (isSecret(change) && kind === "update")
    return say("attention", `Changes a secret: what messages are sent with (${name})`);
  if (isWorkload(change) && kind === "delete")
    return say("danger", `Tells nobody any more when something is wrong: ${name} is deleted`);
  if (isWorkload(change) && kind === "update")
    return say("routine", `Restarts what sends messages; the server runs on${because(change)}`);
  sayObject(change, say);
}

export const monitoring: Sentences = {
  owns: ({ logicalName }) =>
    [NOTIFIER_NAME, EXPORTER_NAME, ALERTS_NAME, DASHBOARDS_NAME, PROMETHEUS_NAME].includes(logicalName),
  say: sayMonitoring,
};
