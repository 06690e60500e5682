/**
 * What a preview means for the people who own the database, from the engine's own events (`pulumi preview
 * --event-log`). Nothing here reads a value that the engine has marked as secret, and nothing knows a capability: each
 * says in sentences/ what a change to its resources means.
 */
import { type Change, changesOf, isGroup, nameOf } from "./changes.ts";
import type { EngineEvent, EventStep } from "../engine/events.ts";
import { capabilities } from "./sentences/index.ts";
import type { Sentences } from "./sentences/sentences.ts";
import { list, quoted, type Say, severities, type Severity, type Statement } from "./statements.ts";

/** What a preview says, in plain words. */
export interface PlanSummary {
  /** The severity of the gravest statement. */
  severity: Severity;
  /** Gravest first. "Nothing changes." alone when it is so. */
  statements: Statement[];
  /** Differences between the cluster and the state that the change under review did not cause. */
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

/** Who owns a resource. */
const speakerOf = (change: Change): Sentences | undefined =>
  capabilities.find((capability) => capability.owns(change));

function sayFirstDeployment(changes: readonly Change[], say: Say): void {
  const objects = changes.filter(({ type }) => type.startsWith("kubernetes:")).length;
  const besides = capabilities.map((capability) =>
    capability.first?.(changes.filter((change) => speakerOf(change) === capability)),
  );
  const clauses = besides.flatMap((said) => said?.clause ?? []).map((clause) => `, and ${clause}`);
  say("attention", `First deployment: creates ${objects} objects${clauses.join("")}`);
  for (const said of besides) if (said?.sentence !== undefined) say("attention", said.sentence);
}

function sayChanges(changes: readonly Change[], say: Say): void {
  const silenced = capabilities.flatMap((capability) => capability.silences?.(changes) ?? []);
  for (const change of changes) {
    if (isGroup(change) || silenced.some((isSilenced) => isSilenced(change))) continue;
    speakerOf(change)?.say(change, say, changes);
  }
}

/** Protection that the plan removes or adds. No operation shows it: such a resource is the `same`. */
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

/** What the refresh found in the cluster that the state did not have. */
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
  else sayChanges(changes, say);
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
