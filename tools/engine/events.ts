/**
 * The engine's events, as far as they are read here. A field without a value is absent in the SDK's types and null in a
 * log.
 */
import type {
  DiagnosticEvent,
  PolicyEvent,
  PropertyDiff,
  StepEventMetadata,
  StepEventStateMetadata,
} from "@pulumi/pulumi/automation/index.js";

/** Some of a type's fields; optional ones may be null. */
type Read<T, Fields extends keyof T> = {
  [Field in Fields]: undefined extends T[Field] ? T[Field] | null : T[Field];
};

/** A resource's state. */
export type EventState = Partial<Pick<StepEventStateMetadata, "inputs" | "protect" | "retainOnDelete">>;

/** A step of the plan, or of the refresh before it. */
export type EventStep = Read<StepEventMetadata, "op" | "urn" | "type" | "keys" | "diffs"> & {
  old?: EventState | null;
  new?: EventState | null;
  detailedDiff?: Record<string, { diffKind: `${PropertyDiff["diffKind"]}` }> | null;
};

/** One line of the event log. */
export interface EngineEvent {
  resourcePreEvent?: { metadata: EventStep };
  resOutputsEvent?: { metadata: EventStep };
  diagnosticEvent?: Pick<DiagnosticEvent, "urn" | "message" | "severity" | "ephemeral">;
  policyEvent?: Pick<PolicyEvent, "resourceUrn" | "message" | "policyName"> & {
    /** The SDK has "warning" instead of what the engine writes. */
    enforcementLevel: "advisory" | PolicyEvent["enforcementLevel"];
  };
}

/** Reads an event log: one JSON object per line. A last line that a killed engine left unfinished is skipped. */
export function parseEventLog(text: string): EngineEvent[] {
  return text.split("\n").flatMap((line) => {
    try {
      return line.trim() === "" ? [] : [JSON.parse(line) as EngineEvent];
    } catch {
      return [];
    }
  });
}
