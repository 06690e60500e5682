/** Ways to break the rules over the stack as a whole. */
import { type Break, conf, CONF, created, JOB, POD, PV, SERVER, SET, TRIAL } from "./break.ts";
import { add, decentPod, drop, edit, set, setAt } from "../stacks.ts";

export const stackBreaks: Readonly<Record<string, readonly Break[]>> = {
  "stack-kind": [
    {
      by: "dev's configuration for prod",
      config: { "stack-kind": { kind: "dev" } },
      change: () => undefined,
      message: /is for the stack dev, but this is prod/,
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
  "init-job-after-server": [
    {
      by: "no dependency",
      change: edit(JOB, (resource) => {
        resource.dependencies = [];
      }),
      message: /does not depend on StatefulSet\/postgres[^]*dependsOn/,
    },
  ],
  "settings-tried": [
    {
      by: "no Job",
      change: (resources) => {
        resources.splice(
          resources.findIndex(({ urn }) => urn.endsWith("Job::postgres-settings")),
          1,
        );
      },
      message: /StatefulSet\/postgres: there is no Job\/postgres-settings that tries/,
    },
    {
      by: "a server that does not wait for it",
      change: edit(SET, (resource) => {
        resource.dependencies = [];
      }),
      message: /StatefulSet\/postgres: it does not depend on Job\/postgres-settings/,
    },
    {
      by: "a server that is older than the trial and does not wait for it",
      change: (resources) => {
        created(TRIAL, "2026-12-01T10:00:00Z")(resources);
        created(SET, "2026-12-01T09:58:00Z")(resources);
        edit(SET, (resource) => {
          resource.dependencies = [];
        })(resources);
      },
      message: /StatefulSet\/postgres: it does not depend on Job\/postgres-settings/,
    },
    {
      by: "settings that reach the running server before they are tried",
      change: edit(CONF, (resource) => {
        resource.dependencies = [];
      }),
      message: /ConfigMap\/postgres-config: it does not depend on Job\/postgres-settings/,
    },
    {
      by: "settings that are not those that are tried",
      change: conf("postgresql.conf", (text) => `${text}work_mem = 32kB\n`),
      message: /ConfigMap\/postgres-settings-files: its files differ from ConfigMap\/postgres-config/,
    },
    {
      by: "access files that are not those that are tried",
      change: conf("pg_ident.conf", (text) => `${text}server_pod postgres other\n`),
      message: /its files differ/,
    },
    {
      by: "an image that is not the one that is tried",
      change: set(SET, `${SERVER}/image`, "pgvector/pgvector:0.8.7-pg16-bookworm"),
      message: /its image is "\S+0\.8\.7-pg16-bookworm", but container image of Job\/postgres-settings tries/,
    },
    {
      by: "a trial of another image",
      change: set(TRIAL, `${SERVER}/image`, "pgvector/pgvector:0.8.5-pg16-bookworm"),
      message: /container settings of Job\/postgres-settings tries "\S+0\.8\.5/,
    },
    {
      by: "a trial with more address space",
      change: set(TRIAL, `${SERVER}/env/0/value`, "unlimited"),
      message: /ADDRESS_SPACE is "unlimited", and the server's/,
    },
    {
      by: "a trial of the server's own ConfigMap",
      change: set(TRIAL, `${POD}/volumes/0/configMap/name`, "postgres-config"),
      message: /it mounts postgres-config itself, which the running server reloads/,
    },
    {
      by: "a trial of nothing",
      change: drop(TRIAL, `${POD}/volumes/0/configMap`),
      message: /no ConfigMap of the stack is mounted at \/etc\/postgresql/,
    },
    {
      by: "a trial of one file",
      change: set(TRIAL, `${SERVER}/volumeMounts/0/subPath`, "postgresql.conf"),
      message: /no ConfigMap of the stack is mounted at \/etc\/postgresql/,
    },
    ...(
      [
        ["spec/completions", 0],
        ["spec/parallelism", 0],
        ["spec/suspend", true],
        ["spec/successPolicy", { rules: [{ succeededCount: 0 }] }],
        ["spec/managedBy", "example.com/nobody"],
        ["spec/podFailurePolicy/rules/1", { action: "Ignore", onExitCodes: { operator: "In", values: [1] } }],
        ["metadata/annotations/pulumi.com~1skipAwait", "true"],
      ] as const
    ).map(([field, value]) => ({
      by: `a trial with another ${field}`,
      change: set(TRIAL, field, value),
      message: /it counts as done without having tried anything/,
    })),
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
      by: "a value that is not a label",
      change: set(PV, "metadata/labels/app.kubernetes.io~1name", "a b"),
      message: /is "a b"/,
    },
  ],
};
