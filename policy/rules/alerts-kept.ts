import { ALERTS } from "../declarations.ts";
import { type KubernetesObject, objectsIn } from "../resources.ts";
import { stackRule } from "../rule.ts";
import { field, hasUnknown, isMap } from "../values.ts";

interface Config {
  without: string[];
}

const EXPORTER = "StatefulSet/postgres-exporter";
const ALERTING = ["ConfigMap/postgres-alerts", "PrometheusRule/postgres-alerts"];

/** The names of the alerts in an object, or undefined if they are not known yet. */
function alertsIn({ kind, body }: KubernetesObject): string[] | undefined {
  let groups: unknown = field(field(body, "spec"), "groups");
  if (kind === "ConfigMap") {
    const text = field(field(body, "data"), "alerts.yaml");
    if (hasUnknown([text])) return undefined;
    try {
      groups = field(JSON.parse(typeof text === "string" ? text : "{}"), "groups");
    } catch {
      // The program writes JSON: in anything else there is no alert of its.
      return [];
    }
  }
  if (hasUnknown([groups])) return undefined;
  return (Array.isArray(groups) ? groups : []).flatMap((group: unknown) => {
    const rules: unknown = field(group, "rules");
    return (Array.isArray(rules) ? rules : []).flatMap((rule: unknown) =>
      isMap(rule) && typeof rule.alert === "string" ? [rule.alert] : [],
    );
  });
}

export const alertsKept = stackRule<Config>({
  name: "alerts-kept",
  asks: "where metrics are exported: every alert",
  description: "An alert that is removed in silence is missed on the day on which it would have come",
  level: "mandatory",
  schema: {
    properties: {
      without: {
        type: "array",
        items: { type: "string", enum: [...ALERTS] },
        default: [],
        description: "Alerts that this stack does without",
      },
    },
  },
  check: (stack, { without }) => {
    const objects = objectsIn(stack).filter(({ patch }) => !patch);
    if (!objects.some(({ subject }) => subject === EXPORTER)) return [];
    const alerting = objects.filter(({ subject }) => ALERTING.includes(subject));
    const known = alerting.map(alertsIn);
    if (known.includes(undefined)) return [];
    const there = new Set(known.flat());
    const subject = alerting[0]?.subject ?? ALERTING[0] ?? "";
    return ALERTS.filter((name) => !there.has(name) && !without.includes(name)).map((name) => ({
      subject,
      why: `there is no alert ${name}`,
      remedy: `the alert as the program writes it or, when it is meant, in policy/config.<stack>.json: "alerts-kept": { "without": ${JSON.stringify([...without, name])} }`,
    }));
  },
});
