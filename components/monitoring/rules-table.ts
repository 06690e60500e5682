/** The rules as scripts/judge.awk takes them. Pure. */
import type { Rule } from "./rules.ts";

/** One rule a line: name, figure, `above` or `below`, limit, seconds that it lasts, severity, words, remedy, page. */
export function rulesTable(rules: readonly Rule[]): string {
  return rules
    .map(({ name, figure, above, below, lasts, severity, words, remedy, page }) => {
      const limit = above === undefined ? ["below", below] : ["above", above];
      return `${[name, figure, ...limit, lasts, severity, words, remedy, `docs/${page}`].join("\t")}\n`;
    })
    .join("");
}
