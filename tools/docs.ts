/**
 * `npm run docs`: writes the tables generated from code: configuration into README.md, the pack's rules into
 * docs/policies.md, those of what is wrong into docs/status.md, alerts and metrics into docs/monitoring.md.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { alertsFor, expressionOf } from "../components/monitoring/alerts.ts";
import {
  DATABASE_METRICS,
  FIGURE_METRICS,
  METRIC_PREFIX,
  SILENT_METRIC,
} from "../components/monitoring/metrics.ts";
import { RULES, readable } from "../components/monitoring/rules.ts";
import { table } from "../config.ts";
import { readableSpan } from "../quantities.ts";
import { fieldsOf, type Section } from "../config/reader.ts";
import type { Rule } from "../policy/rule.ts";
import { rules } from "../policy/rules/index.ts";
import { answersHelp, projectFile } from "./cli.ts";

/** A page with one table generated from the code. */
export interface Page {
  file: string;
  /** Its text with the current table. */
  withTable: (page: string) => string;
}

const cell = (text: string) => text.replaceAll("|", "\\|");
const row = (...cells: string[]) => `| ${cells.map(cell).join(" | ")} |`;

/**
 * Puts a table between its marks.
 *
 * @param what the name in the marks: `configuration`
 */
function between(page: string, what: string, header: string[], rows: string[]): string {
  const begin = `<!-- ${what}: written by \`npm run docs\`, checked by the tests -->`;
  const end = `<!-- end of ${what} -->`;
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the marks for the table are missing: ${begin} … ${end}`);
  const lines = [row(...header), row(...header.map(() => "---")), ...rows];
  return `${page.slice(0, from + begin.length)}\n\n${lines.join("\n")}\n\n${page.slice(to)}`;
}

function fieldRows(name: string, section: Section): string[] {
  return fieldsOf(name, section).map(({ path, field }) => {
    const standIn =
      field.presence === "required"
        ? "**required**"
        : field.presence === "optional"
          ? ""
          : `\`${typeof field.default === "string" ? field.default : JSON.stringify(field.default)}\``;
    return row(`\`${path}\``, field.type, standIn, field.description);
  });
}

/** The fields of a rule's configuration, without the waivers that every rule has. */
function configurationText({ schema }: Rule): string {
  return Object.keys(schema?.properties ?? {})
    .map((name) => `\`${name}\`${schema?.required?.includes(name) ? " (required)" : ""}`)
    .join(", ");
}

function ruleRows(): string[] {
  return rules.map((rule) => {
    const marks = [
      ...("checkStack" in rule ? ["stack"] : []),
      ...(rule.level === "advisory" ? ["advisory"] : []),
    ].join(", ");
    return row(`\`${rule.name}\`${marks === "" ? "" : ` (${marks})`}`, rule.asks, configurationText(rule));
  });
}

function statusRows(): string[] {
  return RULES.map(({ name, figure, above, below, lasts, severity, page, why }) => {
    const limit =
      above === undefined
        ? `below ${readable({ name: figure, value: below ?? NaN })}`
        : `above ${readable({ name: figure, value: above })}`;
    const [file = "", anchor] = page.split("#");
    const link = file === "status.md" ? `#${anchor}` : page;
    return row(`[\`${name}\`](${link})`, severity, `\`${figure}\` ${limit}`, duration(lasts), why);
  });
}

const duration = (seconds: number) => (seconds === 0 ? "at once" : readableSpan(seconds));

function alertRows(): string[] {
  return alertsFor(RULES, "").map((alert) => {
    const link = alert.page.replace(/^monitoring\.md/, "");
    return row(
      `[\`${alert.name}\`](${link})`,
      alert.severity,
      `\`${expressionOf(alert)}\``,
      duration(alert.lasts),
      alert.why,
    );
  });
}

function metricRows(): string[] {
  return [...FIGURE_METRICS, SILENT_METRIC, ...DATABASE_METRICS].map(({ name, of, help }) =>
    row(`\`${METRIC_PREFIX}${name}\``, of === undefined ? "" : `\`${of}\``, help),
  );
}

export const pages: readonly Page[] = [
  {
    file: "README.md",
    withTable: (page) =>
      between(
        page,
        "configuration",
        ["field", "type, unit", "default", "what it is"],
        Object.entries(table).flatMap(([name, section]) => fieldRows(name, section)),
      ),
  },
  {
    file: "docs/policies.md",
    withTable: (page) => between(page, "rules", ["rule", "what it asks", "configuration"], ruleRows()),
  },
  {
    file: "docs/status.md",
    withTable: (page) =>
      between(
        page,
        "status",
        ["what", "how grave", "when", "told after", "why neither too early nor too late"],
        statusRows(),
      ),
  },
  {
    file: "docs/monitoring.md",
    withTable: (page) =>
      between(
        between(
          page,
          "alerts",
          ["alert", "severity", "when", "for", "why neither too early nor too late"],
          alertRows(),
        ),
        "metrics",
        ["metric", "label", "what it is"],
        metricRows(),
      ),
  },
];

if (import.meta.main && !answersHelp("usage: npm run docs")) {
  for (const { file, withTable } of pages) {
    const path = projectFile(file);
    writeFileSync(path, withTable(readFileSync(path, "utf8")));
  }
}
