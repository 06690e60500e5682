/**
 * Untrusted text in Markdown, kept as text: it makes no link, image, mention, heading or HTML, and ends no block. On
 * GitHub only code stays as it is: addresses, names after `@`, `#12` and commits become links in all other text,
 * whatever is escaped.
 */

/** Characters that are invisible, or that reverse the order of those around them. */
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A fence is longer than any of these in its text; without a bound it could be as long as the whole. */
const LONGEST_TICKS = 8;

/** The text with invisible characters written out. Its line breaks stay. */
export function visible(text: string): string {
  return text
    .replaceAll(/\r\n?|[\u2028\u2029]/g, "\n")
    .replaceAll(UNSEEN, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}

/** At most this many characters, none of them cut in half. */
export function cut(text: string, length: number, end = "…"): string {
  if (text.length <= length) return text;
  const kept = Math.max(0, length - end.length);
  const halved = /[\ud800-\udbff]/.test(text.charAt(kept - 1));
  return text.slice(0, halved ? kept - 1 : kept) + end;
}

const withoutLongTicks = (text: string) =>
  text.replaceAll(new RegExp(`\`{${LONGEST_TICKS + 1},}`, "g"), `${"`".repeat(LONGEST_TICKS)}…`);

const longestTicks = (text: string) =>
  Math.max(0, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));

/** A block of code that its own text cannot end. */
export function codeBlock(text: string, language: string): string {
  const safe = withoutLongTicks(visible(text));
  const fence = "`".repeat(Math.max(3, longestTicks(safe) + 1));
  return `${fence}${language}\n${safe}\n${fence}`;
}

/** A span of code on one line. */
export function codeSpan(text: string): string {
  const line = withoutLongTicks(visible(text).replaceAll(/\s+/g, " ").trim());
  if (line === "") return "` `";
  const ticks = "`".repeat(longestTicks(line) + 1);
  // A space at each end belongs to the span, and lets it begin and end with a backtick.
  return line.includes("`") ? `${ticks} ${line} ${ticks}` : `${ticks}${line}${ticks}`;
}

/** Words and punctuation that Markdown and GitHub leave alone. */
const WORDS = /^[\p{Script=Latin}\p{Nd} ,;:.()'→…-]*$/u;
/** `www.` is an address, and a long number in hexadecimal digits a commit. */
const LINKED = /www\.|\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b/i;

/**
 * A sentence of ours, with values in backticks. If anything but words is outside the backticks, the sentence is not
 * what it was meant to be, and all of it is shown as code.
 */
export function sentence(text: string): string {
  const line = visible(text).replaceAll(/\s+/g, " ").trim();
  const parts = line.split(/(`[^`]+`)/);
  const isMeant = parts.every((part, index) => index % 2 === 1 || (WORDS.test(part) && !LINKED.test(part)));
  // A sentence that begins like a list or a heading would become one.
  if (!isMeant || /^(?:[-.]|\d+[.)])/.test(line)) return codeSpan(line);
  return line;
}
