/** A plan's summary as Markdown, for a comment or an issue. */
import { codeBlock, codeSpan, cut, sentence } from "./markdown-text.ts";
import type { Severity } from "./statements.ts";
import type { PlanSummary } from "./summary.ts";

/** The result of one stack's preview. */
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

/** GitHub accepts 65536 characters; the rest is for what surrounds the plans. */
export const LIMIT = 60_000;

/** Reserved for a note that there are more environments than fit. */
const REST = 100;

/** Of one message. A cluster's answer can be as long as an object. */
const ITEM_LIMIT = 1000;

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

/** The lines of a summary, of which the last ones can be omitted. */
interface Lines {
  title?: string;
  items: string[];
}

function linesOf(summary: PlanSummary): Lines[] {
  const theirs = (texts: readonly string[]) => texts.map((text) => `- ${codeSpan(cut(text, ITEM_LIMIT))}`);
  const ours = (texts: readonly string[]) => texts.map((text) => `- ${sentence(cut(text, ITEM_LIMIT))}`);
  return [
    { title: "The preview failed", items: theirs(summary.errors) },
    { title: "Refused by policy", items: theirs(summary.refusals) },
    {
      items: summary.statements.map(
        ({ severity, text }) => `- ${MARKS[severity]} ${sentence(cut(text, ITEM_LIMIT))}`,
      ),
    },
    { title: "Changed in the cluster, not by this change", items: ours(summary.drift) },
    { title: "Policies advise", items: theirs(summary.advice) },
    { title: "Warnings", items: theirs(summary.warnings) },
  ].filter(({ items }) => items.length > 0);
}

const more = (count: number, artifact: string) => `- … and ${count} more, in ${artifact}`;

/**
 * What matters, in plain words.
 *
 * @param room how many characters it may have; what does not fit is counted. @default unlimited
 * @param artifact where all of it is
 */
export function summaryMarkdown(
  summary: PlanSummary,
  room: number = Infinity,
  artifact = "the run's artifact",
): string {
  const blocks: string[] = [];
  // Each part may need its last line.
  const reserve = 80 + artifact.length;
  let left = room;
  for (const { title, items } of linesOf(summary)) {
    const lines = title === undefined ? [] : [`**${title}**`];
    left -= (lines[0]?.length ?? 0) + 3 + reserve;
    let shown = 0;
    for (const item of items) {
      if (left < item.length + 1) break;
      left -= item.length + 1;
      lines.push(item);
      shown++;
    }
    if (shown < items.length) lines.push(more(items.length - shown, artifact));
    blocks.push(lines.join("\n"));
    left += shown < items.length ? 0 : reserve;
  }
  return blocks.join("\n\n");
}

/** One stack's part: its summary first, the diff folded below it. */
function planMarkdown({ stack, summary, diff }: StackPlan, room: number): string {
  const artifact = `artifact \`plan-${stack}\` of this run`;
  const failed = summary.errors.length > 0 || summary.refusals.length > 0;
  const heading = `### ${failed ? "❌" : MARKS[summary.severity]} ${stack}`;
  const said = summaryMarkdown(summary, room - heading.length - 2, artifact);
  const begun = `${heading}\n\n${said}`;
  const note = `\n\nThe diff is cut here; all of it is in ${artifact}.`;
  const around = [
    "\n\n<details><summary>What the engine would do",
    "</summary>\n\n",
    "\n\n</details>",
  ] as const;
  const head = around[0] + (failed ? ", as far as it got" : "") + around[1];
  const left = room - begun.length - head.length - around[2].length - note.length;
  if (diff === "") return begun;
  let shown = cut(diff, Math.max(0, left));
  let block = codeBlock(shown, "diff");
  // Invisible characters take more room once written out.
  while (block.length > left && shown.length > 200) {
    shown = cut(diff, Math.floor(shown.length / 2));
    block = codeBlock(shown, "diff");
  }
  if (block.length > left) return `${begun}\n\nThe diff is in ${artifact}.`;
  return `${begun}${head}${block}${shown === diff ? "" : note}${around[2]}`;
}

/**
 * The plans of several stacks, in at most {@link LIMIT} characters.
 *
 * @param expected every stack that should have been previewed; one without a plan is named
 */
export function plansMarkdown(plans: readonly StackPlan[], expected: readonly string[]): string {
  const sizeOf = ({ summary, diff }: StackPlan) => summaryMarkdown(summary).length + diff.length;
  const bySize = plans
    .filter(({ stack }) => expected.includes(stack))
    .map((plan) => ({ plan, size: sizeOf(plan) }))
    .sort((a, b) => a.size - b.size);
  const parts = new Map(
    expected.map((stack) => [stack, `### ❌ ${stack}\n\nThere is no preview: its job did not get that far.`]),
  );
  const without = expected.filter((stack) => !bySize.some(({ plan }) => plan.stack === stack));
  let room = LIMIT - REST - without.reduce((sum, stack) => sum + (parts.get(stack)?.length ?? 0) + 2, 0);
  // The shortest first: the room that they leave goes to the longer ones.
  bySize.forEach(({ plan }, index) => {
    const part = planMarkdown(plan, Math.floor(room / (bySize.length - index)) - 2);
    parts.set(plan.stack, part);
    room -= part.length + 2;
  });
  const texts = [...parts.values()];
  const rest = (count: number) => `\n\n… and ${count} more environments, in the artifacts of this run`;
  let text = "";
  for (const [index, part] of texts.entries()) {
    const next = text === "" ? part : `${text}\n\n${part}`;
    // With hundreds of environments not even their names fit.
    if (next.length > LIMIT - REST) return text + rest(texts.length - index);
    text = next;
  }
  return text;
}
