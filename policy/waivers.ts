/** Waivers: one resource may break one rule, for a reason, until a day. */
import type { PolicyConfigJSONSchema } from "@pulumi/policy/schema.js";
import type { Finding } from "./rule.ts";

/** A waiver, in the configuration of the rule that it waives. */
export interface Waiver {
  /** The rule, written out: a block that is copied to another rule is an error, not a waiver of that one. */
  rule: string;
  /** `<kind>/<name>`. */
  resource: string;
  reason: string;
  /** Last day on which it holds, `2026-12-31`. */
  until: string;
}

/** Schema of a rule's waivers. */
export const WAIVERS_SCHEMA: PolicyConfigJSONSchema & { description: string } = {
  type: "array",
  description: "Resources that may break this rule until a day",
  default: [],
  items: {
    type: "object",
    required: ["rule", "resource", "reason", "until"],
    properties: {
      rule: { type: "string", minLength: 1 },
      resource: { type: "string", pattern: "^([A-Za-z]+/[^\\s*]+|stack)$" },
      reason: { type: "string", pattern: "\\S.{9,}" },
      until: { type: "string", pattern: "^\\d{4}-\\d{2}-\\d{2}$" },
    },
  },
};

function isDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/** Findings about a rule's waivers themselves. */
export function waiverFindings(rule: string, waivers: readonly Waiver[], today: string): Finding[] {
  return waivers.flatMap((waiver) => {
    const finding = (why: string, remedy: string): Finding[] => [{ subject: waiver.resource, why, remedy }];
    if (waiver.rule !== rule) {
      return finding(
        `a waiver under ${rule} names the rule ${waiver.rule}`,
        `move it to ${waiver.rule}, or name the rule it is for`,
      );
    }
    if (!isDay(waiver.until)) {
      return finding(
        `the waiver's end, ${waiver.until}, is not a day of the calendar`,
        "write a day such as 2026-12-31",
      );
    }
    if (waiver.until < today) {
      return finding(
        `its waiver ended on ${waiver.until} (${waiver.reason})`,
        "follow the rule and remove the waiver, or decide again and give it another end date",
      );
    }
    return [];
  });
}

/** Findings without those that a waiver covers today. */
export function unwaived(
  rule: string,
  findings: readonly Finding[],
  waivers: readonly Waiver[],
  today: string,
): Finding[] {
  return findings.filter(
    ({ subject }) =>
      !waivers.some(
        (waiver) =>
          waiver.rule === rule && waiver.resource === subject && isDay(waiver.until) && waiver.until >= today,
      ),
  );
}
