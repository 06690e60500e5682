/**
 * What a preview means for the people who own the database, from the engine's own events
 * (`pulumi preview --event-log`). Nothing here reads a value that the engine has marked as secret.
 */

import { changedSettings } from "../../cluster/change-effects.ts";
import type { EngineEvent, EventStep } from "../engine/events.ts";
import { ANNOTATIONS, CONFIG_NAME, SETTINGS_JOB_NAME } from "../../components/kubernetes/names.ts";

/** From harmless to what cannot be taken back. */
export const severities = ["none", "routine", "attention", "danger"] as const;
export type Severity = (typeof severities)[number];

/** One thing that a reviewer should know. Values are in backticks. */
export interface Statement {
  severity: Severity;
  text: string;
}

/** What a preview says, in plain words. */
export interface PlanSummary {
  /** That of the gravest statement. */
  severity: Severity;
  /** Gravest first. "Nothing changes." alone when it is so. */
  statements: Statement[];
  /** Differences between the cluster and the state that the change under review did not make. */
  drift: string[];
  /** Policies that refuse the plan. */
  refusals: string[];
  /** Policies that advise against it. */
  advice: string[];
  /** Why the preview failed. */
  errors: string[];
  warnings: string[];
  /** Resources with something to do. */
  changes: number;
}

/** What the plan does to one resource. */
interface Change {
  kind: "create" | "update" | "replace" | "delete";
  type: string;
  /** Kind and logical name, as `StatefulSet postgres`. */
  name: string;
  logicalName: string;
  /** Paths of the properties that differ, with what is done to them. */
  paths: Map<string, string>;
  old: Record<string, unknown>;
  new: Record<string, unknown>;
}

const OPERATIONS: Readonly<Record<string, Change["kind"]>> = {
  create: "create",
  import: "create",
  update: "update",
  replace: "replace",
  "create-replacement": "replace",
  "delete-replaced": "replace",
  "import-replacement": "replace",
  delete: "delete",
};

/** The mark by which the engine knows a secret; what stands beside it is already "[secret]". */
const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** A value of the plan in a sentence: short, on one line, and unable to be Markdown. */
export function quoted(value: unknown): string {
  if (typeof value === "object" && value !== null && SIGNATURE in value) return quoted("[secret]");
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  const line = text.replaceAll(/[`\s]+/g, " ").trim();
  return `\`${line.length > 80 ? `${line.slice(0, 79)}…` : line || " "}\``;
}

function logicalNameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

function nameOf({ urn, type }: Pick<EventStep, "urn" | "type">): string {
  const last = type.split(":").at(-1) ?? type;
  // A program can register any text as a type.
  const kind = /^[A-Za-z][\w-]{0,60}$/.test(last) ? last : quoted(last);
  return `${type.startsWith("pulumi:providers:") ? "provider " : ""}${kind} ${quoted(logicalNameOf(urn))}`;
}

/** The keys of a property path: `data["a.b"].c[0]` is data, a.b, c, 0. */
export function keysOf(path: string): string[] {
  return [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(
    ([, quotedKey, index, plain]) => quotedKey ?? index ?? plain ?? "",
  );
}

function at(value: unknown, path: string): unknown {
  let found: unknown = value;
  for (const key of keysOf(path)) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

function pathsOf(step: EventStep): [string, string][] {
  if (step.detailedDiff)
    return Object.entries(step.detailedDiff).map(([path, { diffKind }]) => [path, diffKind]);
  return [...(step.keys ?? []), ...(step.diffs ?? [])].map((path) => [path, "update"]);
}

/** The plan's changes, one for each resource, in the order of the plan. */
function changesOf(steps: readonly EventStep[]): Change[] {
  const changes = new Map<string, Change>();
  for (const step of steps) {
    const kind = OPERATIONS[step.op];
    if (kind === undefined) continue;
    const known = changes.get(step.urn);
    const change: Change = known ?? {
      kind,
      type: step.type,
      name: nameOf(step),
      logicalName: logicalNameOf(step.urn),
      paths: new Map(),
      old: {},
      new: {},
    };
    // A replacement is several steps; whichever comes first, it is one.
    if (kind === "replace") change.kind = kind;
    if (step.old?.inputs) change.old = step.old.inputs;
    if (step.new?.inputs) change.new = step.new.inputs;
    // The step that creates the new object names properties of it, not the reasons for it.
    if (step.op !== "create-replacement")
      for (const [path, how] of pathsOf(step)) change.paths.set(path, how);
    changes.set(step.urn, change);
  }
  return [...changes.values()];
}

const isKind =
  (...kinds: string[]) =>
  ({ type }: { type: string }) =>
    type.startsWith("kubernetes:") && kinds.includes(type.split(":").at(-1) ?? "");

const isStatefulSet = isKind("StatefulSet");
const isStorage = isKind("PersistentVolume", "PersistentVolumeClaim");
const isSecret = isKind("Secret");
const isJob = isKind("Job");
const isConfigMap = isKind("ConfigMap");
const isNamespace = isKind("Namespace");
const isPassword = ({ type }: { type: string }) => type.startsWith("random:");
const isProvider = ({ type }: { type: string }) => type.startsWith("pulumi:providers:");
const isNodeCommand = ({ type }: { type: string }) => type.startsWith("command:");
/** Components and the stack itself group resources and are nothing in the cluster. */
const isGroup = ({ type }: { type: string }) =>
  type === "pulumi:pulumi:Stack" || /^transcript-pipeline:index:/.test(type);

function fromTo(change: Change, path: string): string {
  const before = at(change.old, path);
  const after = at(change.new, path);
  if (before === undefined) return quoted(after);
  return after === undefined ? `${quoted(before)} is removed` : `${quoted(before)} → ${quoted(after)}`;
}

function settingSentences(change: Change): string[] {
  const path = 'data["postgresql.conf"]';
  return changedSettings(at(change.old, path), at(change.new, path)).map(
    ({ name, before, after }) =>
      `${quoted(name)} ${quoted(before ?? "default")} → ${quoted(after ?? "default")}`,
  );
}

const list = (items: Iterable<string>) => [...new Set(items)].join(", ");

const NODE_SELECTOR = "spec.template.spec.nodeSelector";

/** Why the server's pod is made anew. */
function restartReasons(change: Change): string[] {
  return [...change.paths.keys()]
    .filter((path) => path.startsWith("spec.template") && !path.startsWith(NODE_SELECTOR))
    .map((path) => {
      if (path.endsWith(ANNOTATIONS.restartSettings)) return "settings that need a restart";
      if (path.endsWith(ANNOTATIONS.scripts)) return "its scripts";
      const image = /containers\[\d+\]\.image$/.test(path);
      if (image) return `image ${fromTo(change, path)}`;
      const resources = /\.resources\.((?:requests|limits)\.(?:memory|cpu))/.exec(path);
      if (resources) return `${resources[1]} ${fromTo(change, path)}`;
      return quoted(path.replace(/^spec\.template\.(spec\.)?/, ""));
    });
}

type Say = (severity: Severity, text: string) => void;

function sayStorage(change: Change, say: Say): void {
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

function sayServer(change: Change, say: Say): void {
  const { kind, name } = change;
  if (kind === "delete") return say("danger", `Stops the database: ${name} is deleted`);
  if (kind === "replace")
    return say(
      "attention",
      `Stops the database and starts it again: ${name} is deleted and created again${because(change)}`,
    );
  const move = [...change.paths.keys()].find((path) => path.startsWith(NODE_SELECTOR));
  if (move !== undefined)
    say(
      "danger",
      `Restarts the database on another node, ${fromTo(change, move)}; its files stay where they are`,
    );
  const reasons = restartReasons(change);
  if (reasons.length > 0) say("attention", `Restarts the database (once): ${list(reasons)}`);
  else if (change.paths.has("spec.replicas"))
    say("attention", `Changes the number of database servers: ${fromTo(change, "spec.replicas")}`);
  else say("routine", `Updates ${name}${because(change)}`);
}

function saySecret(change: Change, say: Say): void {
  const { kind, name } = change;
  if (kind === "delete") return say("attention", `Changes a secret: ${name} is deleted`);
  const paths = [...change.paths.keys()].filter((path) => /^(data|stringData)\b/.test(path));
  if (kind === "update" && paths.length === 0) return say("routine", `Updates ${name}${because(change)}`);
  const keys = list(paths.flatMap((path) => keysOf(path).slice(1)).map(quoted));
  const again = kind === "replace" ? " (deleted and created again)" : "";
  say("attention", `Changes a secret: ${name}${keys && `, ${keys}`}${again}`);
}

function sayConfigMap(change: Change, serverRestarts: boolean, say: Say): void {
  const { kind, name, logicalName } = change;
  const files = [...change.paths].flatMap(([path, how]) => {
    const [root, file] = keysOf(path);
    return root === "data" && file !== undefined ? [{ file, how }] : [];
  });
  if (kind !== "update" || files.length === 0) return sayObject(change, say);
  // What is tried; the same change is said of the server's own.
  if (logicalName === "postgres-settings-files") return;
  if (logicalName === CONFIG_NAME) {
    const settings = settingSentences(change);
    if (files.some(({ file }) => file === "pg_hba.conf" || file === "pg_ident.conf"))
      say("attention", "Changes who may connect, and how they prove who they are (`pg_hba.conf`)");
    if (settings.length > 0)
      say(
        serverRestarts ? "attention" : "routine",
        `${serverRestarts ? "Changes settings" : "Reloads settings, without a restart"}: ${list(settings)}`,
      );
    else if (files.some(({ file }) => file === "postgresql.conf"))
      say("routine", "Reloads settings, without a restart: no value differs");
    return;
  }
  if (logicalName === "postgres-init-migrations") {
    const rewritten = files.filter(({ how }) => !how.startsWith("add")).map(({ file }) => quoted(file));
    const added = files.filter(({ how }) => how.startsWith("add")).map(({ file }) => quoted(file));
    if (rewritten.length > 0)
      say(
        "danger",
        `Rewrites a migration that has probably run, and will not run again: ${list(rewritten)}. Add a new one instead`,
      );
    if (added.length > 0) say("attention", `Adds migrations: ${list(added)}`);
    return;
  }
  say("routine", `Updates ${name}: ${list(files.map(({ file }) => quoted(file)))}`);
}

function because({ paths }: Change): string {
  return paths.size === 0 ? "" : ` (${list([...paths.keys()].map(quoted))})`;
}

function sayObject(change: Change, say: Say): void {
  const { kind, name } = change;
  if (kind === "replace") say("attention", `Replaces ${name}: deleted and created again${because(change)}`);
  else if (kind === "delete") say("attention", `Deletes ${name}`);
  else if (kind === "create") say("routine", `Creates ${name}`);
  else say("routine", `Updates ${name}${because(change)}`);
}

function sayNamespace(change: Change, say: Say): void {
  if (change.kind === "delete" || change.kind === "replace")
    say(
      "danger",
      `Touches data: ${change.name} is deleted${change.kind === "replace" ? " and created again" : ""}, with every object in it, the claim on the data included`,
    );
  else sayObject(change, say);
}

function sayProvider(change: Change, say: Say): void {
  const { kind, name } = change;
  if (kind === "replace" && change.type.endsWith(":kubernetes"))
    say("danger", `Replaces everything in the cluster, because ${name} is replaced${because(change)}`);
  else if (kind === "update") {
    const elsewhere = ["kubeconfig", "context", "cluster"].some((path) => change.paths.has(path));
    const what = elsewhere ? "Reaches the cluster in another way" : "Changes how objects are applied";
    say("attention", `${what}: ${name}${because(change)}`);
  } else if (kind === "replace") say("attention", `Replaces ${name}${because(change)}`);
  // That a provider appears or goes says nothing that its resources do not say.
}

function sayNodeCommand({ kind }: Change, say: Say): void {
  if (kind === "delete") say("routine", "No longer looks after the data directory on the node");
  else say("attention", "Looks at the data directory on its node, and prepares it where it is new");
}

function sayPassword(change: Change, say: Say): void {
  const { kind, logicalName } = change;
  if (kind === "delete")
    say("attention", `Changes a secret: the generated password ${quoted(logicalName)} is forgotten`);
  else if (kind === "update") sayObject(change, say);
  else say("attention", `Changes a secret: a new password is generated for ${quoted(logicalName)}`);
}

function sayJob(change: Change, say: Say): void {
  const { kind, name } = change;
  if (change.logicalName === SETTINGS_JOB_NAME) {
    if (kind === "delete") say("danger", `Deletes ${name}: nothing is tried before the server gets it`);
    else if (kind === "update") sayObject(change, say);
    else
      say("routine", "Tries the image and the settings on a scratch directory, before the server gets them");
    return;
  }
  if (kind === "delete") say("attention", `Deletes ${name}: the migrations are no longer run`);
  else if (kind === "update") sayObject(change, say);
  else say("attention", "Runs the migrations again");
}

function sayFirstDeployment(changes: readonly Change[], say: Say): void {
  const objects = changes.filter(({ type }) => type.startsWith("kubernetes:")).length;
  say("attention", `First deployment: creates ${objects} objects, and runs the migrations`);
  if (changes.some(isNodeCommand))
    say("attention", "Looks at the data directory on its node, and prepares it where it is new");
}

/** Protection that the plan takes away or gives. It shows in no operation: such a resource is the `same`. */
function sayProtection(steps: readonly EventStep[], say: Say): void {
  const lost: string[] = [];
  const gained: string[] = [];
  const unretained: string[] = [];
  for (const step of steps) {
    if (!step.old || !step.new || isGroup(step)) continue;
    const { old, new: next } = step;
    if (old.protect && !next.protect) lost.push(nameOf(step));
    if (!old.protect && next.protect) gained.push(nameOf(step));
    if (old.retainOnDelete && !next.retainOnDelete) unretained.push(nameOf(step));
  }
  if (lost.length > 0) say("danger", `No longer protected from deletion: ${list(lost)}`);
  if (unretained.length > 0) say("danger", `No longer kept when it leaves the program: ${list(unretained)}`);
  if (gained.length > 0) say("routine", `Protected from deletion from now on: ${list(gained)}`);
}

/** What the refresh found in the cluster that the state did not know. */
function driftOf(events: readonly EngineEvent[]): string[] {
  return events.flatMap(({ resOutputsEvent }) => {
    const step = resOutputsEvent?.metadata;
    if (step?.op !== "refresh" || !step.old || isGroup(step)) return [];
    if (!step.new) return [`${nameOf(step)} is gone`];
    const paths = Object.keys(step.detailedDiff ?? {}).filter((path) => !path.startsWith("status"));
    return paths.length === 0 ? [] : [`${nameOf(step)} was changed: ${list(paths.map(quoted))}`];
  });
}

const oneLine = (message: string) => message.trim().replaceAll(/\s*\n\s*/g, " ");

/**
 * Says what a preview means.
 *
 * @param events the lines of the engine's event log, in order
 */
export function summarize(events: readonly EngineEvent[]): PlanSummary {
  const steps = events.flatMap(({ resourcePreEvent }) =>
    resourcePreEvent && resourcePreEvent.metadata.op !== "refresh" ? [resourcePreEvent.metadata] : [],
  );
  const statements: Statement[] = [];
  const say: Say = (severity, text) => {
    if (!statements.some((known) => known.text === text)) statements.push({ severity, text });
  };

  const changes = changesOf(steps);
  const first = changes.some(({ type, kind }) => type === "pulumi:pulumi:Stack" && kind === "create");
  if (first) sayFirstDeployment(changes, say);
  else {
    const everything = changes.some(
      (change) => isProvider(change) && change.kind === "replace" && change.type.endsWith(":kubernetes"),
    );
    const serverRestarts = changes.some(
      (change) => isStatefulSet(change) && (change.kind !== "update" || restartReasons(change).length > 0),
    );
    for (const change of changes) {
      if (isGroup(change)) continue;
      // Said once for all of them.
      if (everything && (isKind("Service")(change) || isConfigMap(change))) continue;
      if (isProvider(change)) sayProvider(change, say);
      else if (isNodeCommand(change)) sayNodeCommand(change, say);
      else if (isPassword(change)) sayPassword(change, say);
      else if (change.kind === "create" && !isJob(change)) sayObject(change, say);
      else if (isStorage(change)) sayStorage(change, say);
      else if (isNamespace(change)) sayNamespace(change, say);
      else if (isStatefulSet(change)) sayServer(change, say);
      else if (isSecret(change)) saySecret(change, say);
      else if (isJob(change)) sayJob(change, say);
      else if (isConfigMap(change)) sayConfigMap(change, serverRestarts, say);
      else sayObject(change, say);
    }
  }
  sayProtection(steps, say);

  const diagnostics = events.flatMap(({ diagnosticEvent }) =>
    diagnosticEvent && diagnosticEvent.ephemeral !== true ? [diagnosticEvent] : [],
  );
  const messages = (severity: string) => {
    const all = diagnostics
      .filter((diagnostic) => diagnostic.severity === severity)
      .map(({ message }) => oneLine(message))
      .filter((message) => message !== "" && message !== "preview failed");
    // A cluster that does not answer is reported for each of its objects.
    return [...new Set(all)];
  };
  const policies = (mandatory: boolean) =>
    events.flatMap(({ policyEvent }) =>
      policyEvent && (policyEvent.enforcementLevel === "mandatory") === mandatory
        ? [`${quoted(policyEvent.policyName)}: ${oneLine(policyEvent.message)}`]
        : [],
    );

  const refusals = policies(true);
  const errors = messages("error");
  const failed = errors.length > 0 || refusals.length > 0;
  if (statements.length === 0 && !failed) statements.push({ severity: "none", text: "Nothing changes." });
  statements.sort((a, b) => severities.indexOf(b.severity) - severities.indexOf(a.severity));
  return {
    severity: statements[0]?.severity ?? "none",
    statements,
    drift: driftOf(events),
    refusals,
    advice: policies(false),
    errors,
    warnings: messages("warning"),
    changes: changes.filter((change) => !isGroup(change)).length,
  };
}

/** Reads an event log: one JSON object a line. A last line that a killed engine left unfinished is passed over. */
export function parseEventLog(text: string): EngineEvent[] {
  return text.split("\n").flatMap((line) => {
    try {
      return line.trim() === "" ? [] : [JSON.parse(line) as EngineEvent];
    } catch {
      return [];
    }
  });
}
