/** Panels, all alike: stat panels for states, time series for the rest. Limits and pages are those of the rules. */
import * as common from "@grafana/grafana-foundation-sdk/common";
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import * as stat from "@grafana/grafana-foundation-sdk/stat";
import * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";
import { metricOf } from "../../components/monitoring/metrics.ts";
import { RULES } from "../../components/monitoring/rules.ts";
import { COLOURS, type Step, stepsOf } from "../../components/monitoring/thresholds.ts";
import { type Query, worst } from "./expressions.ts";

/** The variable with which the user chooses a Prometheus. */
export const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

/** What a panel shows that should have something to show. */
export const NO_FIGURES = "no figures";

/** What a panel says. */
interface Words {
  title: string;
  /** What to do, or to read, when it looks wrong: a sentence without its end. */
  advice: string;
  /** Page in docs/, with the part of it. @default that of the figure's rule */
  page?: string;
  /** In Grafana's name. @default by the end of the figure's name */
  unit?: string;
  /** Why there may be nothing to show, such as "no RAID". @default there always is */
  none?: string;
  mappings?: readonly dashboard.ValueMapping[];
}

/** A panel of a figure. */
interface FigureWords extends Words {
  figure: string;
}

/** A panel of queries of one's own. */
interface QueryWords extends Words {
  page: string;
  unit: string;
  queries: readonly Query[];
  /** @default no limit */
  steps?: readonly Step[];
}

type Panel = stat.PanelBuilder | timeseries.PanelBuilder;

/** The unit of a figure, which its name ends with. */
function unitOf(figure: string): string {
  if (figure.endsWith("_seconds")) return "s";
  if (figure.endsWith("_ratio")) return "percentunit";
  if (figure.endsWith("_bytes")) return "bytes";
  return "none";
}

function forFigure(words: FigureWords): QueryWords {
  const { figure, title } = words;
  const page = words.page ?? RULES.find((rule) => rule.figure === figure)?.page;
  if (page === undefined) throw new Error(`${figure} has no rule: name a page for its panel`);
  const of = metricOf(figure)?.of;
  return {
    ...words,
    page,
    unit: words.unit ?? unitOf(figure),
    queries: [{ expression: worst(figure), legend: of === undefined ? title : `{{${of}}}` }],
    steps: stepsOf(figure),
  };
}

/** What is the same for both kinds. */
function described<P extends Panel>(panel: P, words: QueryWords): P {
  const { title, advice, page, unit, none, mappings = [] } = words;
  const steps = words.steps ?? [{ value: null, color: COLOURS.unjudged }];
  panel
    .title(title)
    .description(`${advice}: docs/${page}.`)
    .datasource(DATASOURCE)
    .unit(unit)
    .noValue(none === undefined ? NO_FIGURES : `${none}, or ${NO_FIGURES}`)
    .thresholds(
      new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps([...steps]),
    );
  if (mappings.length > 0) panel.mappings([...mappings]);
  return panel;
}

const target = ({ expression, legend }: Query, index: number) =>
  new prometheus.DataqueryBuilder()
    .refId(String.fromCharCode("A".charCodeAt(0) + index))
    .datasource(DATASOURCE)
    .expr(expression)
    .legendFormat(legend);

/** Values as they are now. A figure that is no longer there is not shown as it last was. */
export function queryState(words: QueryWords): stat.PanelBuilder {
  const isJudged = (words.steps?.length ?? 0) > 1;
  return described(new stat.PanelBuilder(), words)
    .targets(words.queries.map((query, index) => target(query, index).instant()))
    .colorMode(isJudged ? common.BigValueColorMode.Background : common.BigValueColorMode.Value)
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    .graphMode(common.BigValueGraphMode.None)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]))
    .decimals(words.unit === "none" ? 0 : 1);
}

/** Lines over time, with the limits as dashed lines. */
export function queryLines(words: QueryWords): timeseries.PanelBuilder {
  const isJudged = (words.steps?.length ?? 0) > 1;
  const { Dashed, Off } = common.GraphThresholdsStyleMode;
  return described(new timeseries.PanelBuilder(), words)
    .targets(words.queries.map((query, index) => target(query, index).range()))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.PaletteClassicByName))
    .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(isJudged ? Dashed : Off))
    .lineWidth(1)
    .fillOpacity(10)
    .showPoints(common.VisibilityMode.Auto)
    .axisSoftMin(0)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder()
        .mode(common.TooltipDisplayMode.Multi)
        .sort(common.SortOrder.Descending),
    );
}

/** A figure as it is now. */
export const state = (words: FigureWords) => queryState(forFigure(words));

/** A figure that answers yes or no. */
export const yesOrNo = (words: FigureWords) => state({ unit: "bool_yes_no", ...words });

/** A figure over time. */
export const lines = (words: FigureWords) => queryLines(forFigure(words));

/** A value under a name of ours. */
export function named(names: Readonly<Record<string, string>>): dashboard.ValueMapping {
  return {
    type: dashboard.MappingType.ValueToText,
    options: Object.fromEntries(Object.entries(names).map(([value, text]) => [value, { text }])),
  };
}

/** Everything up to a value under a name of ours, as well. */
export function upTo(to: number, text: string): dashboard.ValueMapping {
  return {
    type: dashboard.MappingType.RangeToText,
    options: { from: null, to, result: { text, color: COLOURS.well } },
  };
}
