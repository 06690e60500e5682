/** Ways to have something undeclared. */
import {
  type Break,
  CONF,
  INIT,
  JOB,
  POD,
  PV,
  SERVER,
  SET,
  SIDECAR,
  conf,
  remoteCommand,
  service,
  workload,
} from "./break.ts";
import {
  add,
  type Change,
  decentContainer,
  decentDeployment,
  drop,
  edit,
  metadata,
  set,
  setAt,
} from "../stacks.ts";

const DEPLOYMENT = { "declared-kinds": { declared: ["kubernetes:apps/v1:Deployment"] } };
const RBAC = {
  "declared-kinds": {
    declared: ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"].map(
      (kind) => `kubernetes:rbac.authorization.k8s.io/v1:${kind}`,
    ),
  },
};

/** An object of any kind. */
const object = (type: string, body: Record<string, unknown> = {}): Change =>
  add(`kubernetes:${type}`, { metadata: metadata("added"), ...body });
const rbac = (kind: string, body: Record<string, unknown>) =>
  object(`rbac.authorization.k8s.io/v1:${kind}`, body);
const line = (file: string, text: string) => conf(file, (before) => `${before}${text}\n`);

/** Mounts one more volume. */
const mount = (source: Record<string, unknown>, mountPath: string): Change =>
  edit(SET, ({ inputs }) => {
    setAt(inputs, `${POD}/volumes/10`, { name: "more", ...source });
    setAt(inputs, `${SERVER}/volumeMounts/6`, { name: "more", mountPath });
  });
const env = (entry: Record<string, unknown>) => set(SET, `${SERVER}/env/4`, entry);
/** The containers that run pgBackRest, with the place of their pod. */
const BACKUPS: readonly (readonly [subject: string, pod: string])[] = [
  ["StatefulSet/postgres-backup", POD],
  ["Job/postgres-backup-first", POD],
  ["CronJob/postgres-backup-full", "spec/jobTemplate/spec/template/spec"],
  ["CronJob/postgres-backup-incremental", "spec/jobTemplate/spec/template/spec"],
];
const EMPTY = { emptyDir: { sizeLimit: "1Gi" } };

export const declaredBreaks: Readonly<Record<string, readonly Break[]>> = {
  "declared-kinds": [
    {
      by: "a ClusterRoleBinding to cluster-admin",
      change: rbac("ClusterRoleBinding", {
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
        subjects: [{ kind: "ServiceAccount", name: "default", namespace: "transcript-pipeline" }],
      }),
      message:
        /ClusterRoleBinding gives rights in the whole cluster\.\n.*"declared-kinds": \{ "declared": \["kubernetes:rbac.authorization.k8s.io\/v1:ClusterRoleBinding"\] \}/,
    },
    {
      by: "a Role that reads Secrets",
      change: rbac("Role", { rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }] }),
      message: /a Role gives rights over the namespace's objects/,
    },
    ...(
      [
        ["helm.cattle.io/v1:HelmChart", /makes a controller install whatever chart it names/],
        ["argoproj.io/v1alpha1:Application", /makes a controller deploy whatever a repository holds/],
        ["admissionregistration.k8s.io/v1:MutatingWebhookConfiguration", /rewrites objects/],
        ["admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration", /can refuse every change/],
        ["scheduling.k8s.io/v1:PriorityClass", /which pods are evicted for others/],
        ["discovery.k8s.io/v1:EndpointSlice", /sends a Service's clients to any address/],
        ["core/v1:Endpoints", /sends a Service's clients to any address/],
        ["core/v1:Pod", /a Pod runs containers/],
        ["apps/v1:StatefulSetPatch", /apps\/v1:StatefulSetPatch is not a kind/],
        ["core/v1:SecretList", /core\/v1:SecretList is not a kind/],
        ["example.com/v1:Secret", /example.com\/v1:Secret is not a kind/],
        ["apiextensions.k8s.io/v1:CustomResourceDefinition", /changes the cluster's API/],
      ] as const
    ).map(([type, message]) => ({ by: `a ${type}`, change: object(type), message })),
    {
      by: "an item of a declared List",
      config: { "declared-kinds": { declared: ["kubernetes:core/v1:List"] } },
      change: add("kubernetes:core/v1:List", {
        items: [{ apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: metadata("first") }],
      }),
      message: /PriorityClass\/first: kubernetes:scheduling.k8s.io\/v1:PriorityClass/,
    },
    {
      by: "another kind in a ConfigMap's clothes",
      change: add("kubernetes:core/v1:ConfigMap", {
        apiVersion: "rbac.authorization.k8s.io/v1",
        metadata: metadata("added"),
      }),
      message: /registered as kubernetes:core\/v1:ConfigMap, but its apiVersion is "rbac/,
    },
    ...(
      [
        ["pulumi:pulumi:StackReference", /reads another stack's outputs/],
        ["pulumi-nodejs:dynamic:Resource", /pulumi-nodejs:dynamic:Resource is not a kind/],
        ["tls:index/privateKey:PrivateKey", /PrivateKey is not a kind/],
        ["example:index:Everything", /example:index:Everything is not a kind/],
      ] as const
    ).map(([type, message]) => ({ by: `a ${type}`, change: add(type, {}), message })),
  ],
  "declared-fields": [
    {
      by: "the superuser's password in the owner's Secret",
      change: set("Secret/postgres-secret", "stringData/SUPERUSER_PASSWORD", "hunter2hunter2hunter2"),
      message: /stringData\.SUPERUSER_PASSWORD is a field that is not declared for Secret\/postgres-secret/,
    },
    {
      by: "a preStop hook",
      change: set(SET, `${SERVER}/lifecycle`, { preStop: { exec: { command: ["kill", "-9", "1"] } } }),
      message:
        /spec\.template\.spec\.containers\[\]\.lifecycle\.preStop\.exec\.command\[\] is "1"[^]*"declared-fields": \{ "declared": \["StatefulSet\/postgres spec\.template/,
    },
    ...(
      [
        ["hostUsers", false],
        ["hostAliases", [{ ip: "203.0.113.1", hostnames: ["postgres"] }]],
        ["dnsConfig", { nameservers: ["203.0.113.1"] }],
        ["dnsPolicy", "None"],
        ["subdomain", "x"],
        ["shareProcessNamespace", true],
        ["runtimeClassName", "kata"],
        ["schedulerName", "other"],
        ["priorityClassName", "system-node-critical"],
        ["activeDeadlineSeconds", 60],
        ["serviceAccountName", "admin"],
        ["ephemeralContainers", [{ name: "debug" }]],
      ] as const
    ).map(([name, value]) => ({
      by: `the pod's ${name}`,
      change: set(SET, `${POD}/${name}`, value),
      message: new RegExp(`spec\\.template\\.spec\\.${name}.* not declared for StatefulSet/postgres`),
    })),
    {
      by: "a probe that kills without a shutdown",
      change: set(SET, `${SERVER}/livenessProbe/terminationGracePeriodSeconds`, 1),
      message: /livenessProbe\.terminationGracePeriodSeconds is 1/,
    },
    {
      by: "mount options",
      change: set(PV, "spec/mountOptions", ["nobarrier"]),
      message: /spec\.mountOptions\[\] is "nobarrier"/,
    },
    {
      by: "a volume made from a snapshot",
      change: set("PersistentVolumeClaim/postgres-pvc", "spec/dataSource", {
        kind: "VolumeSnapshot",
        name: "x",
      }),
      message: /spec\.dataSource\.kind/,
    },
    {
      by: "unready addresses",
      change: set("Service/postgres", "spec/publishNotReadyAddresses", true),
      message: /spec\.publishNotReadyAddresses is true/,
    },
    {
      by: "an update that deletes nothing",
      change: set(SET, "spec/updateStrategy", { type: "OnDelete" }),
      message: /spec\.updateStrategy\.type is "OnDelete"/,
    },
    {
      by: "another file",
      change: set(CONF, "data/postgresql.auto.conf", "port = 5432\n"),
      message: /data\["postgresql\.auto\.conf"\]/,
    },
    {
      by: "a service account's token",
      change: add("kubernetes:core/v1:Secret", {
        metadata: metadata("token"),
        type: "kubernetes.io/service-account-token",
      }),
      message: /type is "kubernetes.io\/service-account-token"/,
    },
    ...(
      [
        ["argocd.argoproj.io/sync-options", "Replace=true"],
        ["kustomize.toolkit.fluxcd.io/prune", "enabled"],
        ["helm.sh/hook", "pre-delete"],
        ["pulumi.com/deletionPropagationPolicy", "orphan"],
      ] as const
    ).map(([name, value]) => ({
      by: `the annotation ${name}`,
      change: set(PV, `metadata/annotations/${name.replace("/", "~1")}`, value),
      message: new RegExp(`metadata\\.annotations\\["${name}"\\] is "${value}"`),
    })),
    {
      by: "a finalizer",
      change: set(SET, "metadata/finalizers", ["example.com/x"]),
      message: /metadata\.finalizers/,
    },
    {
      by: "a password of one letter",
      change: set("RandomPassword/postgres-credentials-owner", "overrideSpecial", "a"),
      message: /RandomPassword\/postgres-credentials-owner: overrideSpecial/,
    },
    {
      by: "a Command's environment",
      change: add("command:local:Command", { create: "true", environment: { PATH: "/tmp" } }, { name: "c" }),
      message: /Command\/c: environment\.PATH/,
    },
    {
      by: "a kind of which no field is known",
      config: { "declared-kinds": { declared: ["kubernetes:example.com/v1:Thing"] } },
      change: object("example.com/v1:Thing", { spec: { a: { b: 1 } } }),
      message: /spec\.a is a field that is not declared for Thing\/added/,
    },
  ],
  "declared-providers": [
    {
      by: "deleteUnreachable",
      change: set("kubernetes/cluster", "deleteUnreachable", "true"),
      message:
        /deleteUnreachable, or its value, is not declared; it removes every object from the state[^]*"kubernetes cluster deleteUnreachable"/,
    },
    {
      by: "renderYamlToDirectory",
      change: set("kubernetes/cluster", "renderYamlToDirectory", "/tmp/out"),
      message: /writes every object into files, Secrets in plain text/,
    },
    {
      by: "objects that are not applied by the server",
      change: set("kubernetes/cluster", "enableServerSideApply", "false"),
      message: /the argument enableServerSideApply, or its value, is not declared/,
    },
    {
      by: "a plugin from elsewhere",
      change: add(
        "pulumi:providers:random",
        { pluginDownloadURL: "https://example.com" },
        { name: "default_4_21_2" },
      ),
      message: /Provider\/default_4_21_2: the argument pluginDownloadURL/,
    },
    {
      by: "a second provider",
      change: add("pulumi:providers:kubernetes", { context: "other" }, { name: "other" }),
      message: /Provider\/other: the argument context, or its value, is not declared/,
    },
    {
      by: "a kubeconfig's contents",
      change: set("kubernetes/cluster", "kubeconfig", "apiVersion: v1\nclusters: []\n"),
      message: /holds a kubeconfig itself/,
    },
  ],
  "declared-commands": [
    {
      by: "kubectl delete pv",
      change: add("command:local:Command", { create: "kubectl delete pv postgres-pv" }, { name: "cleanup" }),
      message:
        /Command\/cleanup: create runs a script that is not declared[^]*"declared-commands": \{ "declared": \["cleanup create sha256:[0-9a-f]{64}"\]/,
    },
    {
      by: "a declared name with another script",
      config: { "declared-commands": { declared: [`cleanup create sha256:${"0".repeat(64)}`] } },
      change: add("command:local:Command", { create: "rm -rf /" }, { name: "cleanup" }),
      message: /a script other than the declared one[^]*npm run policy -- --declare/,
    },
    {
      by: "a script that runs at the end",
      change: add("command:local:Command", { delete: "rm -rf /mnt/raid10" }, { name: "cleanup" }),
      message: /delete runs a script that is not declared/,
    },
    {
      by: "another interpreter",
      config: {
        "declared-commands": {
          declared: ["added create sha256:aa103b1a97e8dc074a8cebb32c0b81392e529237b8988e65aed32f07db96883d"],
        },
      },
      change: add("command:local:Command", {
        create: "ssh -o UserKnownHostsFile=known_hosts h true",
        interpreter: ["/tmp/sh", "-c"],
      }),
      message: /a script other than the declared one/,
    },
    {
      by: "a Command on the node",
      change: remoteCommand({ host: "h", hostKey: "ssh-ed25519 AAAA" }),
      message: /Command\/on-node: create runs a script/,
    },
  ],
  "declared-objects": [
    ...(
      [
        ["a Job", "batch/v1:Job", "Job/added in transcript-pipeline"],
        ["a CronJob", "batch/v1:CronJob", "CronJob/added in transcript-pipeline"],
        ["another StatefulSet", "apps/v1:StatefulSet", "StatefulSet/added in transcript-pipeline"],
        ["a volume", "core/v1:PersistentVolume", "PersistentVolume/added"],
        ["a Service", "core/v1:Service", "Service/added in transcript-pipeline"],
      ] as const
    ).map(([by, type, text]) => ({
      by,
      change: object(type),
      message: new RegExp(
        `${text} is not an object that this stack is declared to have[^]*"declared-objects": \\{ "declared": \\["${text}"\\] \\}`,
      ),
    })),
    {
      by: "a copy of the superuser's Secret in another namespace",
      change: add("kubernetes:core/v1:Secret", {
        metadata: { ...metadata("postgres-superuser"), namespace: "dev-team" },
      }),
      message: /Secret\/postgres-superuser in dev-team is not an object/,
    },
    {
      by: "the scripts moved to another namespace",
      change: set("ConfigMap/postgres-scripts", "metadata/namespace", "dev-team"),
      message: /ConfigMap\/postgres-scripts in dev-team is not an object/,
    },
    {
      by: "the namespace of K3s itself",
      change: add("kubernetes:core/v1:Namespace", { metadata: { name: "kube-system" } }),
      message: /Namespace\/kube-system is not an object/,
    },
    {
      by: "an item of a List",
      change: add("kubernetes:core/v1:ConfigMapList", { items: [{ metadata: metadata("item") }] }),
      config: { "declared-kinds": { declared: ["kubernetes:core/v1:ConfigMapList"] } },
      message: /ConfigMap\/item in transcript-pipeline is not an object/,
    },
  ],
  "one-registration": [
    {
      by: "a second postgres-secret",
      change: add(
        "kubernetes:core/v1:Secret",
        { metadata: metadata("postgres-secret") },
        { name: "another-logical-name" },
      ),
      message: /Secret\/postgres-secret is registered twice, as postgres-secret and as another-logical-name/,
    },
  ],
  "declared-images": [
    {
      by: "the same name at another registry",
      change: set(
        SET,
        `${SERVER}/image`,
        `example.com/pgvector/pgvector:0.8.6-pg16-bookworm@sha256:${"0".repeat(64)}`,
      ),
      message:
        /container postgres has an image from example.com\/pgvector\/pgvector, which is not declared[^]*"declared-images": \{ "declared": \["StatefulSet\/postgres postgres example.com\/pgvector\/pgvector"\] \}/,
    },
    {
      by: "a registry with a port, without a tag",
      change: set(JOB, `${INIT}/image`, "localhost:5000/pgvector/pgvector"),
      message: /init container bootstrap has an image from localhost:5000\/pgvector\/pgvector/,
    },
    {
      by: "the server's image in the migrations' place",
      change: set(JOB, `${POD}/containers/0/image`, "pgvector/pgvector:0.8.6-pg16-bookworm"),
      message: /container migrate has an image from pgvector\/pgvector, which is not declared/,
    },
  ],
  "declared-scripts": [
    {
      by: "a start without the checks",
      change: set("ConfigMap/postgres-scripts", "data/start-server.sh", "exec postgres -c fsync=off\n"),
      message:
        /data\["start-server.sh"\] is a script other than the declared one[^]*ConfigMap\/postgres-scripts start-server.sh sha256:[0-9a-f]{64}[^]*npm run policy -- --declare/,
    },
    {
      by: "SQL of the superuser's",
      change: set(
        "ConfigMap/postgres-init-bootstrap",
        "data/05-more.sql",
        "create role mallory superuser login;\n",
      ),
      message: /data\["05-more.sql"\] is a script that is not declared/,
    },
    {
      by: "a script by its first line",
      change: set(CONF, "data/sessions.conf", "#!/bin/sh\nreboot\n"),
      message: /data\["sessions.conf"\] is a script that is not declared/,
    },
    {
      by: "a script in binaryData",
      change: set("ConfigMap/postgres-scripts", "binaryData", { "more.sh": "cmVib290Cg==" }),
      message: /data\["more.sh"\] is a script that is not declared/,
    },
    {
      by: "privileges that are not taken away",
      change: drop("ConfigMap/postgres-init-bootstrap", "data/03-privileges.sql"),
      message: /data\["03-privileges.sql"\] is missing; the program puts it there/,
    },
  ],
  "declared-programs": [
    ...(
      [
        [SET, `${POD}/containers/1`, "reconcile"],
        [JOB, `${POD}/initContainers/0`, "bootstrap"],
      ] as const
    ).map(([workload, at, name]) => ({
      by: `no container ${name}`,
      change: drop(workload, at),
      message: new RegExp(`there is no container ${name}`),
    })),
    {
      by: "a preStop that kills the server",
      change: set(SET, `${SERVER}/lifecycle`, { preStop: { exec: { command: ["kill", "-9", "1"] } } }),
      message:
        /container postgres: preStop is not declared; it runs before the container is told to stop[^]*"declared-programs": \{ "declared": \["StatefulSet\/postgres postgres preStop sha256:/,
    },
    {
      by: "a preStop that waits out the grace period",
      change: set(SET, `${SERVER}/lifecycle`, { preStop: { sleep: { seconds: 3600 } } }),
      message: /container postgres: preStop is not declared/,
    },
    {
      by: "a password in args",
      config: DEPLOYMENT,
      change: workload("Deployment", (body) =>
        setAt(body, `${POD}/containers/0/args`, ["serve", "hunter2hunter2"]),
      ),
      message:
        /Deployment\/added: container api: args is not declared; anyone who may look at pods can read it/,
    },
    {
      by: "one more container next to the server",
      change: edit(SET, ({ inputs }) =>
        setAt(inputs, `${POD}/containers/2`, { ...decentContainer(), name: "spy" }),
      ),
      message: /container spy runs its image's own program, which is not declared for StatefulSet\/postgres/,
    },
    {
      by: "the server's script left out",
      change: drop(SET, `${SERVER}/command`),
      message: /container postgres runs its image's own program/,
    },
    {
      by: "settings on the command line",
      change: set(SET, `${SERVER}/args`, ["-c", "fsync=off", "-F"]),
      message: /container postgres: args is not declared/,
    },
    {
      by: "a probe that stops the server",
      change: set(SET, `${SERVER}/readinessProbe/exec/command`, ["pg_ctl", "stop", "-m", "immediate"]),
      message: /: readinessProbe is not declared; it decides when clients/,
    },
    {
      by: "another script",
      change: set(JOB, `${INIT}/command`, ["bash", "-c", "psql -c 'drop database transcripts_db'"]),
      message: /Job\/postgres-init: container bootstrap: command is not declared/,
    },
  ],
  "declared-environment": [
    {
      by: "another project's data",
      change: set(SET, `${SERVER}/env/2/value`, "other/prod"),
      message: /has the variable IDENTITY, which is not declared, or not with this value/,
    },
    {
      by: "PGDATA a second time",
      change: env({ name: "PGDATA", value: "/var/lib/postgresql/data/other" }),
      message: /container postgres has PGDATA twice in env; the last one counts/,
    },
    {
      by: "another directory",
      change: set(SET, `${SERVER}/env/1/value`, "/var/lib/postgresql/data/other"),
      message:
        /the variable PGDATA, which is not declared, or not with this value[^]*"StatefulSet\/postgres postgres PGDATA"/,
    },
    {
      by: "PGOPTIONS",
      change: set(JOB, `${INIT}/env/5`, { name: "PGOPTIONS", value: "-c fsync=off" }),
      message: /init container bootstrap has the variable PGOPTIONS/,
    },
    {
      by: "LD_PRELOAD",
      change: set(SET, `${SIDECAR}/env`, [{ name: "LD_PRELOAD", value: "/tmp/x.so" }]),
      message: /container reconcile has the variable LD_PRELOAD/,
    },
    {
      by: "envFrom",
      change: set(SET, `${SERVER}/envFrom`, [{ secretRef: { name: "postgres-superuser" } }]),
      message: /takes its environment from envFrom[^]*all from secret postgres-superuser/,
    },
    {
      by: "another workload's look at the superuser",
      config: DEPLOYMENT,
      change: workload("Deployment", (body) =>
        setAt(body, `${POD}/containers/0/env`, [
          {
            name: "PASSWORD",
            valueFrom: { secretKeyRef: { name: "postgres-superuser", key: "POSTGRES_PASSWORD" } },
          },
        ]),
      ),
      message: /has PASSWORD from secret postgres-superuser[^]*Deployment\/added api PASSWORD from secret/,
    },
    ...[
      "NODE_OPTIONS LUA_INIT JDK_JAVA_OPTIONS DOTNET_STARTUP_HOOKS ASPNETCORE_HOSTINGSTARTUPASSEMBLIES",
      "CORECLR_PROFILER_PATH COR_ENABLE_PROFILING GUNICORN_CMD_ARGS BUN_OPTIONS DENO_CERT ERL_AFLAGS R_PROFILE",
      "ELIXIR_ERL_OPTIONS JULIA_LOAD_PATH CLASSPATH JAVA_OPTS CATALINA_OPTS MAVEN_OPTS GOFLAGS GODEBUG",
      "OPENSSL_MODULES PHPRC PHP_INI_SCAN_DIR PSQLRC PSQL_PAGER PGOPTIONS PGSERVICEFILE PGPASSFILE PGHOSTADDR",
      "LESSOPEN PAGER PROMPT_COMMAND ZDOTDIR CURL_HOME REQUESTS_CA_BUNDLE PIP_INDEX_URL npm_config_registry",
      "NPM_CONFIG_PREFIX HOSTALIASES RES_OPTIONS LOCALDOMAIN TMPDIR LD_AUDIT DYLD_INSERT_LIBRARIES NLSPATH",
      "TERMINFO GLOBIGNORE CDPATH EDITOR KRB5_CONFIG UV_INDEX_URL COMPlus_EnableDiagnostics BASH_FUNC_ls%%",
    ]
      .flatMap((names) => names.split(" "))
      .map((name) => ({
        by: `another workload's ${name}`,
        config: DEPLOYMENT,
        change: workload("Deployment", (body) =>
          setAt(body, `${POD}/containers/0/env`, [{ name, value: "/tmp/x" }]),
        ),
        message: new RegExp(`has ${name}, which steers what its program does`),
      })),
  ],
  "declared-mounts": [
    {
      by: "a volume on /",
      change: mount(EMPTY, "/"),
      message:
        /container postgres mounts emptyDir more on \/, which is not declared; it covers \/etc\/postgresql\/[^]*"declared-mounts": \{ "declared": \["StatefulSet\/postgres postgres \/ emptyDir more"\]/,
    },
    ...BACKUPS.flatMap(([subject, pod]) =>
      [
        ["the superuser's Secret", { secret: { secretName: "postgres-superuser" } }, "/etc/credentials"],
        ["a directory of the node", { hostPath: { path: "/etc" } }, "/node"],
      ].map(([what, source, path]) => ({
        by: `${what as string} in ${subject}`,
        stack: "dev" as const,
        change: edit(subject, ({ inputs }) => {
          setAt(inputs, `${pod}/volumes/10`, { name: "more", ...(source as object) });
          setAt(inputs, `${pod}/containers/0/volumeMounts/10`, { name: "more", mountPath: path });
        }),
        message: new RegExp(`container \\w+ mounts .* on ${path as string}, which is not declared`),
      })),
    ),
    {
      by: "a volume on /tmp/pgdata",
      change: mount(EMPTY, "/tmp/pgdata"),
      message: /on \/tmp\/pgdata, which/,
    },
    {
      by: "another claim than the protected one",
      change: set(SET, `${POD}/volumes/0/persistentVolumeClaim/claimName`, "other"),
      message: /mounts persistentVolumeClaim other on \/var\/lib\/postgresql\/data/,
    },
    {
      by: "an image volume",
      change: mount({ image: { reference: "example.com/x:1" } }, "/usr/local/lib/x"),
      message: /mounts image reference="example.com\/x:1"/,
    },
    {
      by: "an image volume that nothing mounts yet",
      change: set(SET, `${POD}/volumes/10`, { name: "more", image: { reference: "example.com/x:1" } }),
      message: /volume more is of type image, which is not declared/,
    },
    {
      by: "a volume over the configuration",
      change: mount({ configMap: { name: "other" } }, "/etc/postgresql/conf.d"),
      message: /configMap other on \/etc\/postgresql\/conf\.d/,
    },
    {
      by: "a part of the volume",
      change: set(SET, `${SERVER}/volumeMounts/0/subPath`, "old"),
      message: /persistentVolumeClaim postgres-pvc subPath="old"/,
    },
    {
      by: "mounts that spread to the node",
      change: set(SET, `${SERVER}/volumeMounts/0/mountPropagation`, "Bidirectional"),
      message: /mountPropagation="Bidirectional"/,
    },
    {
      by: "the superuser's Secret in another container",
      change: edit(SET, ({ inputs }) =>
        setAt(inputs, `${SERVER}/volumeMounts/6`, { name: "superuser-credentials", mountPath: "/s" }),
      ),
      message: /mounts secret postgres-superuser on \/s/,
    },
    {
      by: "the superuser's Secret in another workload",
      config: DEPLOYMENT,
      change: workload("Deployment", (body) => {
        setAt(body, `${POD}/volumes`, [
          { name: "s", secret: { secretName: "postgres-superuser", defaultMode: 0o400 } },
        ]);
        setAt(body, `${POD}/containers/0/volumeMounts`, [{ name: "s", mountPath: "/s" }]);
      }),
      message: /Deployment\/added: container api mounts secret postgres-superuser on \/s/,
    },
    {
      by: "other files under the declared names",
      change: set(SET, `${POD}/volumes/1/configMap/items`, [{ key: "x", path: "postgresql.conf" }]),
      message: /configMap postgres-config items=x:postgresql\.conf/,
    },
    {
      by: "a Job that may write to the data",
      change: edit(JOB, ({ inputs }) => {
        setAt(inputs, `${POD}/volumes/6`, {
          name: "data",
          persistentVolumeClaim: { claimName: "postgres-pvc" },
        });
        setAt(inputs, `${INIT}/volumeMounts/4`, { name: "data", mountPath: "/var/lib/postgresql/data" });
      }),
      message: /init container bootstrap mounts persistentVolumeClaim postgres-pvc/,
    },
    ...["nfs", "csi", "hostPath"].map((type) => ({
      by: `a volume of type ${type}`,
      change: mount({ [type]: { path: "/" } }, "/mnt"),
      message: new RegExp(`mounts ${type} path="/" on /mnt`),
    })),
  ],
  "declared-settings": [
    ...(
      [
        ["include = '/tmp/x.conf'", /takes settings from a file that no rule sees/],
        ["INCLUDE_DIR '/tmp'", /takes settings from a file that no rule sees/],
        [
          "data_directory = '/tmp/pg'",
          /sets data_directory to '\/tmp\/pg', which makes the server read or write/,
        ],
        ["hba_file = '/tmp/hba'", /sets hba_file to '\/tmp\/hba'/],
        ["autovacuum = off", /sets autovacuum to 'off', which weakens/],
        ["Autovacuum off", /sets autovacuum to 'off'/],
        [
          "log_statement = all",
          /sets log_statement to 'all', which writes statements to the log, including passwords/,
        ],
        ["log_min_duration_statement = 0", /writes statements to the log/],
        ["archive_command = 'cp %p /tmp'", /makes the server run a program/],
        ...["push %f 10; cp %p /tmp", "push %f 999", "push %p 10", "get %f 10", "push %f 10 && true"].map(
          (words): [string, RegExp] => [
            `archive_command = 'bash /usr/local/lib/transcript-pipeline-backup/pgbackrest-wal.sh ${words}'`,
            /makes the server run a program/,
          ],
        ),
        ["archive_command = 'bash /tmp/pgbackrest-wal.sh push %f 10'", /makes the server run a program/],
        ["archive_mode = always", /sets archive_mode to 'always'/],
        ["session_preload_libraries = 'x'", /load a library/],
        ["fsync = 'o\\146f'", /sets fsync to 'off'/],
        ["full_page_writes 'no'", /sets full_page_writes to 'no'/],
        ["unix_socket_directories = '/tmp'", /sets unix_socket_directories/],
        ["allow_system_table_mods = on", /opens what the server keeps closed/],
        ["pg_stat_statements.track_utility = on", /pg_stat_statements\.track_utility/],
        ["search_path = 'public, pg_catalog'", /sets search_path/],
        ["autovacuum_naptime = 2147483", /sets autovacuum_naptime/],
        ["search_path = 'evil, public, extensions'", /sets search_path to 'evil/],
        [
          "log_min_error_statement = error",
          /sets log_min_error_statement to 'error', which writes statements/,
        ],
        [
          "autovacuum_vacuum_threshold = 2147483647",
          /keeps vacuum from its work[^]*; 0 to 100000 needs no declaration/,
        ],
        ["autovacuum_vacuum_cost_delay = '0.1 s'", /; 0 to 20 x ms, or -1 needs no declaration/],
        [
          "checkpoint_timeout = 1d",
          /lets the server fill its volume, or recover for hours; 30 to 3600 x s needs/,
        ],
        ["temp_file_limit = -1", /lets the server fill its volume/],
        ["max_connections = 100000", /takes memory at the start/],
        ["max_connections = ten", /sets max_connections to 'ten'/],
        ["dynamic_shared_memory_type = mmap", /can keep the server from starting/],
        ["statement_timeout = 1", /interrupts clients/],
        ["hnsw.ef_search = 1", /changes the results of queries/],
        ["track_activities = off", /hides what the server does/],
        ["made_up = 1", /which the pack does not know as a setting of PostgreSQL 16/],
        ["made.up = 1", /which the pack does not know/],
        ["not a line = of it = x", /which cannot be read/],
      ] as const
    ).map(([text, message]) => ({ by: text, change: line("postgresql.conf", text), message })),
    ...[
      "owner log_statement all",
      "readonly role postgres",
      "owner connections -1",
      "owner lock_timeout 1d",
    ].map((text) => ({
      by: `of sessions: ${text}`,
      change: line("sessions.conf", text),
      message: new RegExp(`the line "${text}", which is not a limit of a role's sessions[^]*"${text}"`),
    })),
    {
      by: "of sessions: half a line",
      change: line("sessions.conf", "owner connections"),
      message: /data\["sessions.conf"\] has the line "owner connections", which cannot be read/,
    },
    {
      by: "the command line",
      change: set(SET, `${SERVER}/args`, ["-c", "autovacuum=off"]),
      message: /the command line of container postgres sets autovacuum to 'off'/,
    },
  ],
  "declared-rights": [
    {
      by: "a Role that reads Secrets",
      config: RBAC,
      change: rbac("Role", { rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "list"] }] }),
      message:
        /it grants "get secrets", which is not declared; that reads or replaces the database's passwords[^]*"Role\/added get secrets"/,
    },
    {
      by: "a Role that creates pods/exec",
      config: RBAC,
      change: rbac("Role", { rules: [{ apiGroups: [""], resources: ["pods/exec"], verbs: ["create"] }] }),
      message: /"create pods\/exec", which is not declared; that is a shell in the server's container/,
    },
    {
      by: "every right",
      config: RBAC,
      change: rbac("ClusterRole", { rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }] }),
      message: /that is every right that exists/,
    },
    {
      by: "rights of other roles",
      config: RBAC,
      change: rbac("ClusterRole", { rules: [], aggregationRule: { clusterRoleSelectors: [{}] } }),
      message: /gathers the rights of other roles/,
    },
    {
      by: "making pods",
      config: RBAC,
      change: rbac("Role", { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["create"] }] }),
      message: /can run a pod with any Secret mounted/,
    },
    {
      by: "a binding to cluster-admin",
      config: RBAC,
      change: rbac("ClusterRoleBinding", {
        roleRef: { kind: "ClusterRole", name: "cluster-admin" },
        subjects: [{ kind: "ServiceAccount", name: "default", namespace: "transcript-pipeline" }],
      }),
      message: /gives ClusterRole\/cluster-admin to ServiceAccount\/default of transcript-pipeline/,
    },
  ],
  "one-backend": [
    {
      by: "a Deployment labelled as the server",
      config: DEPLOYMENT,
      change: add(
        "kubernetes:apps/v1:Deployment",
        ((body) => {
          setAt(body, "spec/template/metadata/labels/app", "postgres");
          return body;
        })(decentDeployment("proxy")),
      ),
      message:
        /Deployment\/proxy: its pods have the labels that Service\/postgres selects, so the server's clients are sent to them/,
    },
    {
      by: "a Service that leads elsewhere by the database's port",
      change: service({ selector: { app: "proxy" }, ports: [{ port: 5432 }] }),
      message: /Service\/added: it leads to the database, or has its port/,
    },
    {
      by: "one more port of the server's Service",
      change: set("Service/postgres", "spec/ports/1", { name: "x", port: 22, targetPort: 22 }),
      message: /Service\/postgres: its port 22 leads to 22, where no server of the stack listens/,
    },
    {
      by: "the server's Service on other pods",
      change: set("Service/postgres", "spec/selector", { app: "proxy" }),
      message: /Service\/postgres: it selects none of the stack's servers/,
    },
    {
      by: "the server's Service without a selector",
      change: drop("Service/postgres", "spec/selector"),
      message: /Service\/postgres: it selects none of the stack's servers/,
    },
    {
      by: "a second Service on the server",
      change: service({ selector: { app: "postgres" }, ports: [{ port: 80 }] }),
      message: /Service\/added: it leads to the database/,
    },
  ],
  "claim-of-stack": [
    {
      by: "another claim than the protected one",
      change: set(SET, `${POD}/volumes/0/persistentVolumeClaim/claimName`, "other"),
      message:
        /its data is on the claim "other", which is not one of the stack's in its namespace: postgres-pvc/,
    },
    {
      by: "a server in another namespace",
      change: set(SET, "metadata/namespace", "other"),
      message: /not one of the stack's in its namespace/,
    },
    {
      by: "a claim on another volume",
      change: set("PersistentVolumeClaim/postgres-pvc", "spec/volumeName", "other"),
      message: /is for the volume "other", which is not in the stack/,
    },
    {
      by: "a volume that is reserved for another claim",
      change: set(PV, "spec/claimRef/name", "other"),
      message: /PersistentVolume\/postgres-pv is reserved for the claim transcript-pipeline\/other/,
    },
    {
      by: "a volume that is reserved for another namespace's claim",
      change: set(PV, "spec/claimRef/namespace", "other"),
      message: /is reserved for the claim other\/postgres-pvc/,
    },
  ],
  "volume-place": [
    ...[
      ...[
        "/",
        "/tmp/pgdata",
        "/run/pg",
        "/etc",
        "/mnt/../dev/shm",
        "/mnt",
        "/mnt/",
        "/home/anna",
        "/var/lib/etcd/x",
      ],
      ...[
        "/opt/cni/bin",
        "/var/spool/cron",
        "/root/.ssh",
        "/home/anna/.kube",
        "/nix/store",
        "mnt/raid10",
        "../x",
      ],
    ].map((path) => ({
      by: path,
      change: set(PV, "spec/hostPath/path", path),
      message: /spec\.hostPath\.path is/,
    })),
    {
      by: "a local volume in memory",
      change: (all: Parameters<Change>[0]) => {
        drop(PV, "spec/hostPath")(all);
        set(PV, "spec/local", { path: "/dev/shm/pg" })(all);
      },
      message: /spec\.local\.path is "\/dev\/shm\/pg"/,
    },
  ],
  "identity-map": [
    ...(
      [
        ["server_pod /^(.*)$ \\1", /lets one user connect under any number of names[^]*"identity-map"/],
        ["server_pod postgres all", /under any number of names/],
        ["server_pod postgres +everybody", /under any number of names/],
        ["server_pod root postgres", /whose map or system user is not declared/],
        ["other postgres postgres", /whose map or system user is not declared/],
        ["server_pod @/tmp/names postgres", /from a file that no rule sees/],
        ["include /tmp/ident", /from a file that no rule sees/],
        ["server_pod postgres", /which cannot be read/],
      ] as const
    ).map(([text, message]) => ({ by: text, change: line("pg_ident.conf", text), message })),
  ],
};
