import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Dashboard, Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { parser } from "@prometheus-io/lezer-promql";
import { format } from "prettier";
import { DASHBOARD_NAMES } from "../../../../components/monitoring/dashboards.ts";
import {
  DATABASE_METRICS,
  FIGURE_METRICS,
  METRIC_PREFIX,
  SILENT_METRIC,
} from "../../../../components/monitoring/metrics.ts";
import { RULES } from "../../../../components/monitoring/rules.ts";
import { stepsOf } from "../../../../components/monitoring/thresholds.ts";
import { projectFile } from "../../../../tools/cli.ts";
import { DASHBOARDS, fileOf, queries } from "../../../../tools/dashboards/index.ts";

const METRICS = [...FIGURE_METRICS, SILENT_METRIC, ...DATABASE_METRICS].map(
  ({ name }) => METRIC_PREFIX + name,
);

/** Metrics of postgres_exporter that have the same name and meaning in 0.17.1 and 0.20.1. */
const EXPORTERS =
  /^pg_(up|database_size_bytes|wal_size_bytes|stat_database_\w+|stat_statements_(seconds|calls)_total|stat_bgwriter_\w+_total)$/;

const read = (name: string) => readFileSync(projectFile(fileOf(name)), "utf8");
const committed = (name: string) => JSON.parse(read(name)) as Dashboard;
const panelsOf = ({ panels = [] }: Dashboard): Panel[] =>
  panels.filter((panel): panel is Panel => panel.type !== "row");
const expressionsOf = ({ targets = [] }: Panel) =>
  targets.map((target) => (target as unknown as { expr: string }).expr);
const namesIn = (expression: string) => expression.match(/\b(?:pg|transcripts)_\w+/g) ?? [];

const all = DASHBOARD_NAMES.flatMap((name) =>
  panelsOf(committed(name)).map((panel) => ({ where: `${name}: ${panel.title}`, panel })),
);

/** What the parser could not read; it goes on after an error. */
function errorsOf(expression: string): string[] {
  const errors: string[] = [];
  parser.parse(expression).iterate({
    enter: ({ type, from }) => {
      if (type.isError) errors.push(`${expression}: at ${from}`);
    },
  });
  return errors;
}

/** Where a heading of a page is linked to. */
function anchorsOf(file: string): string[] {
  return [...readFileSync(projectFile(file), "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("the dashboards", () => {
  for (const name of DASHBOARD_NAMES) {
    it(`are in the checkout as npm run dashboards writes them: ${name}`, async () => {
      const text = JSON.stringify(DASHBOARDS[name]);
      assert.equal(await format(text, { parser: "json", printWidth: 110 }), read(name));
    });

    it(`keep their address, refresh themselves, and lead to the others: ${name}`, () => {
      const { uid, refresh, tags = [], links = [], panels = [] } = committed(name);
      assert.equal(uid, `transcript-pipeline-${name}`);
      assert.equal(refresh, "30s");
      const [link] = links;
      assert.equal(link?.type, "dashboards");
      assert.ok(link.tags.length > 0 && link.tags.every((tag) => tags.includes(tag)));
      const ids = panels.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      assert.ok(!ids.includes(undefined));
    });

    it(`ask the Prometheus that the user chooses, and no other: ${name}`, () => {
      const { templating } = committed(name);
      assert.deepEqual(
        templating?.list?.map(({ type, name, query }) => [type, name, query]),
        [
          ["datasource", "datasource", "prometheus"],
          ["adhoc", "filters", undefined],
        ],
      );
      const sources: string[] = [];
      JSON.parse(read(name), (key, value: unknown) => {
        if (key === "datasource") sources.push(JSON.stringify(value));
        return value;
      });
      assert.ok(sources.length > 10);
      assert.deepEqual([...new Set(sources)], ['{"type":"prometheus","uid":"${datasource}"}']);
    });

    it(`have panels that neither overlap nor leave the grid: ${name}`, () => {
      const taken = new Set<string>();
      for (const { title, gridPos } of committed(name).panels ?? []) {
        assert.ok(gridPos, title);
        assert.ok(gridPos.x + gridPos.w <= 24, title);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            assert.ok(!taken.has(`${x} ${y}`), title);
            taken.add(`${x} ${y}`);
          }
      }
    });
  }

  it("are all files of the folder", () => {
    assert.deepEqual(
      readdirSync(projectFile("components/monitoring/dashboards")).sort(),
      DASHBOARD_NAMES.map((name) => `${name}.json`).sort(),
    );
  });
});

describe("each panel of a dashboard", () => {
  it("is one of many", () => assert.ok(all.length >= 40, String(all.length)));

  it("has a title of its own, a unit, its thresholds and a query with a legend", () => {
    const titles = all.map(({ where }) => where);
    assert.deepEqual(
      titles.filter((title, index) => titles.indexOf(title) !== index),
      [],
    );
    for (const { where, panel } of all) {
      assert.ok(panel.title, where);
      assert.ok(panel.fieldConfig?.defaults.unit, where);
      // Without any, Grafana has its own: red from 80 on.
      assert.equal(panel.fieldConfig.defaults.thresholds?.steps[0]?.value, null, where);
      assert.ok((panel.targets ?? []).length > 0, where);
      for (const target of panel.targets ?? [])
        assert.ok((target as unknown as { legendFormat?: string }).legendFormat, where);
    }
  });

  it("says in one sentence what to do, and names a page that there is", () => {
    for (const { where, panel } of all) {
      const [, advice = "", page = "", , anchor] =
        /^(\S.*\S): docs\/([\w-]+\.md)(#([\w-]+))?\.$/.exec(panel.description ?? "") ?? [];
      assert.ok(advice.length > 10 && !/[.!?] /.test(advice), `${where}: ${panel.description}`);
      assert.ok(existsSync(projectFile(`docs/${page}`)), `${where}: ${page}`);
      if (anchor !== undefined)
        assert.ok(anchorsOf(`docs/${page}`).includes(anchor), `${where}: ${page}#${anchor}`);
    }
  });

  it("shows a state as it is now, not as it last was", () => {
    for (const { where, panel } of all) {
      assert.ok(panel.type === "stat" || panel.type === "timeseries", where);
      for (const target of panel.targets ?? [])
        assert.equal((target as unknown as { instant?: boolean }).instant, panel.type === "stat", where);
    }
  });

  it("has the limits that the rules have", () => {
    let judged = 0;
    for (const { where, panel } of all) {
      const [name, ...others] = expressionsOf(panel).flatMap(namesIn);
      const figure = name?.replace(METRIC_PREFIX, "") ?? "";
      const steps = panel.fieldConfig?.defaults.thresholds?.steps ?? [];
      if (others.length === 0 && RULES.some((rule) => rule.figure === figure)) {
        judged++;
        assert.deepEqual(steps, stepsOf(figure), where);
      } else if (name !== "pg_up") assert.equal(steps.length, 1, where);
    }
    assert.ok(judged >= 25, String(judged));
  });
});

describe("each query of a dashboard", () => {
  it("is PromQL", () => {
    assert.deepEqual(
      queries().flatMap(({ expression }) => errorsOf(expression)),
      [],
    );
    // The control: an error is seen.
    assert.notDeepEqual(errorsOf("sum by (a (b)"), []);
  });

  it("is in the list of all of them, without a variable of Grafana's", () => {
    const listed = queries("2m");
    assert.deepEqual(
      listed.map(({ expression }) => expression),
      all.flatMap(({ panel }) =>
        expressionsOf(panel).map((expression) => expression.replaceAll("$__rate_interval", "2m")),
      ),
    );
    assert.ok(!listed.some(({ expression }) => expression.includes("$")));
    assert.ok(listed.some(({ mayBeEmpty }) => mayBeEmpty));
    assert.ok(listed.some(({ mayBeEmpty }) => !mayBeEmpty));
  });

  it("asks for metrics that there are, in every version of the exporter", () => {
    for (const { dashboard, panel, expression } of queries())
      for (const name of namesIn(expression))
        assert.ok(METRICS.includes(name) || EXPORTERS.test(name), `${dashboard}: ${panel}: ${name}`);
  });

  it("depends on no label that a cluster or a version adds", () => {
    const own = new Set(["datname", "queryid", ...FIGURE_METRICS.map(({ of }) => of)]);
    for (const { of } of DATABASE_METRICS) own.add(of);
    for (const { expression } of queries()) {
      assert.match(expression, /^(3600 \* )?(sum|max|min|topk|bottomk)\b/);
      for (const [, labels = ""] of expression.matchAll(/by \(([^)]*)\)/g))
        for (const label of labels.split(", ")) assert.ok(own.has(label), `${label}: ${expression}`);
      for (const [, label] of expression.matchAll(/[{,](\w+)[=!]/g))
        assert.ok(own.has(label), `${label}: ${expression}`);
    }
  });

  it("leaves no metric out", () => {
    const shown = new Set(queries().flatMap(({ expression }) => namesIn(expression)));
    assert.deepEqual(
      METRICS.filter((name) => !shown.has(name)),
      [],
    );
  });
});
