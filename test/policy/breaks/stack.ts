/** Ways to break the rules over the stack as a whole. */
import { type Break, PV, SET, JOB, CONF, POD, policy } from "./break.ts";
import { add, decentPod, drop, edit, labels, set, setAt } from "../stacks.ts";

export const stackBreaks: Readonly<Record<string, readonly Break[]>> = {
  "stack-kind": [
    {
      by: "dev's configuration for prod",
      config: { "stack-kind": { kind: "dev" } },
      change: () => undefined,
      message: /is for the stack dev, and this is prod/,
    },
    {
      by: "prod's configuration for dev",
      stack: "dev",
      config: { "stack-kind": { kind: "prod" } },
      change: () => undefined,
      message: /this is dev/,
    },
  ],
  "expected-resources": [
    {
      by: "an empty stack",
      change: (all) => {
        all.splice(1);
      },
      message: /there is no StatefulSet in it/,
    },
    {
      by: "no volume",
      change: (all) => {
        all.splice(
          all.findIndex(({ type }) => type.endsWith(":PersistentVolume")),
          1,
        );
      },
      message: /no PersistentVolume in it/,
    },
    {
      by: "another server than PostgreSQL",
      change: edit(SET, ({ inputs }) => {
        setAt(inputs, POD, decentPod());
      }),
      message: /no PostgreSQL server/,
    },
  ],
  "nothing-unseen": [
    {
      by: "a Helm release",
      change: add("kubernetes:helm.sh/v3:Release", { chart: "c" }, { name: "chart" }),
      message: /installs its objects by itself[^]*helm.v4.Chart/,
    },
  ],
  "explicit-provider": [
    ...["clusterIdentifier", "enableSecretMutable", "enableConfigMapMutable", "context"].map((name) => ({
      by: `no ${name}`,
      change: drop("kubernetes/cluster", name),
      message: new RegExp(`Provider/cluster: ${name} is missing`),
    })),
    {
      by: "the default provider",
      change: add("pulumi:providers:kubernetes", {}, { name: "default_4_34_2" }),
      message: /default provider/,
    },
  ],
  "database-network-policy": [
    {
      by: "a policy for others alone",
      change: policy("api", { podSelector: { matchLabels: { app: "api" } }, policyTypes: ["Ingress"] }),
      message: /none of NetworkPolicy\/api selects its pods/,
    },
    {
      by: "Egress alone",
      change: policy("out", { podSelector: {}, policyTypes: ["Egress"] }),
      message: /selects its pods for Ingress/,
    },
    {
      by: "another namespace",
      change: add("kubernetes:networking.k8s.io/v1:NetworkPolicy", {
        metadata: { name: "n", namespace: "other", labels },
        spec: { podSelector: {} },
      }),
      message: /none of/,
    },
    {
      by: "letting every address in",
      change: policy("open", {
        podSelector: { matchLabels: { app: "postgres" } },
        policyTypes: ["Ingress"],
        ingress: [{ from: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }],
      }),
      message: /lets everybody in/,
    },
    {
      by: "letting everybody in",
      change: policy("open", {
        podSelector: { matchLabels: { app: "postgres" } },
        policyTypes: ["Ingress"],
        ingress: [{}],
      }),
      message: /lets everybody in/,
    },
  ],
  "init-job-after-server": [
    {
      by: "no dependency",
      change: edit(JOB, (resource) => {
        resource.dependencies = [];
      }),
      message: /depends on none of StatefulSet\/postgres[^]*dependsOn/,
    },
  ],
  "recommended-labels": [
    ...["name", "instance", "component", "part-of", "managed-by"].map((name) => ({
      by: `no ${name}`,
      change: drop(SET, `metadata/labels/app.kubernetes.io~1${name}`),
      message: new RegExp(`metadata.labels\\["app.kubernetes.io/${name}"\\] is missing`),
    })),
    {
      by: "another application's",
      change: set(CONF, "metadata/labels/app.kubernetes.io~1part-of", "other"),
      message: /is "other"/,
    },
    {
      by: "a pod template without",
      change: drop(JOB, "spec/template/metadata/labels"),
      message: /the pod template's metadata/,
    },
    {
      by: "a value that is no label",
      change: set(PV, "metadata/labels/app.kubernetes.io~1name", "a b"),
      message: /is "a b"/,
    },
  ],
};
