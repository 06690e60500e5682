/** The rules as Grafana draws them: from which value on a panel has another colour. Pure. */
import { isWrong, type Rule, RULES } from "./rules.ts";

/** A step of Grafana's thresholds: the colour from a value on; `null` is below all others. */
export interface Step {
  value: number | null;
  color: string;
}

/** The colours, in Grafana's names: of what has no limit too. */
export const COLOURS = { critical: "red", warning: "orange", well: "green", unjudged: "blue" } as const;

/** Whether a figure counts things or answers yes or no: the first value above 0 is then 1. */
const isWhole = (figure: string) => !/_(seconds|ratio|bytes)$/.test(figure);

/** From where on a rule is wrong, or no longer. Grafana includes a step's value, rules exclude their limit. */
function borderOf({ figure, above, below }: Rule): number {
  if (above === undefined) return below ?? NaN;
  return isWhole(figure) ? above + 1 : above;
}

/** The steps of a figure, lowest first. A figure without a rule has one. */
export function stepsOf(figure: string, rules: readonly Rule[] = RULES): Step[] {
  const ours = rules.filter((rule) => rule.figure === figure);
  if (ours.length === 0) return [{ value: null, color: COLOURS.unjudged }];
  const borders = [...new Set(ours.map(borderOf))].sort((a, b) => a - b);
  const steps = [undefined, ...borders].map((border, index): Step => {
    const next = borders[index];
    const within =
      border === undefined ? (next ?? 0) - 1 : next === undefined ? border + 1 : (border + next) / 2;
    const wrong = ours.filter((rule) => isWrong(rule, { name: figure, label: "", value: within }));
    const severity = wrong.some((rule) => rule.severity === "critical") ? "critical" : wrong[0]?.severity;
    return { value: border ?? null, color: COLOURS[severity ?? "well"] };
  });
  return steps.filter(({ color }, index) => color !== steps[index - 1]?.color);
}
