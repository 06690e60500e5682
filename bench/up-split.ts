/** Where the seconds of a deployment go: medians over its rounds, as a table. */
import type { ResourceSpan } from "./event-times.ts";
import { median } from "./figures.ts";
import type { Moment } from "./pod-times.ts";

/** One `pulumi up`. */
export interface EngineRound {
  /** Seconds from the command's start to its end. */
  took: number;
  /** Seconds since the command's start. */
  spans: readonly ResourceSpan[];
  pods: readonly { name: string; moments: readonly Moment[] }[];
}

/** A row of the table: from when to when, in seconds since the command's start. */
interface Row {
  what: string;
  from: number;
  to: number;
}

/** The rows of one round, in the order of their beginning. */
export function rowsOf({ took, spans, pods }: EngineRound): Row[] {
  const work = spans.filter(({ resource }) => !resource.startsWith("kubernetes "));
  const first = Math.min(took, ...work.map(({ from }) => from));
  const last = Math.max(first, ...work.map(({ to, from }) => to ?? from));
  return [
    { what: "engine and program start, the cluster is looked at", from: 0, to: first },
    ...work.map(({ resource, from, to = took }) => ({ what: resource, from, to })),
    // What a Job's controller calls its pod ends in five characters that say nothing.
    ...pods.flatMap(({ name, moments }) =>
      moments.slice(1).map(({ what, at }, index) => ({
        what: `pod ${name.replace(/-[a-z0-9]{5}$/, "")}: ${what}`,
        from: moments[index]?.at ?? at,
        to: at,
      })),
    ),
    { what: "engine ends", from: last, to: took },
  ].sort((one, other) => one.from - other.from);
}

/** A Markdown table of what the rounds have in common. The pods' times are the cluster's, in whole seconds. */
export function splitTable(rounds: readonly EngineRound[]): string {
  const all = rounds.map(rowsOf);
  const names = [...new Set(all.flatMap((rows) => rows.map(({ what }) => what)))];
  const rows = names.map((what) => {
    const same = all.flatMap((each) => each.filter((row) => row.what === what));
    return {
      what,
      from: median(same.map(({ from }) => from)),
      took: median(same.map(({ from, to }) => to - from)),
    };
  });
  return [
    "| what | begins after, s | takes, s |",
    "| --- | --: | --: |",
    ...rows
      .sort((one, other) => one.from - other.from)
      .map(({ what, from, took }) => `| ${what} | ${from.toFixed(1)} | ${took.toFixed(1)} |`),
  ].join("\n");
}
