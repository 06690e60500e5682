/** The engine's event log, as far as it is read here (`pulumi preview --event-log`). */

/** A resource's state as an event has it. */
export interface EventState {
  inputs?: Record<string, unknown>;
  protect?: boolean;
  retainOnDelete?: boolean;
}

/** A step of the plan, or of the refresh before it. */
export interface EventStep {
  op: string;
  urn: string;
  type: string;
  old?: EventState | null;
  new?: EventState | null;
  detailedDiff?: Record<string, { diffKind: string }> | null;
  /** Properties that force a replacement. */
  keys?: string[] | null;
  /** Properties that differ, where the provider gives no detailed diff. */
  diffs?: string[] | null;
}

/** One line of the event log, as far as it is read here. */
export interface EngineEvent {
  resourcePreEvent?: { metadata: EventStep };
  resOutputsEvent?: { metadata: EventStep };
  diagnosticEvent?: { urn?: string; message: string; severity: string; ephemeral?: boolean };
  policyEvent?: { resourceUrn?: string; message: string; policyName: string; enforcementLevel: string };
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
