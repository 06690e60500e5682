/**
 * `npm run bench:build`: the CPU time, user and system, that the local cluster's programs take to build where Go has built
 * nothing before, by part and in total, with its aim. Builds as the first `npm run up` does, into folders that are
 * removed; the modules' sources, which cost no CPU time worth mentioning, are downloaded first. Never fails because of a
 * time. Without options the figures are kept in bench/results/build.md.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { projectFile, runTool, UsageError } from "../tools/cli.ts";
import { compile, download, importPath, type Part, parts } from "../tools/local-cluster/build.ts";
import { cacheRoot } from "../tools/local-cluster/paths.ts";
import { type Action, type Cost, costs } from "./action-graph.ts";
import { machineLine } from "./figures.ts";
import { childSeconds } from "./process-times.ts";

/** CPU minutes of a complete build. */
const AIM = 12;
const RESULTS = projectFile("bench/results/build.md");

const usage = `usage: npm run bench:build -- [--only <part>]
CPU minutes that building the local cluster's programs takes with empty Go caches; two cores need half of it.
  --only <part>  builds one part: ${parts.map(({ title }) => title).join(", ")}. Default: all, kept in bench/results/build.md`;

/** A build into an empty folder with an empty Go cache. */
async function measure(chosen: readonly Part[]): Promise<{ total: number; wall: number; each: Cost[] }> {
  await download(chosen);
  // Not in /tmp, which may be memory: Go's cache takes gigabytes.
  mkdirSync(cacheRoot(), { recursive: true });
  const directory = mkdtempSync(join(cacheRoot(), "bench-build-"));
  const graph = (versions: string): string => join(directory, `${versions}.json`);
  const programs = join(directory, "programs");
  mkdirSync(programs);
  try {
    const [before, begun] = [childSeconds(), performance.now()];
    await compile(programs, chosen, (versions) => [`-debug-actiongraph=${graph(versions)}`], {
      GOCACHE: join(directory, "cache"),
    });
    const [total, wall] = [childSeconds() - before, (performance.now() - begun) / 1000];
    // What a later build takes from the cache has no time in its graph.
    const each = [...new Set(chosen.map((part) => part.versions))].flatMap((versions) =>
      costs(
        JSON.parse(readFileSync(graph(versions), "utf8")) as Action[],
        chosen.filter((part) => part.versions === versions).map((part) => part.packages.map(importPath)),
      ),
    );
    return { total, wall, each };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function table(chosen: readonly Part[], total: number, each: readonly Cost[]): string {
  const row = (...cells: string[]): string => `| ${cells.join(" | ")} |`;
  const minutes = (seconds: number): string => (seconds / 60).toFixed(2);
  const attributed = each.reduce((sum, { compile: own, link }) => sum + own + link, 0);
  return [
    row("part", "packages and links", "compiling", "linking", "CPU minutes"),
    row("---", "--:", "--:", "--:", "--:"),
    ...chosen.map(({ title }, index) => {
      const { compile: own, link, actions } = each[index] ?? { compile: 0, link: 0, actions: 0 };
      return row(title, String(actions), minutes(own), minutes(link), minutes(own + link));
    }),
    row("go itself", "", "", "", minutes(total - attributed)),
    row("total", "", "", "", minutes(total)),
  ].join("\n");
}

await runTool(usage, async () => {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const chosen = parts.filter(({ title }) => values.only === undefined || title === values.only);
  if (chosen.length === 0) {
    throw new UsageError(`--only: "${values.only}" is not a part\n${usage}`);
  }
  const { total, wall, each } = await measure(chosen);
  const minutes = total / 60;
  const report = [
    table(chosen, total, each),
    "",
    ...(values.only === undefined
      ? [
          `A complete build: ${minutes.toFixed(1)} CPU minutes in ${(wall / 60).toFixed(1)} min (aim: ${AIM} or less, ` +
            `${minutes <= AIM ? "met" : "not met"}).`,
        ]
      : [`${values.only} alone: ${minutes.toFixed(1)} CPU minutes in ${(wall / 60).toFixed(1)} min.`]),
  ].join("\n");
  console.log(report);
  if (values.only !== undefined) return;
  writeFileSync(
    RESULTS,
    `# Building the local cluster

The first \`npm run up\` on a machine without a cluster compiles one. User and system time with empty Go caches; what
several parts share counts for the first of them. Measured by \`npm run bench:build\`.

${machineLine()}

${report}
`,
  );
});
