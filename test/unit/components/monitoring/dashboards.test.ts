import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { DASHBOARD_NAMES, dashboardFiles } from "../../../../components/monitoring/dashboards.ts";
import {
  DATABASE_METRICS,
  FIGURE_METRICS,
  SILENT_METRIC,
} from "../../../../components/monitoring/metrics.ts";
import { isWrong, RULES, rulesFor } from "../../../../components/monitoring/rules.ts";
import { COLOURS, stepsOf } from "../../../../components/monitoring/thresholds.ts";
import { projectFile } from "../../../../tools/cli.ts";

/** The colour that Grafana gives to a value: that of the last step that is not above it. */
function colourOf(figure: string, value: number): string | undefined {
  return stepsOf(figure).findLast((step) => step.value === null || value >= step.value)?.color;
}

describe("the thresholds of a figure", () => {
  for (const figure of new Set(RULES.map((rule) => rule.figure)))
    it(`are where the rules say that it is wrong: ${figure}`, () => {
      const rules = RULES.filter((rule) => rule.figure === figure);
      const limits = rules.map(({ above, below }) => above ?? below ?? NaN);
      const isWhole = !/_(seconds|ratio|bytes)$/.test(figure);
      const near = isWhole ? [-1, 0, 1, 2] : [-1, -1e-4, 1e-4, 1];
      for (const value of limits.flatMap((limit) => near.map((distance) => limit + distance))) {
        const wrong = rules.filter((rule) => isWrong(rule, { name: figure, label: "", value }));
        const expected = wrong.some(({ severity }) => severity === "critical")
          ? COLOURS.critical
          : wrong.length > 0
            ? COLOURS.warning
            : COLOURS.well;
        assert.equal(colourOf(figure, value), expected, `${figure} ${value}`);
      }
    });

  it("are none where there is no rule", () => {
    const judged = new Set(RULES.map((rule) => rule.figure));
    const others = [...FIGURE_METRICS, SILENT_METRIC, ...DATABASE_METRICS].filter(
      ({ name }) => !judged.has(name),
    );
    assert.ok(others.length > 3);
    for (const { name } of others)
      assert.deepEqual(stepsOf(name), [{ value: null, color: COLOURS.unjudged }]);
  });
});

describe("the files of the dashboards", () => {
  it("are the committed ones, and fit into a ConfigMap with room for more", () => {
    const files = dashboardFiles();
    assert.deepEqual(
      Object.keys(files),
      DASHBOARD_NAMES.map((name) => `${name}.json`),
    );
    for (const [name, text] of Object.entries(files)) {
      const committed = readFileSync(projectFile(`components/monitoring/dashboards/${name}`), "utf8");
      assert.deepEqual(JSON.parse(text), JSON.parse(committed));
      assert.ok(!text.includes("\n"));
    }
    assert.ok(Object.values(files).join("").length < 200_000);
  });

  it("have the limit for the wait of a job that the stack has, and else nothing of it", () => {
    const own = JSON.stringify(dashboardFiles({ queueAge: 7200 }));
    const usual = JSON.stringify(dashboardFiles());
    const steps = (queueAge: number) =>
      JSON.stringify(JSON.stringify(stepsOf("jobs_waiting_seconds", rulesFor({ queueAge })))).slice(1, -1);
    assert.equal(own.split(steps(7200)).length, 3);
    assert.equal(own.replaceAll(steps(7200), steps(3600)), usual);
  });

  it("cost a preview no module of Grafana's", () => {
    const loaded = (module: string) =>
      execFileSync(
        process.execPath,
        [
          "--input-type=module",
          "-e",
          `import { createRequire } from "node:module"; await import(${JSON.stringify(module)});
           console.log(Object.keys(createRequire("/").cache).filter((file) => file.includes("@grafana")).length)`,
        ],
        { encoding: "utf8" },
      );
    assert.equal(loaded(projectFile("components/monitoring/dashboards.ts")).trim(), "0");
    // The control: those that write them load it.
    assert.notEqual(loaded(projectFile("tools/dashboards/index.ts")).trim(), "0");
  });
});
