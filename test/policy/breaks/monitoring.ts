/** Ways to break the rule over what collects metrics. */
import { alertGroups, alertsFor } from "../../../components/monitoring/alerts.ts";
import { RULES } from "../../../components/monitoring/rules.ts";
import { add, type Change, metadata } from "../stacks.ts";
import type { Break } from "./break.ts";

const groups = alertGroups(alertsFor(RULES, ""));
const without = (name: string) =>
  groups.map((group) => ({ ...group, rules: group.rules.filter(({ alert }) => alert !== name) }));

const exporter: Change = add("kubernetes:apps/v1:StatefulSet", {
  apiVersion: "apps/v1",
  metadata: metadata("postgres-exporter"),
  spec: {},
});
const alerts = (text: string): Change =>
  add("kubernetes:core/v1:ConfigMap", {
    apiVersion: "v1",
    metadata: metadata("postgres-alerts"),
    data: { "alerts.yaml": text },
  });
const operators = (spec: object): Change =>
  add("kubernetes:monitoring.coreos.com/v1:PrometheusRule", {
    apiVersion: "monitoring.coreos.com/v1",
    metadata: metadata("postgres-alerts"),
    spec,
  });

export const monitoringBreaks: Readonly<Record<string, readonly Break[]>> = {
  "alerts-kept": [
    {
      by: "one alert less",
      alsoFirst: [exporter],
      change: alerts(JSON.stringify({ groups: without("TranscriptsArchiveBehind") })),
      message:
        /ConfigMap\/postgres-alerts: there is no alert TranscriptsArchiveBehind[^]*"without": \["TranscriptsArchiveBehind"\]/,
    },
    {
      by: "one less of the operator's",
      alsoFirst: [exporter],
      change: operators({ groups: without("TranscriptsDeadMansSwitch") }),
      message: /PrometheusRule\/postgres-alerts: there is no alert TranscriptsDeadMansSwitch/,
    },
    {
      by: "another one less than is declared",
      config: { "alerts-kept": { without: ["TranscriptsJobsDead"] } },
      alsoFirst: [exporter],
      change: alerts(JSON.stringify({ groups: without("TranscriptsBackupOld") })),
      message: /no alert TranscriptsBackupOld[^]*"without": \["TranscriptsJobsDead","TranscriptsBackupOld"\]/,
    },
    { by: "no alerts at all", change: exporter, message: /there is no alert TranscriptsDatabaseSilent/ },
    {
      by: "a file that is none",
      alsoFirst: [exporter],
      change: alerts("groups: ["),
      message: /there is no alert TranscriptsDatabaseSilent/,
    },
  ],
};
