/** When the engine began and ended each resource: its event log, read as it is written, because the log has only whole seconds. */
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { type EngineEvent, parseEventLog } from "../tools/engine/events.ts";

/** An event, and how many seconds after the beginning it was there. */
export interface TimedEvent {
  at: number;
  event: EngineEvent;
}

/** A resource, and the seconds between which the engine was at work on it. */
export interface ResourceSpan {
  /** `StatefulSet postgres`. */
  resource: string;
  from: number;
  /** Undefined where the work has not ended. */
  to?: number | undefined;
}

/** Milliseconds between two looks at the log. */
const INTERVAL = 20;

/**
 * Follows a log that need not be there yet.
 *
 * @returns what ends it, and gives all events
 */
export function followEvents(path: string): () => TimedEvent[] {
  const started = performance.now();
  const timed: TimedEvent[] = [];
  const decoder = new StringDecoder();
  let file: number | undefined;
  let rest = "";
  const look = () => {
    if (file === undefined && existsSync(path)) file = openSync(path, "r");
    if (file === undefined) return;
    const at = (performance.now() - started) / 1000;
    const buffer = Buffer.alloc(2 ** 18);
    // From where the last look ended.
    for (let size; (size = readSync(file, buffer)) > 0;) rest += decoder.write(buffer.subarray(0, size));
    const end = rest.lastIndexOf("\n") + 1;
    for (const event of parseEventLog(rest.slice(0, end))) timed.push({ at, event });
    rest = rest.slice(end);
  };
  const timer = setInterval(look, INTERVAL);
  return () => {
    clearInterval(timer);
    look();
    if (file !== undefined) closeSync(file);
    return timed;
  };
}

/** What was done when, in the order of its beginning. The stack itself and the components are left out: they wait for others. */
export function resourceSpans(events: readonly TimedEvent[]): ResourceSpan[] {
  const spans = new Map<string, ResourceSpan>();
  for (const { at, event } of events) {
    const begun = event.resourcePreEvent?.metadata;
    const ended = event.resOutputsEvent?.metadata;
    if (begun && isWork(begun.type)) spans.set(begun.urn, { resource: nameOf(begun.urn), from: at });
    const span = ended && spans.get(ended.urn);
    if (span) span.to = at;
  }
  return [...spans.values()];
}

function isWork(type: string): boolean {
  return !type.startsWith("pulumi:pulumi:") && !type.startsWith("transcript-pipeline:");
}

/** `urn:pulumi:dev::project::parents$kubernetes:apps/v1:StatefulSet::postgres` is `StatefulSet postgres`. */
function nameOf(urn: string): string {
  const [type = "", name = ""] = urn.split("::").slice(2);
  return `${type.split(/[:$]/).at(-1)} ${name}`;
}
