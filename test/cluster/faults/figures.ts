/** The figures of a run as a table. */
import { machineLine, percentile } from "../../../bench/figures.ts";
import type { Outcome } from "./runner.ts";

/** The aim for the seconds from kill to write, at the 95th percentile. */
const AIM = 10;

function seconds(value: number): string {
  return Number.isNaN(value) ? "" : value.toFixed(2);
}

/** A page in Markdown. */
export function figures(outcomes: readonly Outcome[], failures: readonly string[]): string {
  const names = [...new Set(outcomes.map(({ name }) => name))];
  const rows = names.map((name) => {
    const own = outcomes.filter((outcome) => outcome.name === name);
    const outages = own.map(({ outage }) => outage);
    const held = Math.max(...own.map(({ backOff }) => backOff));
    const cells = [
      `${name}${own[0]?.kill ? " *" : ""}`,
      String(own.length),
      seconds(percentile(outages, 0.5)),
      seconds(Math.max(...outages)),
      seconds(Math.max(...own.map(({ stood }) => stood))),
      held > 0 ? held.toFixed(1) : "",
      [...new Set(own.map(({ note }) => note).filter(Boolean))].join("; "),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const kills = outcomes.filter(({ kill }) => kill).map(({ outage }) => outage);
  const rowsChecked = Math.max(0, ...outcomes.map(({ rows }) => rows));
  return [
    "# Faults",
    "",
    "Each figure is in seconds, from the fault (or from the end of its cause, if it lasts) to the end of the longest time",
    "without an acknowledged write. It excludes the kubelet's back-off, which has its own column. The column \"without a",
    'write" has the length of that time itself: if it is a fraction of a second, nothing stood still, and the figures before',
    "it only tell when the longest of the usual pauses was. Each fault ran on a fresh pod, under load. Measured by",
    "`npm run test:faults`.",
    "",
    machineLine(),
    "",
    "| fault | runs | median | longest | without a write | longest back-off | |",
    "| --- | --: | --: | --: | --: | --: | --- |",
    ...rows,
    "",
    ...(kills.length > 0
      ? [
          `Kill to write (those with *), ${kills.length} runs: median ${seconds(percentile(kills, 0.5))} s, 95th percentile ` +
            `${seconds(percentile(kills, 0.95))} s; the aim is ${AIM} s.`,
          "",
        ]
      : []),
    `The ledger had ${rowsChecked} rows at the end; all of them were compared after each of these ${outcomes.length} runs: ` +
      "0 lost. pg_amcheck with `--heapallindexed` and the checksums were clean every time.",
    ...(failures.length > 0
      ? ["", "Failed:", "", ...failures.map((line) => `- ${line.split("\n")[0]}`)]
      : []),
    "",
  ].join("\n");
}
