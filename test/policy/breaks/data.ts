/** Ways to break the rules over the data: its volume, its claim, and the settings that keep it. */
import { UNKNOWN } from "../../../policy/values.ts";
import { type Break, CONF, PV, PVC, SET, POD, SERVER, conf, service } from "./break.ts";
import { add, drop, edit, metadata, set, setAt } from "../stacks.ts";

/** A volume of the node, next to the data's. */
const volumeAt = (path: string) =>
  add("kubernetes:core/v1:PersistentVolume", {
    metadata: metadata("other"),
    spec: { hostPath: { path, type: "Directory" } },
  });

const DRILL = "CronJob/postgres-backup-drill";
const DRILL_POD = "spec/jobTemplate/spec/template/spec";

/** What is at a path of an object. */
const at = (inputs: unknown, path: string) =>
  path.split("/").reduce((value: unknown, key) => (value as Record<string, unknown>)[key], inputs);

/** Another value for a variable of the init containers of a pod. */
const environmentOf = (subject: string, pod: string, name: string, value: string) =>
  edit(subject, ({ inputs }) => {
    for (const container of at(inputs, `${pod}/initContainers`) as {
      env?: { name: string; value: string }[];
    }[])
      for (const entry of container.env ?? []) if (entry.name === name) entry.value = value;
  });

/** Another value for a field of the mount of the scratch space. */
const scratch = (name: string, value: unknown) =>
  edit(DRILL, ({ inputs }) => {
    const mounts = at(inputs, `${DRILL_POD}/containers/0/volumeMounts`) as Record<string, unknown>[];
    for (const mount of mounts) {
      if (mount.mountPath !== "/scratch") continue;
      if (value === undefined) delete mount[name];
      else mount[name] = value;
    }
  });

/** Of the drill, which the stack `prod`, as it is committed, does not have. */
const restoredCopyBreaks: readonly Break[] = (
  [
    {
      by: "two runs at once",
      change: set(DRILL, "spec/concurrencyPolicy", "Allow"),
      message: /CronJob\/postgres-backup-drill: [^]*spec\.concurrencyPolicy is "Allow"/,
    },
    {
      by: "a run that takes the place of the one before, in the middle of it",
      change: set(DRILL, "spec/concurrencyPolicy", "Replace"),
      message: /spec\.concurrencyPolicy is "Replace"/,
    },
    {
      by: "saying nothing of runs at once",
      change: drop(DRILL, "spec/concurrencyPolicy"),
      message: /spec\.concurrencyPolicy is missing/,
    },
    ...["parallelism", "completions"].map((name) => ({
      by: `${name} of 2`,
      change: set(DRILL, `spec/jobTemplate/spec/${name}`, 2),
      message: new RegExp(`spec\\.jobTemplate\\.spec\\.${name} is 2: they restore into one place`),
    })),
    {
      by: "a number of pods that depends on a resource",
      change: set("Job/postgres-backup-first", "spec/parallelism", UNKNOWN),
      message: /Job\/postgres-backup-first: [^]*spec\.parallelism is /,
    },
    {
      by: "a copy that runs on",
      change: edit(DRILL, (resource) => {
        resource.type = "kubernetes:apps/v1:Deployment";
        resource.inputs = {
          ...resource.inputs,
          kind: "Deployment",
          apiVersion: "apps/v1",
          spec: {
            replicas: 1,
            template: (resource.inputs.spec as { jobTemplate: { spec: { template: unknown } } }).jobTemplate
              .spec.template,
          },
        };
      }),
      message: /it is a Deployment: what it has restored runs on/,
    },
    {
      by: "the server's own label",
      change: set(DRILL, "spec/jobTemplate/spec/template/metadata/labels/app", "postgres"),
      message: /Service\/postgres may select it: clients would write into the copy/,
    },
    {
      by: "labels that depend on a resource",
      change: set(DRILL, "spec/jobTemplate/spec/template/metadata/labels", UNKNOWN),
      message: /Service\/postgres may select it/,
    },
    {
      by: "a Service for it",
      change: service({ selector: { "app.kubernetes.io/component": "backup" }, ports: [{ port: 80 }] }),
      message: /Service\/added may select it/,
    },
    {
      by: "restoring into the data directory",
      change: environmentOf(DRILL, DRILL_POD, "PGBACKREST_PG1_PATH", "/var/lib/postgresql/data/pgdata"),
      message:
        /sidecar container agent: PGBACKREST_PG1_PATH \/var\/lib\/postgresql\/data\/pgdata is in the server's data/,
    },
    {
      by: "restoring into a directory in it, written in another way",
      change: environmentOf(
        "Job/postgres-backup-first",
        POD,
        "PGBACKREST_PG1_PATH",
        "/var/lib/postgresql/data/drill/../pgdata/base",
      ),
      message: /pgdata\/base is in the server's data/,
    },
    {
      by: "restoring over the whole volume",
      change: environmentOf(DRILL, DRILL_POD, "PGBACKREST_PG1_PATH", "/var/lib/postgresql/data"),
      message: /is in the server's data, or above it/,
    },
    {
      by: "scratch space that is the data directory",
      change: scratch("subPath", "pgdata"),
      message: /container drill: its writable mount \/scratch is in the server's data/,
    },
    {
      by: "scratch space that is the whole volume",
      change: scratch("subPath", undefined),
      message: /container drill: its writable mount \/scratch is in the server's data, or above it/,
    },
    {
      by: "the server's configuration, which archives",
      change: edit(DRILL, ({ inputs }) => {
        const volumes = at(inputs, `${DRILL_POD}/volumes`) as unknown[];
        volumes.push({ name: "config", configMap: { name: "postgres-config" } });
      }),
      message: /it mounts postgresql\.conf of ConfigMap\/postgres-config, which archives/,
    },
    {
      by: "archiving by the command line",
      change: edit(DRILL, ({ inputs }) => {
        const drill = at(inputs, `${DRILL_POD}/containers/0`) as Record<string, unknown>;
        drill.args = ["postgres", "-c", "archive_mode=on"];
      }),
      message: /container drill is started with archive_mode/,
    },
  ] as Break[]
).map((way) => ({ ...way, stack: "dev" }));

export const dataBreaks: Readonly<Record<string, readonly Break[]>> = {
  "backup-elsewhere": [
    {
      by: "the data's directory, for another volume",
      change: volumeAt("/mnt/raid10/transcript-pipeline/pgdata"),
      message: /PersistentVolume\/other: [^]*are not apart/,
    },
    {
      by: "a directory in the data's",
      change: volumeAt("/mnt/raid10/transcript-pipeline/pgdata/backup"),
      message:
        /pgdata\/backup\/ and \/mnt\/raid10\/transcript-pipeline\/pgdata\/ of PersistentVolume\/postgres-pv are not apart/,
    },
    {
      by: "a directory above the data's, written in another way",
      change: volumeAt("/mnt//raid10/./transcript-pipeline"),
      message: /its directory \/mnt\/raid10\/transcript-pipeline\/ and/,
    },
    {
      by: "backups on the data's volume only",
      stack: "dev",
      config: { "backup-elsewhere": { besideData: false } },
      change: () => undefined,
      message:
        /StatefulSet\/postgres-backup: [^]*its only repository on the data's own volume[^]*\/var\/lib\/postgresql\/data\/backup/,
    },
    {
      by: "backups on no volume at all",
      stack: "dev",
      config: { "backup-elsewhere": { besideData: false } },
      change: edit("ConfigMap/postgres-backup-config", ({ inputs }) =>
        setAt(inputs, "data/pgbackrest.conf", "[global]\nrepo1-path=/tmp/backup\nrepo2-type = posix\n"),
      ),
      message:
        /all its repositories on the data's own volume, or on none: \/tmp\/backup, \/var\/lib\/pgbackrest/,
    },
  ],
  "volume-retained": [
    {
      by: "writing Delete",
      change: set(PV, "spec/persistentVolumeReclaimPolicy", "Delete"),
      message: /is "Delete"; its data is deleted[^]*Instead: spec.persistentVolumeReclaimPolicy: "Retain"/,
    },
    { by: "leaving it out", change: drop(PV, "spec/persistentVolumeReclaimPolicy"), message: /is missing/ },
    {
      by: "making it depend on a resource",
      change: set(PV, "spec/persistentVolumeReclaimPolicy", UNKNOWN),
      message: /not known before the deployment/,
    },
    {
      by: "a CSI volume that deletes",
      change: add("kubernetes:core/v1:PersistentVolume", {
        metadata: metadata("csi"),
        spec: { csi: { driver: "d", volumeHandle: "h" }, persistentVolumeReclaimPolicy: "Delete" },
      }),
      message: /PersistentVolume\/csi.*Delete/,
    },
    {
      by: "a StorageClass without a policy",
      change: add("kubernetes:storage.k8s.io/v1:StorageClass", {
        metadata: metadata("fast"),
        provisioner: "p",
      }),
      message: /StorageClass\/fast: reclaimPolicy is missing/,
    },
    {
      by: "a PersistentVolumePatch",
      change: add("kubernetes:core/v1:PersistentVolumePatch", {
        metadata: metadata("p"),
        spec: { persistentVolumeReclaimPolicy: "Delete" },
      }),
      message: /PersistentVolume\/p.*Delete/,
    },
    {
      by: "a PersistentVolumeList",
      change: add("kubernetes:core/v1:PersistentVolumeList", {
        items: [{ metadata: metadata("l"), spec: { persistentVolumeReclaimPolicy: "Recycle" } }],
      }),
      message: /PersistentVolume\/l.*Recycle/,
    },
    {
      by: "a List that is not known",
      change: add("kubernetes:core/v1:PersistentVolumeList", { items: UNKNOWN }),
      message: /not known before the deployment/,
    },
  ],
  "claim-on-retained-volume": [
    {
      by: "K3s's default class",
      change: drop(PVC, "spec/storageClassName"),
      message: /storageClassName is missing; the class creates a volume of its own/,
    },
    { by: "another class", change: set(PVC, "spec/storageClassName", "local-path"), message: /local-path/ },
    { by: "naming no volume", change: drop(PVC, "spec/volumeName"), message: /volumeName is missing/ },
    {
      by: "a claim template of such a class",
      change: set(SET, "spec/volumeClaimTemplates", [
        { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"] } },
      ]),
      message: /volumeClaimTemplates\[0\]/,
    },
    {
      by: "an ephemeral claim",
      change: edit(SET, ({ inputs }) => setAt(inputs, `${POD}/volumes/0`, { name: "data", ephemeral: {} })),
      message: /volume data is an ephemeral claim/,
    },
  ],
  "volume-pinned": [
    {
      by: "dropping the affinity",
      change: drop(PV, "spec/nodeAffinity"),
      message: /allows every node, not only gen8/,
    },
    {
      by: "merely preferring the node",
      change: edit(PV, ({ inputs }) => {
        const spec = inputs.spec as Record<string, Record<string, unknown>>;
        spec.nodeAffinity = { preferred: spec.nodeAffinity?.required };
      }),
      message: /allows every node/,
    },
    {
      by: "another node",
      change: set(PV, "spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/values", ["rack2"]),
      message: /allows "rack2"[^]*"gen8"/,
    },
    {
      by: "two nodes",
      change: set(PV, "spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/values", [
        "gen8",
        "rack2",
      ]),
      message: /"gen8", "rack2"/,
    },
    {
      by: "NotIn",
      change: set(PV, "spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/operator", "NotIn"),
      message: /allows every node/,
    },
    {
      by: "an alternative term",
      change: set(PV, "spec/nodeAffinity/required/nodeSelectorTerms/1", {
        matchExpressions: [{ key: "gpu", operator: "Exists" }],
      }),
      message: /allows every node/,
    },
    {
      by: "no node in dev either",
      stack: "dev",
      change: drop(PV, "spec/nodeAffinity"),
      message: /not only one node/,
    },
  ],
  "volume-reserved": [
    {
      by: "no claimRef",
      change: drop(PV, "spec/claimRef"),
      message: /claimRef has no kind and no namespace and no name/,
    },
    {
      by: "a claimRef without a namespace",
      change: drop(PV, "spec/claimRef/namespace"),
      message: /claimRef has no namespace/,
    },
    {
      by: "many writers on the volume",
      change: set(PV, "spec/accessModes", ["ReadWriteMany"]),
      message: /ReadWriteMany/,
    },
    {
      by: "many writers on the claim",
      change: set(PVC, "spec/accessModes", ["ReadWriteOnce", "ReadWriteMany"]),
      message: /pods on several nodes could write/,
    },
  ],
  "data-protected": [
    PV,
    PVC,
    "RandomPassword/postgres-credentials-owner",
    "RandomPassword/postgres-credentials-superuser",
  ].map((subject) => ({
    by: `leaving ${subject} unprotected`,
    change: edit(subject, (resource) => {
      resource.protect = false;
    }),
    message: /the option protect is not set[^]*storage\.protect/,
  })),
  "claims-kept": [
    {
      by: "deleting them with the set",
      change: set(SET, "spec/persistentVolumeClaimRetentionPolicy", { whenDeleted: "Delete" }),
      message: /whenDeleted is "Delete"/,
    },
    {
      by: "deleting them when scaled",
      change: set(SET, "spec/persistentVolumeClaimRetentionPolicy", {
        whenScaled: "Delete",
        whenDeleted: "Retain",
      }),
      message: /whenScaled is "Delete"/,
    },
    {
      by: "hiding the policy",
      change: set(SET, "spec/persistentVolumeClaimRetentionPolicy", UNKNOWN),
      message: /not known before/,
    },
  ],
  "data-directory-on-claim": [
    {
      by: "an emptyDir",
      change: set(SET, `${POD}/volumes/0`, { name: "data", emptyDir: { sizeLimit: "1Gi" } }),
      message:
        /data directory \/var\/lib\/postgresql\/data\/pgdata in volume data, a volume of type emptyDir/,
    },
    { by: "no mount", change: drop(SET, `${SERVER}/volumeMounts/0`), message: /in no volume at all/ },
    {
      by: "PGDATA a second time, outside the mount",
      change: set(SET, `${SERVER}/env/3`, { name: "PGDATA", value: "/pgdata" }),
      message: /\/pgdata in no volume/,
    },
    {
      by: "PGDATA outside the mount, by way of it",
      change: set(SET, `${SERVER}/env/1/value`, "/var/lib/postgresql/data/../../../../pgdata"),
      message: /\/pgdata in no volume/,
    },
    {
      by: "PGDATA outside the mount",
      change: set(SET, `${SERVER}/env/1/value`, "/pgdata"),
      message: /\/pgdata in no volume/,
    },
    {
      by: "an emptyDir mounted over it",
      change: set(SET, `${SERVER}/volumeMounts/6`, {
        name: "tmp",
        mountPath: "/var/lib/postgresql/data/pgdata",
      }),
      message: /in volume tmp, a volume of type emptyDir/,
    },
    {
      by: "a volume that is not there",
      change: drop(SET, `${POD}/volumes/0`),
      message: /which the pod does not have/,
    },
  ],
  "one-writer": [
    {
      by: "two replicas",
      change: set(SET, "spec/replicas", 2),
      message: /spec.replicas is 2, and all of them mount the same claim/,
    },
    {
      by: "a Deployment",
      change: edit(SET, (resource) => {
        resource.type = "kubernetes:apps/v1:Deployment";
        resource.inputs.kind = "Deployment";
      }),
      message: /run by a Deployment/,
    },
  ],
  "restored-copy": restoredCopyBreaks,
  "durable-settings": [
    ...[
      "fsync = off",
      "full_page_writes = 'off'",
      "synchronous_commit off",
      "zero_damaged_pages = on",
      "FSYNC = FALSE",
    ].map((line) => ({
      by: line,
      change: conf("postgresql.conf", (text) => `${text}${line}\n`),
      message: /postgresql\.conf"\] sets/,
    })),
    {
      by: "the command line",
      change: set(SET, `${SERVER}/args`, ["-c", "fsync=off"]),
      message: /command line of container postgres sets fsync to off/,
    },
  ],
  "kept-settings": [
    ...["postgresql.conf", "pg_hba.conf", "pg_ident.conf", "sessions.conf"].flatMap((file) => [
      {
        by: `no ${file}`,
        change: drop(CONF, `data/${file}`),
        message: new RegExp(`data\\["${file}"\\] is missing: .*\n.*${file} as the program writes it`),
      },
      {
        by: `a ${file} of comments`,
        change: set(CONF, `data/${file}`, "\n# nothing\n"),
        message: new RegExp(`data\\["${file}"\\] has no line`),
      },
    ]),
    ...(
      [
        ["hba_file", /does not set hba_file: the data directory's pg_hba\.conf decides who may connect/],
        ["log_min_error_statement", /failed statements are written to the log, including passwords/],
        ["temp_file_limit", /one query can fill the volume/],
        ["pg_stat_statements.track_utility", /passwords in ALTER ROLE are shown in its view/],
        ["search_path", /queries do not find pgvector's types and functions/],
      ] as const
    ).map(([name, message]) => ({
      by: `no ${name}`,
      change: conf("postgresql.conf", (text) =>
        text
          .split("\n")
          .filter((line) => !line.startsWith(`${name} `))
          .join("\n"),
      ),
      message,
    })),
    {
      by: "no limits of one kind of login",
      change: conf("sessions.conf", (text) => text.replace(/^readwrite .*\n/gm, "")),
      message:
        /does not hold readwrite to statement_timeout, lock_timeout, idle_in_transaction_session_timeout, connections/,
    },
    {
      by: "no limit on one role's connections",
      change: conf("sessions.conf", (text) => text.replace(/^owner connections .*\n/m, "")),
      message: /does not hold owner to connections\.\n.*owner connections <value>/,
    },
  ],
};
