/** Additions of undeclared things, in every place of the real resources. Nothing is random. */
import * as k8s from "@pulumi/kubernetes";
import { podsOf } from "../../policy/pods.ts";
import { objectsOf, type Resource } from "../../policy/resources.ts";
import { isMap } from "../../policy/values.ts";
import { type Mutant, pointersIn } from "./mutants.ts";
import { copyOf, metadata, setAt } from "./stacks.ts";

type Inputs = Record<string, unknown>;

/** Maps whose names are free: selectors, amounts, values of a Secret. A name there is not a field. */
const FREE_NAMES =
  /(^|\/)(labels|annotations|matchLabels|selector|nodeSelector|stringData|data|requests|limits|capacity)$/;
/** What rules about programs, mounts and variables look at, each with additions of its own. */
const OWN_ADDITIONS = /\/(volumes|volumeMounts|env|envFrom|command|args)(\/|$)/;

/** Annotations and labels that tools act on. */
const TOLD_TO_TOOLS: readonly [string, string][] = [
  ["pulumi.com/patchForce", "true"],
  ["pulumi.com/deletionPropagationPolicy", "orphan"],
  ["argocd.argoproj.io/sync-options", "Prune=true,Replace=true"],
  ["kustomize.toolkit.fluxcd.io/prune", "enabled"],
  ["helm.sh/hook", "pre-delete"],
  ["helm.sh/resource-policy", "delete"],
  ["objectset.rio.cattle.io/id", "x"],
  ["service.kubernetes.io/topology-mode", "Auto"],
  ["example.com/unknown", "x"],
];

const POD_FIELDS: Readonly<Record<string, unknown>> = {
  activeDeadlineSeconds: 60,
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [] } },
  dnsConfig: { nameservers: ["203.0.113.1"] },
  dnsPolicy: "None",
  ephemeralContainers: [{ name: "debug", image: "busybox" }],
  hostAliases: [{ ip: "203.0.113.1", hostnames: ["postgres"] }],
  hostname: "postgres",
  hostUsers: false,
  hostnameOverride: "x",
  imagePullSecrets: [{ name: "s" }],
  os: { name: "windows" },
  overhead: { memory: "1Gi" },
  preemptionPolicy: "Never",
  priority: 1_000_000,
  priorityClassName: "system-node-critical",
  readinessGates: [{ conditionType: "x" }],
  resourceClaims: [{ name: "x" }],
  resources: { limits: { memory: "1Ti" } },
  runtimeClassName: "kata",
  schedulerName: "other",
  schedulingGates: [{ name: "x" }],
  serviceAccountName: "admin",
  serviceAccount: "admin",
  setHostnameAsFQDN: true,
  shareProcessNamespace: true,
  subdomain: "x",
  topologySpreadConstraints: [{ maxSkew: 1 }],
  unknownField: "x",
};

const CONTAINER_FIELDS: Readonly<Record<string, unknown>> = {
  args: ["--password", "hunter2hunter2"],
  lifecycle: { preStop: { exec: { command: ["kill", "-9", "1"] } } },
  "lifecycle/postStart": { httpGet: { path: "/", port: 80 } },
  "lifecycle/preStop": { sleep: { seconds: 3600 } },
  "lifecycle/stopSignal": "SIGKILL",
  resizePolicy: [{ resourceName: "memory", restartPolicy: "NotRequired" }],
  restartPolicyRules: [{ action: "Restart" }],
  stdin: true,
  stdinOnce: true,
  tty: true,
  terminationMessagePath: "/var/lib/postgresql/data/x",
  volumeDevices: [{ name: "data", devicePath: "/dev/x" }],
  workingDir: "/tmp",
  envFrom: [{ secretRef: { name: "postgres-superuser" } }],
  "securityContext/windowsOptions": { hostProcess: false },
  "securityContext/capabilities/unknownField": ["x"],
  "livenessProbe/terminationGracePeriodSeconds": 1,
  "livenessProbe/exec/command": ["pg_ctl", "stop", "-m", "immediate"],
  "readinessProbe/exec/command": ["psql", "-c", "select 1"],
  "startupProbe/exec/command": ["true"],
  "readinessProbe/httpGet/httpHeaders": [{ name: "x", value: "y" }],
  unknownField: "x",
};

const VOLUME_SOURCES: Readonly<Record<string, unknown>> = {
  awsElasticBlockStore: { volumeID: "x" },
  cephfs: { monitors: ["203.0.113.1"] },
  configMap: { name: "other" },
  csi: { driver: "x" },
  downwardAPI: { items: [] },
  emptyDir: { sizeLimit: "1Gi" },
  ephemeral: { volumeClaimTemplate: { spec: {} } },
  fc: { lun: 1 },
  flexVolume: { driver: "x" },
  gitRepo: { repository: "https://example.com/x.git" },
  glusterfs: { path: "x" },
  hostPath: { path: "/" },
  image: { reference: "example.com/x:1" },
  iscsi: { iqn: "x" },
  nfs: { server: "203.0.113.1", path: "/" },
  persistentVolumeClaim: { claimName: "other" },
  portworxVolume: { volumeID: "x" },
  projected: { sources: [{ secret: { name: "postgres-superuser" } }] },
  rbd: { image: "x" },
  secret: { secretName: "postgres-superuser", defaultMode: 0o400 },
  unknownType: {},
};
/** Where volumes are mounted: over the server's own places, and next to them. */
const PLACES = [
  "/",
  "/tmp/pgdata",
  "/var/lib/postgresql",
  "/var/lib/postgresql/data/pgdata/pg_wal",
  "/etc/postgresql/conf.d",
  "/usr/local/lib/transcript-pipeline/lib",
  "/mnt/unknown",
];
const MOUNT_FIELDS: Readonly<Record<string, unknown>> = {
  subPath: "x",
  subPathExpr: "$(X)",
  mountPropagation: "Bidirectional",
  recursiveReadOnly: "Enabled",
};

const VARIABLES: readonly Record<string, unknown>[] = [
  { name: "PGDATA", value: "/tmp/pgdata" },
  { name: "PGOPTIONS", value: "-c fsync=off" },
  { name: "LD_PRELOAD", value: "/tmp/x.so" },
  { name: "BASH_ENV", value: "/tmp/x" },
  { name: "PATH", value: "/tmp" },
  { name: "UNKNOWN", value: "x" },
  {
    name: "SUPERUSER",
    valueFrom: { secretKeyRef: { name: "postgres-superuser", key: "POSTGRES_PASSWORD" } },
  },
  { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
];

/** Settings with values that weaken in effect what no single word switches off. */
const WEAK_VALUES = [
  "log_min_error_statement = error",
  "log_min_error_statement = 'log'",
  "autovacuum_naptime = 1d",
  "autovacuum_vacuum_threshold = 2147483647",
  "autovacuum_vacuum_threshold = 0x7fffffff",
  "autovacuum_vacuum_scale_factor = 100",
  "autovacuum_vacuum_insert_threshold = -1",
  "autovacuum_vacuum_insert_scale_factor = 1e2",
  "autovacuum_analyze_threshold = 2147483647",
  "autovacuum_analyze_scale_factor = 100",
  "autovacuum_vacuum_cost_limit = 1",
  "autovacuum_vacuum_cost_delay = 100",
  "autovacuum_vacuum_cost_delay = '0.1 s'",
  "autovacuum_freeze_max_age = 2000000000",
  "autovacuum_multixact_freeze_max_age = 2e9",
  "vacuum_cost_delay = 100ms",
  "vacuum_cost_limit = 1",
  "vacuum_cost_page_dirty = 10000",
  "vacuum_failsafe_age = 2100000000",
  "vacuum_multixact_failsafe_age = 2100000000",
  "vacuum_freeze_min_age = 1000000000",
  "vacuum_freeze_table_age = 2000000000",
  "vacuum_multixact_freeze_min_age = 1000000000",
  "vacuum_multixact_freeze_table_age = 2000000000",
  "default_statistics_target = 1",
  "wal_keep_size = 100TB",
  "wal_keep_size = 104857600",
  "max_wal_size = 100TB",
  "min_wal_size = 50TB",
  "max_slot_wal_keep_size = -1",
  "temp_file_limit = -1",
  "temp_file_limit = 900TB",
  "checkpoint_timeout = 1d",
  "checkpoint_timeout = 86400",
  "min_dynamic_shared_memory = 100GB",
  "max_connections = 100000",
  "max_connections = ten",
  "max_worker_processes = 262143",
  "max_wal_senders = 262143",
  "max_locks_per_transaction = 2147483647",
  "max_locks_per_transaction = 10",
  "max_pred_locks_per_transaction = 2147483647",
  "track_activity_query_size = 1MB",
  "pg_stat_statements.max = 1000000000",
  "work_mem = 1TB",
  "hash_mem_multiplier = 1000",
  "temp_buffers = 8000GB",
  "maintenance_work_mem = 500GB",
  "autovacuum_work_mem = 900GB",
  "max_stack_depth = 100MB",
  "huge_pages = try",
  "shared_memory_type = sysv",
  "dynamic_shared_memory_type = mmap",
  "authentication_timeout = 600s",
  "superuser_reserved_connections = 0",
  "reserved_connections = 90",
  "statement_timeout = 1",
  "lock_timeout = 1ms",
  "idle_session_timeout = 1",
  "idle_in_transaction_session_timeout = 1",
  "deadlock_timeout = 24d",
  "tcp_user_timeout = 1",
  "gin_fuzzy_search_limit = 1",
  "extra_float_digits = -15",
  "extra_float_digits = 0",
  "plpgsql.variable_conflict = use_column",
  "client_encoding = SQL_ASCII",
  "debug_parallel_query = regress",
  "hnsw.ef_search = 1",
  "hnsw.max_scan_tuples = 1",
  "ivfflat.max_probes = 1",
  "pg_trgm.similarity_threshold = 0",
  "track_activities = off",
  "compute_query_id = off",
  "pg_stat_statements.track = none",
  "search_path = 'evil, public, extensions'",
  "search_path = ''",
  "search_path = 'extensions, pg_catalog'",
];

/** Lines that are new to a file of the server's configuration. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  "postgresql.conf": [
    "include = '/tmp/x.conf'",
    "include_if_exists '/tmp/x.conf'",
    "INCLUDE_DIR '/tmp'",
    "data_directory = '/tmp/pg'",
    "hba_file '/tmp/hba'",
    "Ident_File = '/tmp/ident'",
    "autovacuum = off",
    "AUTOVACUUM off",
    "track_counts = no",
    "log_statement = all",
    "log_statement 'mod'",
    "log_min_duration_statement = 0",
    "log_min_error_statement = debug5",
    "log_parameter_max_length_on_error = -1",
    "debug_print_parse = on",
    "archive_command = 'cp %p /tmp'",
    "archive_library = 'x'",
    "archive_mode = always",
    "restore_command = 'x'",
    "archive_cleanup_command = 'x'",
    "recovery_end_command = 'x'",
    "ssl_passphrase_command = 'x'",
    "shared_preload_libraries = 'x'",
    "session_preload_libraries = 'x'",
    "local_preload_libraries = 'x'",
    "dynamic_library_path = '/tmp'",
    "jit_provider = 'x'",
    "log_directory = '/tmp'",
    "log_destination = 'csvlog'",
    "logging_collector = on",
    "unix_socket_directories = '/tmp'",
    "unix_socket_directories = '/var/lib/postgresql/data/../../../../tmp'",
    "external_pid_file = '/tmp/x'",
    "temp_tablespaces = 'x'",
    "zero_damaged_pages = on",
    "ignore_checksum_failure = true",
    "allow_system_table_mods = 1",
    "full_page_writes = 'of\\146'",
    "fsync = 'o''f'",
    "synchronous_commit = off",
    "synchronous_commit = 0",
    "wal_level = minimal",
    "data_sync_retry = on",
    "restart_after_crash = off",
    "session_replication_role = replica",
    "row_security = off",
    "primary_conninfo = 'host=x'",
    "recovery_target = 'immediate'",
    "listen_addresses = 'db.example.com'",
    "port = 5433",
    "pg_stat_statements.track_utility = on",
    "auto_explain.log_min_duration = 0",
    ...WEAK_VALUES,
    "unknown_setting = 1",
    "unknown.setting = 1",
    "unknown line that cannot be read",
  ],
  "sessions.conf": [
    "owner log_statement all",
    "owner session_preload_libraries x",
    "readonly unknown_setting 1",
    "unknown",
  ],
  "pg_hba.conf": [
    "include /tmp/hba",
    "include_if_exists /tmp/hba",
    "include_dir /tmp",
    "host all all samehost trust",
    "host all all samenet ident",
    "host all @/tmp/users all scram-sha-256",
    "host @dbs all all scram-sha-256",
    "host all /^.*$ all scram-sha-256",
    "host all +everybody all scram-sha-256",
    "host all all all ldap ldapserver=203.0.113.1",
    "host all all all radius radiusservers=203.0.113.1",
    "host all all all pam",
    "local all all peer map=unknown",
    "hostssl all all all cert map=unknown",
    'host all "all" all \\\n  trust',
    "unknown all all all scram-sha-256",
  ],
  "pg_ident.conf": [
    "server_pod /^(.*)$ \\1",
    "server_pod /^post all",
    "server_pod postgres all",
    "server_pod postgres /^.*$",
    "server_pod postgres +everybody",
    "server_pod root postgres",
    "unknown postgres postgres",
    "server_pod @/tmp/x postgres",
    "include /tmp/ident",
    "unknown",
  ],
};

/** Repositories that look like the declared ones, and others, each with the required tag and digest. */
const STRANGE_IMAGES = [
  "example.com/pgvector/pgvector",
  "pgvector.example.com/pgvector",
  "ghcr.io/pgvector/pgvector",
  "docker.io/library/pgvector",
  "pgvector/pgvector-extra",
  "localhost:5000/pgvector/pgvector",
  "amacneil/dbmate",
].map((repository) => `${repository}:0.8.6-pg16-bookworm@sha256:${"0123456789abcdef".repeat(4)}`);

const KUBERNETES_ARGUMENTS: Inputs = {
  alwaysRender: "true",
  cluster: "other",
  deleteUnreachable: "true",
  helmReleaseSettings: "{}",
  kubeClientSettings: "{}",
  namespace: "default",
  renderYamlToDirectory: "/tmp/out",
  skipUpdateUnreachable: "true",
  suppressDeprecationWarnings: "true",
  suppressHelmHookWarnings: "true",
  unknownArgument: "x",
};

/** Kinds of Kubernetes that the SDK knows, Patches and Lists included, and some that only a cluster with them knows. */
function kubernetesTypes(): string[] {
  const types = new Set<string>();
  const visit = (value: unknown, depth: number): void => {
    if (depth > 3 || (typeof value !== "object" && typeof value !== "function") || value === null) return;
    for (const entry of Object.values(value)) {
      const type: unknown = (entry as { __pulumiType?: unknown } | undefined)?.__pulumiType;
      if (typeof type === "string") types.add(type);
      else if (typeof entry === "object") visit(entry, depth + 1);
    }
  };
  visit(k8s, 0);
  return [...types];
}
const OTHER_TYPES = [
  "kubernetes:helm.cattle.io/v1:HelmChart",
  "kubernetes:helm.cattle.io/v1:HelmChartConfig",
  "kubernetes:k3s.cattle.io/v1:Addon",
  "kubernetes:argoproj.io/v1alpha1:Application",
  "kubernetes:argoproj.io/v1alpha1:Rollout",
  "kubernetes:kustomize.toolkit.fluxcd.io/v1:Kustomization",
  "kubernetes:traefik.io/v1alpha1:Middleware",
  "kubernetes:cert-manager.io/v1:Certificate",
  "kubernetes:postgresql.cnpg.io/v1:Cluster",
  // Names of declared kinds in groups of somebody else.
  "kubernetes:example.com/v1:Secret",
  "kubernetes:apps/v1beta1:StatefulSet",
  "kubernetes:serving.knative.dev/v1:Service",
  "pulumi:pulumi:StackReference",
  "pulumi-nodejs:dynamic:Resource",
  "random:index/randomString:RandomString",
  "tls:index/privateKey:PrivateKey",
  "docker:index/container:Container",
  "command:local:CopyFile",
  "command:remote:CopyToRemote",
  "example:index:Component",
  "pulumi:providers:docker",
];

/** What of a resource's own maps and lists is added to. */
function* fieldAdditions(resource: Resource): Generator<[string, (inputs: Inputs) => void]> {
  const { inputs } = resource;
  yield ["unknownField", (target) => (target.unknownField = "x")];
  for (const { pointer, value } of pointersIn(inputs)) {
    if (OWN_ADDITIONS.test(pointer) || FREE_NAMES.test(pointer)) continue;
    if (isMap(value))
      yield [`${pointer}/unknownField`, (target) => setAt(target, `${pointer}/unknownField`, "x")];
    if (Array.isArray(value) && isMap(value[0])) {
      const entry = `${pointer}/${value.length}`;
      yield [entry, (target) => setAt(target, entry, { unknownField: "x" })];
    }
  }
  for (const { pointer } of pointersIn(inputs)) {
    if (!/(^|\/)metadata$/.test(pointer)) continue;
    for (const part of ["annotations", "labels"]) {
      for (const [name, value] of TOLD_TO_TOOLS) {
        const at = `${pointer}/${part}/${name.replace("/", "~1")}`;
        yield [at, (target) => setAt(target, at, value)];
      }
    }
    yield [`${pointer}/finalizers`, (target) => setAt(target, `${pointer}/finalizers`, ["example.com/x"])];
    yield [
      `${pointer}/ownerReferences`,
      (target) => setAt(target, `${pointer}/ownerReferences`, [{ name: "x" }]),
    ];
  }
}

function* podAdditions(): Generator<[string, (pod: Inputs) => void]> {
  for (const [name, value] of Object.entries(POD_FIELDS)) yield [name, (pod) => setAt(pod, name, value)];
}

function* containerAdditions(): Generator<[string, (container: Inputs, pod: Inputs) => void]> {
  for (const [name, value] of Object.entries(CONTAINER_FIELDS)) {
    yield [name, (container) => setAt(container, name, value)];
  }
  for (const entry of VARIABLES) {
    yield [
      `the variable ${String(entry.name)}`,
      (container) => (container.env = [...((container.env as unknown[] | undefined) ?? []), copyOf(entry)]),
    ];
  }
  const mount = (container: Inputs, entry: Inputs) => (container.volumeMounts as unknown[]).push(entry);
  for (const image of STRANGE_IMAGES) {
    yield [`the image ${image.replace(/@.*/, "")}`, (container) => (container.image = image)];
  }
  for (const [type, source] of Object.entries(VOLUME_SOURCES)) {
    for (const mountPath of PLACES) {
      yield [
        `${type} on ${mountPath}`,
        (container, pod) => {
          (pod.volumes as unknown[]).push({ name: "unknown", [type]: copyOf(source) });
          mount(container, { name: "unknown", mountPath });
        },
      ];
    }
  }
  for (const [field, value] of Object.entries(MOUNT_FIELDS)) {
    yield [
      field,
      (container) => Object.assign((container.volumeMounts as Inputs[])[0] ?? {}, { [field]: value }),
    ];
  }
}

/** Everything that is added to what a stack has, one thing at a time. */
export function* additions(stack: readonly Resource[]): Generator<Mutant> {
  for (const resource of stack) {
    const added = (how: string, change: (inputs: Inputs) => void): Mutant => {
      const copy = copyOf(resource);
      change(copy.inputs);
      return {
        name: `${resource.type.split(":").at(-1)}/${resource.name} gets ${how}`,
        before: stack,
        after: stack.map((other) => (other === resource ? copy : other)),
      };
    };
    if (resource.type === "pulumi:providers:kubernetes") {
      for (const [name, value] of Object.entries(KUBERNETES_ARGUMENTS)) {
        yield added(name, (inputs) => (inputs[name] = value));
      }
    }
    const object = objectsOf(resource)[0];
    if (!object && !resource.type.startsWith("random:")) continue;
    for (const [how, change] of fieldAdditions(resource)) {
      if (!object && how.startsWith("metadata")) continue;
      yield added(how, change);
    }
    if (object?.kind === "ConfigMap") {
      yield added("a file", (inputs) => setAt(inputs, "data/unknown.txt", "x"));
      yield added("a binary file", (inputs) => setAt(inputs, "binaryData/unknown", "eA=="));
      yield added("a binary script", (inputs) => setAt(inputs, "binaryData/unknown.sh", "eA=="));
      for (const name of ["unknown.sh", "99-unknown.sql"]) {
        if (name.endsWith(".sql") && object.name === "postgres-init-migrations") continue;
        yield added(name, (inputs) => setAt(inputs, `data/${name}`, "x"));
      }
      for (const file of Object.keys((resource.inputs.data as Inputs | undefined) ?? {})) {
        // The owner's migrations are not judged.
        if (!/\.(sh|sql)$/.test(file) || object.name === "postgres-init-migrations") continue;
        yield added(`${file}: one more line`, ({ data }) => {
          const files = data as Record<string, string>;
          files[file] = `${files[file] ?? ""}\n`;
        });
      }
      for (const [file, lines] of Object.entries(LINES)) {
        if (object.name !== "postgres-config") continue;
        for (const line of lines) {
          yield added(`${file}: ${line}`, ({ data }) => {
            const files = data as Record<string, string>;
            files[file] = `${files[file] ?? ""}${line}\n`;
          });
        }
      }
    }
    if (!object || podsOf(object).length === 0) continue;
    const pod = (inputs: Inputs) => {
      const { jobTemplate, template } = inputs.spec as Record<string, Record<string, Record<string, Inputs>>>;
      return (jobTemplate?.spec ? jobTemplate.spec.template?.spec : template?.spec) as Inputs;
    };
    for (const [how, change] of podAdditions()) yield added(how, (inputs) => change(pod(inputs)));
    for (const list of ["initContainers", "containers"]) {
      const containers = (pod(resource.inputs)[list] as Inputs[] | undefined) ?? [];
      for (const [index, { name }] of containers.entries()) {
        for (const [how, change] of containerAdditions()) {
          if (/Probe\//.test(how) && object.kind.endsWith("Job") && !how.includes("command")) continue;
          yield added(`in ${String(name)} ${how}`, (inputs) => {
            const spec = pod(inputs);
            change((spec[list] as Inputs[])[index] as Inputs, spec);
          });
        }
      }
    }
  }
  yield* newResources(stack);
}

/** A resource of each kind that the stack does not have. */
function* newResources(stack: readonly Resource[]): Generator<Mutant> {
  const present = new Set(stack.map(({ type }) => type));
  const types = [...kubernetesTypes(), ...OTHER_TYPES].filter((type) => !present.has(type));
  const resource = (type: string, name: string, inputs: Inputs): Resource => ({
    urn: `urn:pulumi:${stack[0]?.urn.split(":")[2]}::transcript-pipeline::${type}::${name}`,
    type,
    name,
    inputs,
    protect: true,
    secretOutputs: ["data", "stringData"],
    dependencies: [],
  });
  const added = (what: string, ...more: Resource[]): Mutant => ({
    name: `the stack gets ${what}`,
    before: stack,
    after: [...stack, ...more],
  });
  for (const type of types) {
    const [, group = "", kind] = type.split(":");
    const inputs = type.startsWith("kubernetes:")
      ? { apiVersion: group.replace(/^core\//, ""), kind, metadata: metadata("unknown") }
      : {};
    yield added(type, resource(type, "unknown", inputs));
  }
  // Kinds that the stack has, and objects of it a second time or elsewhere.
  for (const { type, inputs, name } of stack) {
    if (!type.startsWith("kubernetes:")) continue;
    yield added(
      `another ${type}`,
      resource(type, "unknown", { ...copyOf(inputs), metadata: metadata("unknown") }),
    );
    yield added(`${type} ${name} twice`, resource(type, "twin", copyOf(inputs)));
    const elsewhere = copyOf(inputs);
    const at = elsewhere.metadata as Inputs;
    if (at.namespace === undefined) at.name = "other";
    else at.namespace = "other";
    yield added(`${type} ${name} elsewhere`, resource(type, name, elsewhere));
  }
  // One kind in another's clothes.
  yield added(
    "a ClusterRoleBinding as a ConfigMap",
    resource("kubernetes:core/v1:ConfigMap", "unknown", {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: metadata("unknown"),
    }),
  );
  for (const where of ["local", "remote"]) {
    const connection = { host: "h", hostKey: "ssh-ed25519 AAAA" };
    for (const at of ["create", "update", "delete"]) {
      yield added(
        `a ${where} Command that ${at}s`,
        resource(`command:${where}:Command`, "unknown", {
          connection,
          [at]: "kubectl delete pv postgres-pv",
        }),
      );
    }
    for (const [field, value] of Object.entries({
      environment: { PATH: "/tmp" },
      stdin: "x",
      logging: "stdout",
      dir: "/",
    })) {
      yield added(
        `a ${where} Command with ${field}`,
        resource(`command:${where}:Command`, "unknown", { connection, [field]: value }),
      );
    }
  }
  for (const name of ["other", "cluster2"]) {
    yield added(`the provider ${name}`, resource("pulumi:providers:kubernetes", name, { context: "other" }));
  }
}
