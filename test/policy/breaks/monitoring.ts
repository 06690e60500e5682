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

/** A migration with these statements. */
const migration = (sql: string): Change =>
  add("kubernetes:core/v1:ConfigMap", {
    apiVersion: "v1",
    metadata: metadata("more-migrations"),
    data: { "29990101000000_more.sql": `-- migrate:up\n${sql}\n-- migrate:down\n` },
  });
const giving = (by: string, sql: string, message: RegExp): Break => ({
  by,
  change: migration(sql),
  message,
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
  "monitoring-reads": [
    giving(
      "a privilege to write, among others and for others too",
      "GRANT SELECT, INSERT (kind), UPDATE ON jobs TO transcripts_readwrite, transcripts_monitoring;",
      /ConfigMap\/more-migrations: data\["29990101000000_more\.sql"\] gives it insert, update: "grant select, insert \(kind\), update on jobs to /,
    ),
    giving(
      "everything",
      'grant all on all tables in schema public to "transcripts_monitoring"',
      /gives it all/,
    ),
    giving(
      "a default for what is made later",
      "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT DELETE ON TABLES TO GROUP transcripts_monitoring;",
      /gives it delete/,
    ),
    giving(
      "another group's rights",
      "grant transcripts_readwrite to transcripts_monitoring with inherit true;",
      /gives it transcripts_readwrite/,
    ),
    giving(
      "a role that reads every row",
      "GRANT pg_monitor, pg_read_all_data TO transcripts_monitoring;",
      /gives it pg_read_all_data/,
    ),
    giving(
      "a grant behind what looks like a comment",
      "select '--'; grant truncate on jobs to transcripts_monitoring;",
      /gives it truncate/,
    ),
    giving(
      "a grant with comments in it",
      "grant /* no\n more */ trigger -- than\n on jobs to transcripts_monitoring;",
      /gives it trigger/,
    ),
    giving(
      "a grant in a block",
      "do $x$ begin execute 'grant maintain on jobs to transcripts_monitoring'; end $x$;",
      /gives it maintain/,
    ),
    giving("a table", "alter table jobs owner to transcripts_monitoring;", /makes it an owner/),
    giving("an attribute", "alter role transcripts_monitoring nologin CREATEROLE;", /makes it createrole/),
    {
      ...giving(
        "another statement than the declared one",
        "grant references on jobs to transcripts_monitoring;",
        /gives it references/,
      ),
      config: {
        "monitoring-reads": { declared: ["grant trigger on jobs to transcripts_monitoring"] },
      },
    },
  ],
};
