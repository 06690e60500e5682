/** Statements for the reader of a plan, and how their words are written. */

/** From harmless to irreversible. */
export const severities = ["none", "routine", "attention", "danger"] as const;
export type Severity = (typeof severities)[number];

/** One thing that a reviewer should know. Values are in backticks. */
export interface Statement {
  severity: Severity;
  text: string;
}

/** Tells the reader something. Repetitions are dropped. */
export type Say = (severity: Severity, text: string) => void;

/** The engine's mark on a secret; what stands next to it is already "[secret]". */
const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** A value of the plan in a sentence: short, on one line, and unable to be Markdown. */
export function quoted(value: unknown): string {
  if (typeof value === "object" && value !== null && SIGNATURE in value) return quoted("[secret]");
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  const line = text.replaceAll(/[`\s]+/g, " ").trim();
  return `\`${line.length > 80 ? `${line.slice(0, 79)}…` : line || " "}\``;
}

/** Several things in a sentence, each once. */
export const list = (items: Iterable<string>): string => [...new Set(items)].join(", ");
