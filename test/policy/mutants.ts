/** Weakening mutants of the real resources, made field by field. Nothing is random: the same ones every time. */
import { podsOf } from "../../policy/pods.ts";
import { objectsOf, type Resource } from "../../policy/resources.ts";
import { isMap } from "../../policy/values.ts";
import { copyOf, setAt } from "./stacks.ts";

/** A weakened stack. */
export interface Mutant {
  name: string;
  /** The stack that was weakened: the real one, or the real one in another kind. Its own violations do not count. */
  before: readonly Resource[];
  after: readonly Resource[];
}

const escaped = (part: string) => part.replaceAll("~", "~0").replaceAll("/", "~1");

/** Pointers to everything in a value. */
export function* pointersIn(value: unknown, path = ""): Generator<{ pointer: string; value: unknown }> {
  if (path !== "") yield { pointer: path, value };
  if (typeof value !== "object" || value === null) return;
  for (const [name, entry] of Object.entries(value)) {
    yield* pointersIn(entry, path === "" ? escaped(name) : `${path}/${escaped(name)}`);
  }
}

/** A field that matters, and what weakens it besides leaving it out or misspelling it. */
interface Weakness {
  at: RegExp;
  /** `<kind>` of the objects it is looked for in. */
  kinds?: RegExp;
  /** Values that are weaker, made from the real one. */
  to?: (value: unknown) => unknown[];
  /** Whether leaving it out weakens nothing. */
  optional?: boolean;
}

const TIMES = 100_000;
const widened = (value: unknown) => {
  const match = /^(\d+(?:\.\d+)?)(.*)$/.exec(String(value));
  return match ? `${Number(match[1]) * TIMES}${match[2]}` : value;
};
const zero = (value: unknown) => String(value).replace(/^\d+(\.\d+)?/, "0");

/** The line that keeps the superuser inside. */
const REJECT = /^host +all +postgres +all +reject\n/m;

/** Files that let the superuser in over the network. */
function weakerForSuperuser(hba: string): string[] {
  const instead = [
    "",
    "# host all postgres all reject\n",
    "host all postgres 10.0.0.0/8 reject\n",
    "host all postgres 0.0.0.0/0 reject\n",
    "host all postgres samenet reject\n",
    "host all postgres db.example.com reject\n",
    "host all postgres 0.0.0.0 255.0.255.0 reject\n",
    "host postgres postgres all reject\n",
    "host replication postgres all reject\n",
    'host "all" postgres all reject\n',
    "host all Postgres all reject\n",
    'host all "all" all reject\n',
    "host all /^post$ all reject\n",
    "host all +postgres all reject\n",
    // Plain connections are refused anyway, so one that covers TLS would do.
    "hostnossl all postgres all reject\n",
    "local all postgres reject\n",
  ].map((line) => hba.replace(REJECT, line));
  const before = [
    "host all postgres all scram-sha-256",
    'host all "postgres" all scram-sha-256',
    "host all all all scram-sha-256",
    "host all worker,postgres all scram-sha-256",
    "host all worker, all all scram-sha-256",
    "host sameuser all all scram-sha-256",
    "host samerole all all scram-sha-256",
    "host transcripts_db postgres 203.0.113.1/32 scram-sha-256",
    "host all postgres 127.0.0.1/0 scram-sha-256",
    "host all postgres 127.0.0.1/7 scram-sha-256",
    "host all postgres 127.0.0.1 0.0.0.0 scram-sha-256",
    "host all postgres 127.0.0.1 0.0.0.1 scram-sha-256",
    "host all postgres ::1/64 scram-sha-256",
    "host all postgres ::/0 scram-sha-256",
    "host all postgres ::1 ffff:: scram-sha-256",
    "host all postgres samenet scram-sha-256",
    "host all postgres samehost scram-sha-256",
    "host all postgres .example.com scram-sha-256",
    "host all postgres 0.0.0.0/0 gss",
    "hostgssenc all all all gss",
    "hostssl all postgres all cert",
    "hostssl all all all cert clientcert=verify-full",
    "hostnossl all postgres all scram-sha-256",
    "host replication postgres all scram-sha-256",
    "host replication all all scram-sha-256",
    "host all,replication postgres all scram-sha-256",
    "host all postgres all \\\n scram-sha-256",
  ];
  const behind = ["host replication all all scram-sha-256", "host replication postgres all scram-sha-256"];
  return [
    ...instead,
    hba.replace(/^(host +all +postgres .*\n)(hostssl .*\n)/m, "$2$1"),
    ...before.map((line) => `${line}\n${hba}`),
    ...behind.map((line) => `${hba}${line}\n`),
  ];
}

/** The server, as kind and name. */
const SERVER = /^StatefulSet\/postgres$/;
/** What restores a copy. */
const COPIES = /^(CronJob\/postgres-backup-drill|Job\/postgres-backup-first)$/;

/** The policies, by what they do. */
const DENY = /^NetworkPolicy\/postgres-network-default-deny$/;
const WAY_IN = /^NetworkPolicy\/postgres-network-database$/;
const WAYS_OUT = /^NetworkPolicy\/postgres-network-(init|client-.*|backup)$/;

export const WEAKNESSES: readonly Weakness[] = [
  { at: /^spec\/persistentVolumeReclaimPolicy$/, to: () => ["Delete", "Recycle", ""] },
  { at: /^spec\/nodeAffinity(\/required(\/nodeSelectorTerms(\/0(\/matchExpressions)?)?)?)?$/ },
  { at: /matchExpressions\/0\/values\/0$/, to: () => ["another-node-*"], optional: true },
  { at: /matchExpressions\/0\/operator$/, to: () => ["NotIn", "Exists"] },
  { at: /^spec\/claimRef(\/namespace|\/name)?$/ },
  { at: /^spec\/accessModes$/, to: () => [["ReadWriteMany"], ["ReadOnlyMany"], []] },
  { at: /^spec\/(storageClassName|volumeName)$/, kinds: /^PersistentVolumeClaim\// },
  { at: /^spec\/storageClassName$/, kinds: /^PersistentVolumeClaim\//, to: () => ["local-path"] },
  {
    at: /ontainers\/\d\/resources\/limits\/(memory|cpu)$/,
    to: (value) => [zero(value), 0, "", "lots", widened(value)],
  },
  {
    at: /ontainers\/\d\/resources\/requests\/(memory|cpu)$/,
    to: (value) => [zero(value), 0, "", widened(value)],
  },
  { at: /ontainers\/\d\/resources(\/limits|\/requests)?$/, to: () => [{}] },
  { at: /\/emptyDir\/sizeLimit$/, to: (value) => [zero(value), ""] },
  { at: /\/nodeSelector$/, to: () => [{}, { "kubernetes.io/arch": "amd64" }] },
  { at: /\/nodeSelector\/kubernetes.io~1hostname$/, to: () => ["another-node"] },
  { at: /\/template\/spec\/securityContext$/, to: () => [{ runAsNonRoot: false }] },
  { at: /\/template\/spec\/securityContext\/seccompProfile(\/type)?$/, to: () => ["Unconfined"] },
  { at: /\/template\/spec\/securityContext\/runAsUser$/, to: () => [0], optional: true },
  { at: /ontainers\/\d\/securityContext$/, to: () => [{}] },
  { at: /\/securityContext\/runAsNonRoot$/, to: () => [false], optional: true },
  { at: /\/allowPrivilegeEscalation$/, to: () => [true] },
  { at: /\/readOnlyRootFilesystem$/, to: () => [false] },
  { at: /\/capabilities(\/drop(\/0)?)?$/, to: () => [{ add: ["NET_ADMIN"] }] },
  { at: /\/automountServiceAccountToken$/, to: () => [true] },
  { at: /\/enableServiceLinks$/, to: () => [true] },
  { at: /\/livenessProbe(\/exec)?$/, to: () => [{}] },
  // Of the first container. Of those next to a server it never acts, and leaving it out weakens nothing.
  { at: /ontainers\/0\/readinessProbe(\/exec)?$/, to: () => [{}] },
  // Without one a server that recovers is killed; any other container is then only looked at earlier.
  { at: /\/startupProbe(\/exec)?$/, kinds: SERVER, to: () => [{}] },
  {
    at: /\/readinessProbe\/exec\/command$/,
    kinds: SERVER,
    to: (value) => (JSON.stringify(value).includes("pg_isready") ? [["pg_isready"]] : []),
    optional: true,
  },
  { at: /\/startupProbe\/(failureThreshold|periodSeconds)$/, kinds: SERVER, to: () => [0], optional: true },
  { at: /\/terminationGracePeriodSeconds$/, kinds: SERVER, to: () => [0, 30] },
  {
    at: /ontainers\/\d\/image$/,
    to: (value) => [String(value).replace(/:[^:]*$/, ":latest"), String(value).replace(/:[^:]*$/, "")],
  },
  { at: /\/secret\/defaultMode$/, to: () => [0o644, 0o777, 0o404] },
  { at: /^spec\/activeDeadlineSeconds$/, to: () => [0] },
  // Two of what keeps nothing are only more of it.
  { at: /^spec\/replicas$/, kinds: SERVER, to: () => [2], optional: true },
  { at: /^spec\/replicas$/, kinds: /^StatefulSet\//, to: () => [100], optional: true },
  {
    at: /^spec\/type$/,
    kinds: /^Service\//,
    to: () => ["NodePort", "LoadBalancer", "ExternalName"],
    optional: true,
  },
  { at: /^metadata\/namespace$/, to: () => ["default", "", "kube-system"] },
  { at: /^metadata\/labels$/, to: () => [{}] },
  { at: /^metadata\/labels\/app\.kubernetes\.io~1/, to: () => [""] },
  {
    at: /^metadata\/labels\/pod-security\.kubernetes\.io~1(enforce|warn|audit)$/,
    to: () => ["privileged", "baseline"],
  },
  { at: /\/volumes\/0\/persistentVolumeClaim$/ },
  { at: /containers\/0\/volumeMounts\/0\/mountPath$/, kinds: SERVER, to: () => ["/data"] },
  {
    at: /^data\/pg_hba\.conf$/,
    to: (value) => [
      String(value).replaceAll("scram-sha-256", "trust"),
      String(value).replaceAll("scram-sha-256", "md5"),
      String(value).replaceAll("scram-sha-256", "password"),
      String(value).replace("peer map=server_pod", "trust"),
      ...weakerForSuperuser(String(value)),
    ],
    optional: true,
  },
  {
    at: /^data\/postgresql\.conf$/,
    to: (value) => [
      ...[
        "fsync = off",
        "full_page_writes = off",
        "synchronous_commit = 'off'",
        "shared_buffers = 900GB",
        "password_encryption = md5",
      ].map((line) => `${String(value)}${line}\n`),
    ],
    optional: true,
  },
  {
    at: /^data\/01-extensions\.sql$/,
    to: (value) => [`${String(value)}ALTER ROLE a PASSWORD 'correct horse';\n`],
    optional: true,
  },
  { at: /^length$/, to: () => [8, 0] },
  { at: /^spec\/concurrencyPolicy$/, kinds: COPIES, to: () => ["Allow", "Replace", ""] },
  { at: /^spec\/jobTemplate\/spec\/activeDeadlineSeconds$/, kinds: COPIES, to: () => [0, ""] },
  { at: /volumeMounts\/\d+\/subPath$/, kinds: COPIES, to: () => ["pgdata", "pgdata/base", "", "."] },
  {
    at: /template\/metadata\/labels$/,
    kinds: COPIES,
    to: (value) => [{ ...(value as object), app: "postgres" }],
    optional: true,
  },
  {
    at: /env\/\d+\/value$/,
    kinds: COPIES,
    to: (value) =>
      String(value).endsWith("/drill/pgdata")
        ? [
            ...["pgdata", "pgdata/base", "", "drill/../pgdata"].map(
              (path) => `/var/lib/postgresql/data/${path}`,
            ),
          ]
        : [],
    optional: true,
  },
  // Network policies: one selector, peer, port or direction that is gone widens what the rule allows.
  { at: /^spec\/policyTypes$/, kinds: DENY, to: () => [["Ingress"], ["Egress"], []] },
  { at: /^spec\/podSelector$/, kinds: DENY, to: () => [{ matchLabels: { app: "postgres" } }] },
  { at: /^spec\/podSelector$/, kinds: WAYS_OUT, to: () => [{}, { matchLabels: { app: "postgres" } }] },
  { at: /^spec\/ingress\/\d\/from$/, kinds: WAY_IN, to: () => [[], [{ ipBlock: { cidr: "0.0.0.0/0" } }]] },
  {
    at: /^spec\/ingress\/\d\/from\/\d$/,
    kinds: WAY_IN,
    to: () => [{ namespaceSelector: {} }, { podSelector: {} }, { ipBlock: { cidr: "10.0.0.0/7" } }],
    optional: true,
  },
  { at: /^spec\/egress\/\d\/(to|ports)$/, kinds: WAYS_OUT, to: () => [[]] },
  {
    at: /^spec\/egress\/\d\/to\/\d$/,
    kinds: WAYS_OUT,
    to: () => [{ namespaceSelector: {} }, { ipBlock: { cidr: "0.0.0.0/0" } }],
    optional: true,
  },
  { at: /^spec\/egress\/\d\/to\/\d\/ipBlock\/except(\/\d)?$/, kinds: WAYS_OUT },
];

/** Lines of postgresql.conf that keep something. */
const KEPT =
  /^(listen_addresses|port|unix_socket_directories|hba_file|ident_file|password_encryption|authentication_timeout|shared_preload_libraries|pg_stat_statements\.track(_utility)?|log_min_error_statement|log_destination|logging_collector|search_path|temp_file_limit|max_wal_size|max_locks_per_transaction|huge_pages|dynamic_shared_memory_type) /;

/** Where a pod-level weakness is added rather than changed. */
const ADDITIONS: readonly { name: string; pointer: string; value: unknown }[] = [
  ...["hostNetwork", "hostPID", "hostIPC"].map((name) => ({ name, pointer: name, value: true })),
  { name: "nodeName", pointer: "nodeName", value: "another-node" },
  { name: "hostPath", pointer: "volumes/0", value: { name: "data", hostPath: { path: "/mnt" } } },
  { name: "emptyDir", pointer: "volumes/0", value: { name: "data", emptyDir: { sizeLimit: "1Gi" } } },
  { name: "privileged", pointer: "containers/0/securityContext/privileged", value: true },
  { name: "hostPort", pointer: "containers/0/ports", value: [{ containerPort: 5432, hostPort: 5432 }] },
  { name: "GPU", pointer: "containers/0/resources/limits/nvidia.com~1gpu", value: 1 },
  { name: "password", pointer: "containers/0/env/9", value: { name: "PGPASSWORD", value: "hunter2hunter2" } },
  { name: "capability", pointer: "containers/0/securityContext/capabilities/add", value: ["SYS_PTRACE"] },
  { name: "procMount", pointer: "containers/0/securityContext/procMount", value: "Unmasked" },
  { name: "sysctl", pointer: "securityContext/sysctls", value: [{ name: "kernel.sem", value: "1" }] },
  {
    name: "token",
    pointer: "volumes/8",
    value: { name: "tmp", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } },
  },
];

function valueAt(target: unknown, pointer: string): unknown {
  return pointer
    .split("/")
    .reduce<unknown>(
      (value, part) =>
        (value as Record<string, unknown> | undefined)?.[part.replaceAll("~1", "/").replaceAll("~0", "~")],
      target,
    );
}

/** The ways in which a value is weakened, as functions that do it. */
function* weakenings(
  inputs: Record<string, unknown>,
  subject: string,
): Generator<{ how: string; apply: (inputs: Record<string, unknown>) => void }> {
  for (const { pointer, value } of pointersIn(inputs)) {
    for (const { at, kinds, to = () => [], optional } of WEAKNESSES) {
      if (!at.test(pointer) || (kinds && !kinds.test(subject))) continue;
      if (!optional) {
        yield { how: `drop ${pointer}`, apply: (target) => setAt(target, pointer, undefined) };
        if (!/\/\d+$/.test(pointer)) {
          yield {
            how: `rename ${pointer}`,
            apply: (target) => {
              const moved = valueAt(target, pointer);
              setAt(target, pointer, undefined);
              setAt(target, `${pointer}x`, moved);
            },
          };
        }
      }
      for (const weaker of to(value)) {
        yield {
          how: `${pointer} to ${JSON.stringify(weaker)?.slice(-60)}`,
          apply: (target) => setAt(target, pointer, weaker),
        };
      }
    }
  }
}

/** Each field of the real resources weakened where it stands. */
export function* mutantsInPlace(
  stack: readonly Resource[],
  { patchesAndLists }: { patchesAndLists: boolean },
): Generator<Mutant> {
  for (const resource of stack) {
    const object = objectsOf(resource)[0];
    const kind = object?.kind ?? resource.type.split(":").at(-1) ?? "";
    if (!object && !resource.type.startsWith("random:")) continue;
    const mutant = (how: string, change: (resource: Resource) => void): Mutant => {
      const weakened = copyOf(resource);
      change(weakened);
      const after = stack.map((other) => (other === resource ? weakened : other));
      return { name: `${kind}/${resource.name}: ${how}`, before: stack, after };
    };
    for (const { how, apply } of weakenings(resource.inputs, `${kind}/${resource.name}`)) {
      yield mutant(how, ({ inputs }) => apply(inputs));
    }
    if (object && podsOf(object).length > 0) {
      const template = kind === "CronJob" ? "spec/jobTemplate/spec/template" : "spec/template";
      for (const { name, pointer, value } of ADDITIONS) {
        // Nothing else loses data with the volume that is taken away.
        if (!SERVER.test(`${kind}/${resource.name}`) && pointer === "volumes/0" && name === "emptyDir")
          continue;
        yield mutant(`add ${name}`, ({ inputs }) => setAt(inputs, `${template}/spec/${pointer}`, value));
      }
    }
    if (kind === "Secret") {
      yield mutant("kept in plain text", (weakened) => (weakened.secretOutputs = []));
      yield mutant("a placeholder", ({ inputs }) =>
        setAt(inputs, "stringData/POSTGRES_PASSWORD", "CHANGE_ME_BEFORE_DEPLOY"),
      );
      yield mutant("as a ConfigMap", (weakened) => {
        weakened.type = "kubernetes:core/v1:ConfigMap";
        weakened.inputs.kind = "ConfigMap";
        weakened.inputs.data = { ...(weakened.inputs.stringData as object) };
        delete weakened.inputs.stringData;
      });
    }
    if (object?.name === "postgres-config") {
      const written = resource.inputs.data as Record<string, string>;
      // Without its preparation, a server refuses to start: that protects nothing less.
      for (const [file, text] of Object.entries(written).filter(([name]) => name !== "preparation")) {
        yield mutant(`${file} left out`, (weakened) => setAt(weakened.inputs, `data/${file}`, undefined));
        for (const [what, empty] of [
          ["empty", ""],
          ["all comment", text.replace(/^/gm, "# ")],
        ] as const) {
          yield mutant(`${file} ${what}`, (weakened) => setAt(weakened.inputs, `data/${file}`, empty));
        }
        const lines = file === "postgresql.conf" ? KEPT : /^\S+ \S+/;
        for (const line of /hba|ident/.test(file) ? [] : text.split("\n")) {
          if (!lines.test(line)) continue;
          for (const instead of ["", `# ${line}`]) {
            yield mutant(`${file}: "${instead}" instead of "${line}"`, (weakened) =>
              setAt(weakened.inputs, `data/${file}`, text.replace(`${line}\n`, `${instead}\n`)),
            );
          }
        }
      }
    }
    // The Job that tries the settings comes before the server, and waits for nothing that would be wrong without it.
    if (kind === "Job" && resource.name !== "postgres-settings")
      yield mutant("no dependency", (weakened) => (weakened.dependencies = []));
    // A second default deny, whatever it leaves out, takes nothing away from the first.
    if (!object || !patchesAndLists || DENY.test(`${kind}/${resource.name}`)) continue;
    for (const as of ["Patch", "List"] as const) {
      const other = extra(resource, as);
      const before = [...stack, other];
      for (const { how, apply } of weakenings(resource.inputs, `${kind}/${resource.name}`)) {
        // A Patch leaves alone what it does not name; a second ConfigMap is not the server's.
        if (as === "Patch" && /^(drop |rename )?(metadata|data)/.test(how)) continue;
        if (/shared_buffers/.test(how)) continue;
        const added = copyOf(other);
        apply(as === "List" ? ((added.inputs.items as Record<string, unknown>[])[0] ?? {}) : added.inputs);
        yield { name: `${kind}${as}/${resource.name}: ${how}`, before, after: [...stack, added] };
      }
    }
  }
}

/** The same object once more, under another name, as a Patch or in a List. */
function extra(resource: Resource, as: "Patch" | "List"): Resource {
  const copy = copyOf(resource);
  setAt(copy.inputs, "metadata/name", `other-${resource.name}`);
  return {
    ...copy,
    type: `${resource.type}${as}`,
    urn: `${resource.urn}-${as}`,
    name: `other-${resource.name}`,
    inputs:
      as === "Patch"
        ? copy.inputs
        : {
            apiVersion: copy.inputs.apiVersion,
            kind: `${String(copy.inputs.kind)}List`,
            items: [copy.inputs],
          },
  };
}

/** Another kind with the pod of a StatefulSet in it: its type, and the path to the pod's spec. */
const KINDS: Readonly<Record<string, { type: string; path: string; around: Record<string, unknown> }>> = {
  Deployment: {
    type: "apps/v1:Deployment",
    path: "spec/template",
    around: { spec: { replicas: 1, strategy: { type: "Recreate" } } },
  },
  DaemonSet: { type: "apps/v1:DaemonSet", path: "spec/template", around: {} },
  ReplicaSet: { type: "apps/v1:ReplicaSet", path: "spec/template", around: { spec: { replicas: 1 } } },
  ReplicationController: {
    type: "core/v1:ReplicationController",
    path: "spec/template",
    around: { spec: { replicas: 1 } },
  },
  Pod: { type: "core/v1:Pod", path: "", around: {} },
  Job: { type: "batch/v1:Job", path: "spec/template", around: { spec: { activeDeadlineSeconds: 60 } } },
  CronJob: {
    type: "batch/v1:CronJob",
    path: "spec/jobTemplate/spec/template",
    around: { spec: { concurrencyPolicy: "Forbid", jobTemplate: { spec: { activeDeadlineSeconds: 60 } } } },
  },
  StatefulSetPatch: { type: "apps/v1:StatefulSetPatch", path: "spec/template", around: {} },
  DeploymentList: { type: "apps/v1:DeploymentList", path: "items/0/spec/template", around: {} },
  Rollout: { type: "argoproj.io/v1alpha1:Rollout", path: "spec/template", around: {} },
};

/** Where a container of the pod is moved to. */
const PLACES = ["containers", "initContainers", "sidecars"] as const;

/** What is weakened of a container, wherever it has been moved to. */
const CONTAINER_WEAKENINGS: readonly { pointer: string; value?: unknown; long?: boolean }[] = [
  { pointer: "resources" },
  { pointer: "resources/limits/memory" },
  { pointer: "resources/limits/cpu", value: "0" },
  { pointer: "resources/requests/memory", value: "99Ti" },
  { pointer: "securityContext" },
  { pointer: "securityContext/privileged", value: true },
  { pointer: "securityContext/readOnlyRootFilesystem" },
  { pointer: "securityContext/capabilities/drop", value: [] },
  { pointer: "securityContext/runAsUser", value: 0 },
  { pointer: "image", value: "pgvector/pgvector:latest" },
  { pointer: "env/8", value: { name: "API_TOKEN", value: "hunter2hunter2" } },
  { pointer: "resources/limits/nvidia.com~1gpu", value: 1 },
  { pointer: "readinessProbe", long: true },
];

/** A weakened container in each place of each kind. */
export function* mutantsElsewhere(stack: readonly Resource[]): Generator<Mutant> {
  const template = stack.find(({ type }) => type.endsWith(":StatefulSet"))?.inputs;
  const pod = copyOf((template?.spec as Record<string, Record<string, unknown>>).template);
  // The second container, and without the first, so that the server's own rules do not speak for it; with probes of its
  // own.
  const probe = { exec: { command: ["true"] } };
  const sidecar = {
    ...((pod?.spec as Record<string, unknown>).containers as Record<string, unknown>[])[1],
    readinessProbe: probe,
    livenessProbe: probe,
  };
  (pod?.spec as Record<string, unknown>).containers = [sidecar];
  for (const [kind, { type, path, around }] of Object.entries(KINDS)) {
    for (const place of PLACES) {
      const body = copyOf(around);
      const name = "moved";
      const moved = {
        ...copyOf(sidecar),
        name: "moved",
        ...(place === "sidecars" && { restartPolicy: "Always" }),
      };
      const target = copyOf(pod) as Record<string, Record<string, unknown>>;
      const list = place === "containers" ? "containers" : "initContainers";
      (target.spec ??= {})[list] = [...((target.spec[list] as unknown[] | undefined) ?? []), moved];
      const index = (target.spec[list] as unknown[]).length - 1;
      const metadata = {
        name,
        namespace: "transcript-pipeline",
        labels: template?.metadata && isMap(template.metadata) ? template.metadata.labels : {},
      };
      if (path === "") Object.assign(body, { metadata, spec: target.spec });
      else setAt(body, path, target);
      if (path.startsWith("items")) setAt(body, "items/0/metadata", metadata);
      else body.metadata = metadata;
      const base = path === "" ? "spec" : `${path}/spec`;
      if (path.startsWith("items")) body.items = [(body.items as Record<string, unknown>)["0"]];
      const resource: Resource = {
        urn: `urn:pulumi:prod::transcript-pipeline::kubernetes:${type}::${name}`,
        type: `kubernetes:${type}`,
        name,
        inputs: { kind: type.split(":")[1], ...body },
        protect: true,
        secretOutputs: [],
        dependencies: [],
      };
      const before = [...stack, resource];
      for (const { pointer, value, long } of CONTAINER_WEAKENINGS) {
        if (long && (place === "initContainers" || kind === "Job" || kind === "CronJob")) continue;
        const added = copyOf(resource);
        setAt(added.inputs, `${base}/${list}/${index}/${pointer}`, value);
        yield {
          name: `${kind}, ${place}: ${pointer} ${value === undefined ? "dropped" : `to ${JSON.stringify(value)}`}`,
          before,
          after: [...stack, added],
        };
      }
    }
  }
}
