/** Preflight: the operator of Prometheus. */
import type { Check } from "../cluster-state.ts";

/** With the operator's Prometheus, the cluster must have the kinds of object that it reads. */
export const checkMetrics: Check = ({ apiGroups }, { prometheus }) => {
  if (prometheus !== "operator" || apiGroups === undefined || apiGroups.includes("monitoring.coreos.com"))
    return {};
  const message =
    "is operator, but the cluster does not have the Prometheus operator. Install it: helm upgrade --install monitoring " +
    "kube-prometheus-stack --repo https://prometheus-community.github.io/helm-charts -n monitoring --create-namespace " +
    "--set prometheus.prometheusSpec.serviceMonitorSelectorNilUsesHelmValues=false " +
    "--set prometheus.prometheusSpec.ruleSelectorNilUsesHelmValues=false; or take the small Prometheus next to the database: pulumi config set --path monitoring.prometheus bundled";
  return { problems: [{ key: "monitoring.prometheus", message }] };
};
