/** A plan's summary as Markdown, for a comment or an issue. */
import type { PlanSummary, Severity } from "./plan-summary.ts";

/** What became of the preview of one stack. */
export interface StackPlan {
  stack: string;
  /** The commit whose program was previewed. */
  commit: string;
  summary: PlanSummary;
  /** The engine's own diff, with secrets masked. */
  diff: string;
}

const MARKS: Readonly<Record<Severity, string>> = {
  danger: "🔴",
  attention: "🟠",
  routine: "🟢",
  none: "⚪",
};

/** GitHub takes 65536 characters; the rest is for what surrounds the diffs. */
export const LIMIT = 60_000;

/** The engine's diff without what a reader does not need: the lines of addresses, and of what stays the same. */
export function readableDiff(output: string): string {
  return output
    .split("\n")
    .filter(
      (line) => !/^\s*\[(id|urn|provider)=/.test(line) && !/^\s*[~]?\s*\S+: \((same|refresh)\)/.test(line),
    )
    .join("\n")
    .trim();
}

/** A block that its own text cannot end. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}diff\n${text}\n${fence}`;
}

/** Somebody else's text in a list: one line, mentions nobody, and is no HTML. */
function plain(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll("<", "&lt;").replaceAll("@", "@\u200b").slice(0, 2000);
}

function section(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [`**${title}**`, ...items.map((item) => `- ${plain(item)}`), ""];
}

/** What matters, in plain words. */
export function summaryMarkdown(summary: PlanSummary): string {
  return [
    ...section("The preview failed", summary.errors),
    ...section("Refused by policy", summary.refusals),
    ...summary.statements.map(({ severity, text }) => `- ${MARKS[severity]} ${plain(text)}`),
    "",
    ...section("Changed in the cluster, not by this change", summary.drift),
    ...section("Policies advise", summary.advice),
    ...section("Warnings", summary.warnings),
  ]
    .join("\n")
    .trim();
}

/** One stack's part: its summary first, the diff folded below it. */
function planMarkdown({ stack, summary, diff }: StackPlan, room: number): string {
  const cut =
    diff.length > room
      ? `${diff.slice(0, Math.max(0, room))}\n… cut here; the run's artifact has all of it`
      : diff;
  const failed = summary.errors.length > 0 || summary.refusals.length > 0;
  const details =
    diff === ""
      ? ""
      : `\n\n<details><summary>What the engine would do${failed ? ", as far as it got" : ""}</summary>\n\n${fenced(cut)}\n\n</details>`;
  return `### ${failed ? "❌" : MARKS[summary.severity]} ${stack}\n\n${summaryMarkdown(summary)}${details}`;
}

/**
 * The plans of several stacks.
 *
 * @param expected every stack that was to be previewed; one without a plan is named
 */
export function plansMarkdown(plans: readonly StackPlan[], expected: readonly string[]): string {
  const bySize = [...plans].sort((a, b) => a.diff.length - b.diff.length);
  const parts = new Map<string, string>();
  let room = LIMIT - bySize.reduce((sum, { summary }) => sum + summaryMarkdown(summary).length + 400, 0);
  // The shortest first: what they leave goes to the longer ones.
  bySize.forEach((plan, index) => {
    const share = Math.floor(room / (bySize.length - index));
    parts.set(plan.stack, planMarkdown(plan, share));
    room -= Math.min(share, plan.diff.length);
  });
  return expected
    .map(
      (stack) => parts.get(stack) ?? `### ❌ ${stack}\n\nThere is no preview: its job did not get that far.`,
    )
    .join("\n\n");
}
