/** Changes of the real resources that keep to every rule. */
import type { PackConfig } from "../../policy/configuration.ts";
import { UNKNOWN } from "../../policy/values.ts";
import { Random } from "../random.ts";
import {
  add,
  type Change,
  decentDeployment,
  decentPod,
  drop,
  edit,
  labels,
  metadata,
  set,
  setAt,
} from "./stacks.ts";

/** A change that must not be stopped. */
export interface Variation {
  name: string;
  change: Change;
  /** What the pack's configuration needs for it. */
  config?: Record<string, Record<string, unknown>>;
  /** Lines that declare what it adds, by the rule that asks for them. */
  declared?: Record<string, string[]>;
}

/** The configuration that a stack with some variations needs: what each takes, together. */
export function configOf(config: PackConfig, variations: readonly Variation[]): PackConfig {
  const merged: Record<string, Record<string, unknown>> = structuredClone(config);
  const entries = variations.flatMap(({ config: own = {}, declared = {} }) => [
    ...Object.entries(own),
    ...Object.entries(declared).map(([rule, lines]) => [rule, { declared: lines }] as const),
  ]);
  for (const [rule, fields] of entries) {
    const target = (merged[rule] ??= {});
    for (const [name, value] of Object.entries(fields)) {
      const before = target[name];
      target[name] =
        Array.isArray(before) && Array.isArray(value)
          ? [...(before as unknown[]), ...(value as unknown[])]
          : value;
    }
  }
  return merged;
}

const PV = "PersistentVolume/postgres-pv";
const PVC = "PersistentVolumeClaim/postgres-pvc";
const SET = "StatefulSet/postgres";
const JOB = "Job/postgres-init";
const CONF = "ConfigMap/postgres-config";
const POD = "spec/template/spec";
const SERVER = `${POD}/containers/0`;

const both =
  (...changes: Change[]): Change =>
  (resources) => {
    for (const change of changes) change(resources);
  };
const deployment = (
  name: string,
  mutate: (body: Record<string, unknown>) => void = () => undefined,
): Change => {
  const body = decentDeployment(name);
  mutate(body);
  return add("kubernetes:apps/v1:Deployment", body);
};
const kind = (type: string, name: string, spec: Record<string, unknown>) =>
  add(`kubernetes:${type}`, { metadata: metadata(name), spec });
const template = () => ({ metadata: { labels }, spec: decentPod() });
const job = () => ({ metadata: { labels }, spec: { ...decentPod(), restartPolicy: "Never" } });
const setting = (line: string): Variation => ({
  name: `the setting ${line}`,
  change: edit(CONF, ({ inputs }) => {
    const data = inputs.data as Record<string, string>;
    data["postgresql.conf"] += `${line}\n`;
  }),
});
const hba = (line: string): Variation => ({
  name: `the line ${line}`,
  change: edit(CONF, ({ inputs }) => {
    const data = inputs.data as Record<string, string>;
    data["pg_hba.conf"] += `${line}\n`;
  }),
});
const hbaFirst = (lines: string): Variation => ({
  name: `first the line ${lines}`,
  change: edit(CONF, ({ inputs }) => {
    const data = inputs.data as Record<string, string>;
    data["pg_hba.conf"] = `${lines}\n${data["pg_hba.conf"] ?? ""}`;
  }),
});
const variable = (name: string, entry: Record<string, unknown>): Variation => ({
  name: `the variable ${name}`,
  change: set(SET, `${SERVER}/env/3`, { name, ...entry }),
  declared: {
    "declared-environment": [
      `StatefulSet/postgres postgres ${name}${"valueFrom" in entry ? " from secret postgres-secret" : ""}`,
    ],
  },
});

export const VARIATIONS: readonly Variation[] = [
  {
    name: "another PV source",
    change: both(drop(PV, "spec/hostPath"), set(PV, "spec/local", { path: "/mnt/raid10/pgdata" })),
  },
  {
    name: "a CSI source",
    change: both(
      drop(PV, "spec/hostPath"),
      set(PV, "spec/csi", { driver: "zfs.csi.openebs.io", volumeHandle: "v" }),
    ),
  },
  {
    name: "ReadWriteOncePod",
    change: both(
      set(PV, "spec/accessModes", ["ReadWriteOncePod"]),
      set(PVC, "spec/accessModes", ["ReadWriteOncePod"]),
    ),
  },
  { name: "a larger volume", change: set(PV, "spec/capacity/storage", "2Ti") },
  {
    name: "a second condition on the node",
    change: set(PV, "spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/1", {
      key: "raid",
      operator: "Exists",
    }),
  },
  {
    name: "a retained class",
    change: add("kubernetes:storage.k8s.io/v1:StorageClass", {
      metadata: metadata("kept"),
      provisioner: "p",
      reclaimPolicy: "Retain",
    }),
    declared: { "declared-kinds": ["kubernetes:storage.k8s.io/v1:StorageClass"] },
  },
  {
    name: "a claim on a retained class",
    change: add("kubernetes:core/v1:PersistentVolumeClaim", {
      metadata: metadata("more"),
      spec: { storageClassName: "kept", accessModes: ["ReadWriteOnce"] },
    }),
    config: { "claim-on-retained-volume": { retainedClasses: ["kept"] } },
    declared: { "declared-objects": ["PersistentVolumeClaim/more in transcript-pipeline"] },
  },
  {
    name: "claims kept, said aloud",
    change: set(SET, "spec/persistentVolumeClaimRetentionPolicy", {
      whenDeleted: "Retain",
      whenScaled: "Retain",
    }),
  },
  { name: "no replicas", change: set(SET, "spec/replicas", 0) },
  { name: "OrderedReady", change: drop(SET, "spec/podManagementPolicy") },
  {
    name: "a volumes' names not known yet",
    change: set(SET, `${POD}/volumes/0/persistentVolumeClaim/claimName`, UNKNOWN),
  },
  { name: "a namespace not known yet", change: set(SET, "metadata/namespace", UNKNOWN) },
  { name: "a Secret not known yet", change: set("Secret/postgres-secret", "stringData", UNKNOWN) },
  { name: "an image not known yet", change: set(JOB, `${POD}/containers/0/image`, UNKNOWN) },
  { name: "CPUs as a number", change: set(JOB, `${POD}/containers/0/resources/limits/cpu`, 2) },
  { name: "CPUs in thousandths", change: set(SET, `${SERVER}/resources/requests/cpu`, "100m") },
  { name: "half a CPU", change: set(SET, `${SERVER}/resources/requests/cpu`, "0.1") },
  {
    name: "requests at their limits",
    change: edit(JOB, ({ inputs }) =>
      setAt(inputs, `${POD}/containers/0/resources`, {
        requests: { cpu: "100m", memory: "128Mi", "ephemeral-storage": "64Mi" },
        limits: { cpu: "100m", memory: "128Mi", "ephemeral-storage": "64Mi" },
      }),
    ),
  },
  { name: "decimal memory", change: set(JOB, `${POD}/containers/0/resources/limits/memory`, "300M") },
  {
    name: "limits on ephemeral storage",
    change: set(JOB, `${POD}/containers/0/resources/limits/ephemeral-storage`, "1Gi"),
  },
  { name: "a smaller /dev/shm", change: set(SET, `${POD}/volumes/7/emptyDir/sizeLimit`, "96Mi") },
  {
    name: "a disk emptyDir of some size",
    change: set(SET, `${POD}/volumes/8/emptyDir`, { sizeLimit: "10Gi" }),
  },
  {
    name: "the node by affinity",
    change: edit(JOB, ({ inputs }) => {
      const pod =
        (inputs.spec as Record<string, Record<string, Record<string, Record<string, unknown>>>>).template
          ?.spec ?? {};
      const values = Object.values(pod.nodeSelector ?? {});
      delete pod.nodeSelector;
      pod.affinity = {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values }] },
            ],
          },
        },
      };
    }),
  },
  { name: "another label of the node", change: set(SET, `${POD}/nodeSelector/raid`, "yes") },
  { name: "a toleration", change: set(SET, `${POD}/tolerations`, [{ key: "gpu", operator: "Exists" }]) },
  {
    name: "a priority",
    change: set(SET, `${POD}/priorityClassName`, "database"),
    declared: { "declared-fields": ["StatefulSet/postgres spec.template.spec.priorityClassName"] },
  },
  {
    name: "a declared GPU",
    change: deployment("transcriber", (body) =>
      setAt(body, `${POD}/containers/0/resources/limits/nvidia.com~1gpu`, 1),
    ),
    config: { "gpu-declared": { workloads: ["Deployment/transcriber"] } },
    declared: { "declared-kinds": ["kubernetes:apps/v1:Deployment"] },
  },
  {
    name: "a declared token",
    change: deployment("operator", (body) => setAt(body, `${POD}/automountServiceAccountToken`, true)),
    config: { "no-token": { workloads: ["Deployment/operator"] } },
    declared: { "declared-kinds": ["kubernetes:apps/v1:Deployment"] },
  },
  {
    name: "a ServiceAccount without a token",
    change: add("kubernetes:core/v1:ServiceAccount", {
      metadata: metadata("sa"),
      automountServiceAccountToken: false,
    }),
    declared: { "declared-kinds": ["kubernetes:core/v1:ServiceAccount"] },
  },
  {
    name: "the container says non-root",
    change: edit(SET, ({ inputs }) => {
      setAt(inputs, `${SERVER}/securityContext/runAsNonRoot`, true);
      setAt(inputs, `${POD}/securityContext/runAsNonRoot`, undefined);
    }),
  },
  {
    name: "the pod says non-root",
    change: edit(SET, ({ inputs }) => {
      setAt(inputs, `${POD}/securityContext/runAsNonRoot`, true);
      setAt(inputs, `${SERVER}/securityContext/runAsNonRoot`, undefined);
    }),
  },
  {
    name: "seccomp of the container",
    change: set(SET, `${SERVER}/securityContext/seccompProfile`, {
      type: "Localhost",
      localhostProfile: "p",
    }),
  },
  {
    name: "NET_BIND_SERVICE",
    change: set(JOB, `${POD}/containers/0/securityContext/capabilities/add`, ["NET_BIND_SERVICE"]),
  },
  { name: "another user", change: set(JOB, `${POD}/securityContext/runAsUser`, 70) },
  {
    name: "AppArmor",
    change: set(SET, `${POD}/securityContext/appArmorProfile`, { type: "RuntimeDefault" }),
  },
  {
    name: "a safe sysctl",
    change: set(SET, `${POD}/securityContext/sysctls`, [
      { name: "net.ipv4.tcp_keepalive_time", value: "60" },
    ]),
  },
  {
    name: "SELinux",
    change: set(SET, `${POD}/securityContext/seLinuxOptions`, { type: "container_t", level: "s0" }),
  },
  { name: "hostNetwork false", change: set(SET, `${POD}/hostNetwork`, false) },
  {
    name: "a projected Secret",
    change: set(SET, `${POD}/volumes/3`, {
      name: "owner-credentials",
      projected: { defaultMode: 0o440, sources: [{ secret: { name: "postgres-secret" } }] },
    }),
    declared: {
      "declared-mounts": [
        "StatefulSet/postgres reconcile /etc/credentials/owner read-only projected secret postgres-secret",
      ],
    },
  },
  { name: "a tighter mode", change: set(SET, `${POD}/volumes/3/secret/defaultMode`, 0o400) },
  {
    name: "a mode for each item",
    change: set(SET, `${POD}/volumes/3/secret`, {
      secretName: "s",
      items: [{ key: "k", path: "p", mode: 0o440 }],
    }),
    declared: {
      "declared-mounts": [
        "StatefulSet/postgres reconcile /etc/credentials/owner read-only secret s items=k:p",
      ],
    },
  },
  { name: "a tcpSocket probe", change: set(SET, `${SERVER}/livenessProbe`, { tcpSocket: { port: 5432 } }) },
  {
    name: "a gRPC probe",
    change: deployment("grpc", (body) =>
      setAt(body, `${POD}/containers/0/livenessProbe`, { grpc: { port: 1 } }),
    ),
    declared: { "declared-kinds": ["kubernetes:apps/v1:Deployment"] },
  },
  { name: "a longer grace period", change: set(SET, `${POD}/terminationGracePeriodSeconds`, 3600) },
  {
    name: "a digest",
    change: set(SET, `${SERVER}/image`, `pgvector/pgvector:0.8.6-pg16-bookworm@sha256:${"0".repeat(64)}`),
  },
  {
    name: "a registry with a port",
    change: set(SET, `${SERVER}/image`, `registry.lan:5000/pgvector/pgvector:0.8.6@sha256:${"0".repeat(64)}`),
    declared: {
      "declared-images": [
        "StatefulSet/postgres postgres registry.lan:5000/pgvector/pgvector",
        "Job/postgres-settings image registry.lan:5000/pgvector/pgvector",
        "Job/postgres-settings settings registry.lan:5000/pgvector/pgvector",
      ],
    },
  },
  {
    name: "Docker Hub's whole name",
    change: set(SET, `${SERVER}/image`, `docker.io/pgvector/pgvector:0.8.6@sha256:${"0".repeat(64)}`),
  },
  { name: "a shorter deadline", change: set(JOB, "spec/activeDeadlineSeconds", 60) },
  { name: "no retries", change: set(JOB, "spec/backoffLimit", 0) },
  {
    name: "an API",
    change: deployment("api"),
    declared: { "declared-kinds": ["kubernetes:apps/v1:Deployment"] },
  },
  {
    name: "an API of three",
    change: deployment("api", (body) => setAt(body, "spec/replicas", 3)),
    declared: { "declared-kinds": ["kubernetes:apps/v1:Deployment"] },
  },
  {
    name: "an API that waits in an init container",
    change: deployment("api", (body) =>
      setAt(body, `${POD}/initContainers`, [
        {
          ...(((body.spec as Record<string, Record<string, Record<string, unknown[]>>>).template?.spec
            ?.containers ?? [])[0] as object),
          name: "wait",
          livenessProbe: undefined,
          readinessProbe: undefined,
        },
      ]),
    ),
    declared: { "declared-kinds": ["kubernetes:apps/v1:Deployment"] },
  },
  {
    name: "a DaemonSet",
    change: kind("apps/v1:DaemonSet", "exporter", { selector: {}, template: template() }),
    declared: { "declared-kinds": ["kubernetes:apps/v1:DaemonSet"] },
  },
  {
    name: "a CronJob",
    change: kind("batch/v1:CronJob", "nightly", {
      schedule: "0 3 * * *",
      concurrencyPolicy: "Forbid",
      jobTemplate: { spec: { activeDeadlineSeconds: 3600, template: job() } },
    }),
    declared: { "declared-objects": ["CronJob/nightly in transcript-pipeline"] },
  },
  {
    name: "a Job",
    change: kind("batch/v1:Job", "once", { activeDeadlineSeconds: 60, template: job() }),
    declared: { "declared-objects": ["Job/once in transcript-pipeline"] },
  },
  {
    name: "a Pod",
    change: add("kubernetes:core/v1:Pod", { metadata: metadata("pod"), spec: decentPod() }),
    declared: { "declared-kinds": ["kubernetes:core/v1:Pod"] },
  },
  {
    name: "a ReplicaSet",
    change: kind("apps/v1:ReplicaSet", "rs", { template: template() }),
    declared: { "declared-kinds": ["kubernetes:apps/v1:ReplicaSet"] },
  },
  {
    name: "a ReplicationController",
    change: kind("core/v1:ReplicationController", "rc", { template: template() }),
    declared: { "declared-kinds": ["kubernetes:core/v1:ReplicationController"] },
  },
  {
    name: "a DeploymentList",
    change: add("kubernetes:apps/v1:DeploymentList", {
      items: [{ kind: "Deployment", ...decentDeployment("l1") }, decentDeployment("l2")],
    }),
    declared: { "declared-kinds": ["kubernetes:apps/v1:DeploymentList", "kubernetes:apps/v1:Deployment"] },
  },
  {
    name: "a ConfigMapList",
    change: add("kubernetes:core/v1:ConfigMapList", {
      items: [{ metadata: metadata("c"), data: { a: "b" } }],
    }),
    declared: {
      "declared-objects": ["ConfigMap/c in transcript-pipeline"],
      "declared-kinds": ["kubernetes:core/v1:ConfigMapList"],
      "declared-fields": ["ConfigMap/c data.a"],
    },
  },
  {
    name: "a label by Patch",
    change: add("kubernetes:apps/v1:StatefulSetPatch", {
      metadata: { name: "postgres", namespace: "transcript-pipeline", labels: { tier: "data" } },
    }),
    declared: { "declared-kinds": ["kubernetes:apps/v1:StatefulSetPatch"] },
  },
  {
    name: "replicas by Patch",
    change: add("kubernetes:apps/v1:DeploymentPatch", {
      metadata: { name: "api", namespace: "transcript-pipeline" },
      spec: { replicas: 2 },
    }),
    declared: { "declared-kinds": ["kubernetes:apps/v1:DeploymentPatch"] },
  },
  {
    name: "a namespace's label by Patch",
    change: add("kubernetes:core/v1:NamespacePatch", {
      metadata: { name: "transcript-pipeline", labels: { team: "media" } },
    }),
    declared: { "declared-kinds": ["kubernetes:core/v1:NamespacePatch"] },
  },
  {
    name: "a retained volume by Patch",
    change: add("kubernetes:core/v1:PersistentVolumePatch", {
      metadata: { name: "postgres-pv", labels: { a: "b" } },
    }),
    declared: { "declared-kinds": ["kubernetes:core/v1:PersistentVolumePatch"] },
  },
  {
    name: "a chart as a component",
    change: add("kubernetes:helm.sh/v4:Chart", { metadata: {} }, { inputs: {} }),
    declared: { "declared-kinds": ["kubernetes:helm.sh/v4:Chart"] },
  },
  {
    name: "a YAML file as a component",
    change: add("kubernetes:yaml/v2:ConfigFile", {}, { inputs: { file: "x.yaml" } }),
    declared: { "declared-kinds": ["kubernetes:yaml/v2:ConfigFile"] },
  },
  {
    name: "a Service inside the cluster",
    change: kind("core/v1:Service", "api", { selector: { app: "api" }, ports: [{ port: 80 }] }),
    declared: { "declared-objects": ["Service/api in transcript-pipeline"] },
  },
  {
    name: "a headless Service",
    change: kind("core/v1:Service", "peers", { clusterIP: "None", ports: [{ port: 80 }] }),
    declared: { "declared-objects": ["Service/peers in transcript-pipeline"] },
  },
  {
    name: "a declared Service outside",
    change: kind("core/v1:Service", "web", {
      type: "LoadBalancer",
      selector: { app: "web" },
      ports: [{ port: 443, targetPort: 8443 }],
    }),
    config: { "not-exposed": { exposed: ["Service/web", "Ingress/web"] } },
    declared: { "declared-objects": ["Service/web in transcript-pipeline"] },
  },
  {
    name: "a declared Ingress",
    change: kind("networking.k8s.io/v1:Ingress", "web", {
      rules: [
        {
          host: "h",
          http: { paths: [{ path: "/", backend: { service: { name: "web", port: { number: 80 } } } }] },
        },
      ],
    }),
    config: { "not-exposed": { exposed: ["Service/web", "Ingress/web"] } },
    declared: { "declared-kinds": ["kubernetes:networking.k8s.io/v1:Ingress"] },
  },
  {
    name: "a NetworkPolicy",
    change: kind("networking.k8s.io/v1:NetworkPolicy", "db", {
      podSelector: { matchLabels: { app: "postgres" } },
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ podSelector: { matchLabels: { app: "api" } } }], ports: [{ port: 5432 }] }],
    }),
    declared: { "declared-objects": ["NetworkPolicy/db in transcript-pipeline"] },
  },
  {
    name: "a NetworkPolicy for all pods",
    change: kind("networking.k8s.io/v1:NetworkPolicy", "all", {
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 8080 }] }],
    }),
    declared: { "declared-objects": ["NetworkPolicy/all in transcript-pipeline"] },
  },
  {
    name: "a NetworkPolicy in a namespace not known yet",
    change: add("kubernetes:networking.k8s.io/v1:NetworkPolicy", {
      metadata: { ...metadata("db3"), namespace: UNKNOWN },
      spec: {
        podSelector: { matchLabels: { app: "postgres" } },
        ingress: [{ from: [{ podSelector: { matchLabels: { app: "api" } } }], ports: [{ port: 5432 }] }],
      },
    }),
  },
  {
    name: "a NetworkPolicy with clients not known yet",
    change: kind("networking.k8s.io/v1:NetworkPolicy", "db4", {
      podSelector: { matchLabels: { app: "postgres" } },
      ingress: [{ from: UNKNOWN, ports: [{ port: 5432 }] }],
    }),
    declared: { "declared-objects": ["NetworkPolicy/db4 in transcript-pipeline"] },
  },
  {
    name: "a NetworkPolicy by expression",
    change: kind("networking.k8s.io/v1:NetworkPolicy", "db2", {
      podSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["postgres", "api"] }] },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: "api" } } }], ports: [{ port: 5432 }] }],
    }),
    declared: { "declared-objects": ["NetworkPolicy/db2 in transcript-pipeline"] },
  },
  {
    name: "a fixed version of the standard",
    change: set(
      "Namespace/transcript-pipeline",
      "metadata/labels/pod-security.kubernetes.io~1enforce-version",
      "v1.36",
    ),
  },
  { name: "more labels", change: set("Namespace/transcript-pipeline", "metadata/labels/team", "media") },
  {
    name: "more annotations",
    change: set(SET, "metadata/annotations/example.com~1note", "see the runbook"),
    declared: { "declared-fields": ['StatefulSet/postgres metadata.annotations["example.com/note"]'] },
  },
  {
    name: "a Role",
    change: add("kubernetes:rbac.authorization.k8s.io/v1:Role", { metadata: metadata("r"), rules: [] }),
    declared: { "declared-kinds": ["kubernetes:rbac.authorization.k8s.io/v1:Role"] },
  },
  {
    name: "a ClusterRole",
    change: add("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", {
      metadata: { name: "cr", labels },
      rules: [],
    }),
    declared: { "declared-kinds": ["kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"] },
  },
  {
    name: "a Secret of another sort",
    change: add("kubernetes:core/v1:Secret", {
      metadata: metadata("tls"),
      type: "kubernetes.io/tls",
      data: { "tls.crt": "LS0=", "tls.key": Buffer.from("a key that is long enough").toString("base64") },
    }),
    declared: { "declared-objects": ["Secret/tls in transcript-pipeline"] },
  },
  { name: "a longer password", change: set("RandomPassword/postgres-credentials-owner", "length", 64) },
  {
    name: "a password with all characters",
    change: set("RandomPassword/postgres-credentials-owner", "special", true),
  },
  {
    name: "a random name",
    change: add("random:index/randomString:RandomString", { length: 4 }, { name: "suffix" }),
    declared: { "declared-kinds": ["random:index/randomString:RandomString"] },
  },
  {
    name: "a command on the node",
    declared: {
      "declared-commands": [
        "added create sha256:afbb97ed119da24d5e8a01758b123c3f6381f81d24265a7bf12153193a7f86eb",
      ],
    },
    change: add("command:remote:Command", {
      connection: { host: "h", hostKey: "ssh-ed25519 AAAA" },
      create: "true",
    }),
  },
  {
    name: "a command with another key",
    change: add("command:remote:Command", {
      connection: {
        host: "h",
        hostKey: "ecdsa-sha2-nistp256 AAAA=",
        proxy: { host: "p", hostKey: "ssh-rsa AAAA" },
      },
    }),
  },
  {
    name: "a command whose connection is secret",
    declared: {
      "declared-commands": [
        "added create sha256:afbb97ed119da24d5e8a01758b123c3f6381f81d24265a7bf12153193a7f86eb",
      ],
    },
    change: add("command:remote:Command", { connection: UNKNOWN, create: "true" }),
  },
  {
    name: "a command here",
    declared: {
      "declared-commands": [
        "added create sha256:aa103b1a97e8dc074a8cebb32c0b81392e529237b8988e65aed32f07db96883d",
      ],
    },
    change: add("command:local:Command", { create: "ssh -o UserKnownHostsFile=known_hosts h true" }),
  },
  variable("POSTGRES_PASSWORD_FILE", { value: "/etc/credentials/password" }),
  variable("PGPASSFILE", { value: "/run/pgpass" }),
  variable("POSTGRES_PASSWORD", {
    valueFrom: { secretKeyRef: { name: "postgres-secret", key: "POSTGRES_PASSWORD" } },
  }),
  variable("DATABASE_URL", { value: "postgres://$(USER):$(PASSWORD)@postgres:5432/db" }),
  variable("SECRET_NAME", { value: "postgres-secret" }),
  setting("shared_buffers = 65536kB"),
  setting("shared_buffers = 16384"),
  setting("synchronous_commit = remote_apply"),
  setting("wal_buffers = 8MB # more than a 32nd"),
  setting("fsync = on"),
  setting("ssl = on"),
  setting("# fsync = off"),
  hba("hostssl all all 10.42.0.0/16 scram-sha-256"),
  hba("hostssl all all 10.42.0.0 255.255.0.0 scram-sha-256"),
  hba("hostssl replication standby all cert clientcert=verify-full"),
  hba("host all all 0.0.0.0/0 reject"),
  hba("host all postgres all reject"),
  hba("hostssl all postgres 10.42.0.0/16 scram-sha-256"),
  hba("host replication postgres 127.0.0.1/32 scram-sha-256"),
  hbaFirst("host all postgres ::1/128 scram-sha-256"),
  hbaFirst("host all postgres 127.0.0.1 255.255.255.255 scram-sha-256"),
  hbaFirst("hostssl all worker 10.42.0.0/16 scram-sha-256"),
  hbaFirst("hostssl replication standby 10.42.0.0/16 scram-sha-256"),
  hbaFirst('hostssl all "all" all scram-sha-256'),
  hbaFirst("hostssl all postgres 0.0.0.0/0 reject\nhostssl all postgres ::/0 reject"),
  hbaFirst("hostssl all,replication postgres all reject\nhostssl replication all 10.42.0.0/16 scram-sha-256"),
  hbaFirst("hostssl all postgres 10.0.0.0/8 reject\nhostssl sameuser all 10.42.0.0/16 scram-sha-256"),
  setting("unix_socket_directories = '/var/run/postgresql,/var/lib/postgresql/data/socket'"),
  setting("temp_file_limit = '20GB'"),
  setting("search_path = 'pg_catalog'"),
  setting("log_min_error_statement = panic"),
  setting("pg_stat_statements.track_utility = off"),
  setting("statement_timeout 60s"),
  ...[
    "log_min_error_statement = FATAL",
    "search_path = 'pg_catalog, public, extensions'",
    "search_path = '\"$user\",public,extensions'",
    "autovacuum_naptime = 30s",
    "autovacuum_naptime = '0.5 min'",
    "autovacuum_vacuum_scale_factor = 0.02",
    "autovacuum_vacuum_insert_scale_factor = 5e-2",
    "autovacuum_vacuum_cost_delay = 500us",
    "autovacuum_vacuum_cost_limit = 2000",
    "autovacuum_freeze_max_age = 400000000",
    "vacuum_failsafe_age = 1200000000",
    "checkpoint_timeout = 15min",
    "checkpoint_timeout = 900",
    "max_wal_size = 16GB",
    "max_wal_size = 8192",
    "min_wal_size = '1 GB'",
    "wal_keep_size = 0x400",
    "max_slot_wal_keep_size = 10GB",
    "work_mem = 64MB",
    "maintenance_work_mem = 1048576",
    "autovacuum_work_mem = -1",
    "max_locks_per_transaction = 0200",
    "pg_stat_statements.max = 10000",
    "pg_stat_statements.track = all",
    "hnsw.ef_search = 100",
    "extra_float_digits = 3",
    "idle_in_transaction_session_timeout = 5min",
    "lock_timeout = 0",
    "deadlock_timeout = 2s",
    "client_encoding = 'UTF8'",
    "authentication_timeout = 30s",
    "enable_nestloop = off",
  ].map(setting),
  ...[
    "PGHOST",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGAPPNAME",
    "NODE_ENV",
    "LOG_LEVEL",
    "PORT",
    "RAILS_ENV",
  ].map((name): Variation => ({
    name: `an API with ${name}`,
    change: deployment("api", (body) =>
      setAt(body, `${POD}/containers/0/env`, [{ name, value: "transcripts" }]),
    ),
    declared: { "declared-kinds": ["kubernetes:apps/v1:Deployment"] },
  })),
  {
    name: "an API as everybody writes it",
    change: deployment("api", (body) => {
      setAt(body, "spec/strategy", {
        type: "RollingUpdate",
        rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
      });
      setAt(body, "spec/revisionHistoryLimit", 3);
      setAt(body, "spec/minReadySeconds", 5);
      setAt(body, "spec/progressDeadlineSeconds", 300);
      setAt(body, "spec/template/metadata/annotations", { "checksum/config": "0123abcd" });
      const labelSelector = {
        matchLabels: { "app.kubernetes.io/name": "added" },
        matchExpressions: [{ key: "app", operator: "In", values: ["api"] }],
      };
      const topologyKey = "kubernetes.io/hostname";
      setAt(body, `${POD}/affinity/podAntiAffinity`, {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 1, podAffinityTerm: { topologyKey, labelSelector } },
        ],
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector }],
      });
      setAt(body, `${POD}/topologySpreadConstraints`, [
        { maxSkew: 1, minDomains: 1, topologyKey, whenUnsatisfiable: "ScheduleAnyway", labelSelector },
      ]);
      setAt(body, `${POD}/imagePullSecrets`, [{ name: "registry" }]);
    }),
    declared: { "declared-kinds": ["kubernetes:apps/v1:Deployment"] },
  },
  {
    name: "settings of sessions",
    change: set(
      CONF,
      "data/sessions.conf",
      `# of every session\n${["owner", "readwrite", "readonly", "monitoring"]
        .map((whose) =>
          [
            `${whose} statement_timeout 0s`,
            `${whose} lock_timeout 5s`,
            `${whose}  idle_in_transaction_session_timeout  60s`,
            `${whose} connections 5`,
          ].join("\n"),
        )
        .join("\n")}\n`,
    ),
  },
  hba("# host all all all trust"),
];

/** Pairs of variations, always the same ones. */
export function pairs(variations: readonly Variation[], count: number): Variation[][] {
  const random = new Random("pairs of variations", 1);
  const pick = () => variations[random.between(0, variations.length - 1)];
  return Array.from({ length: count }, () =>
    [pick(), pick()].filter((variation) => variation !== undefined),
  ).filter(([first, second]) => first !== second);
}
