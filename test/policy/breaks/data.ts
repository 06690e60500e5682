/** Ways to break the rules over the data: its volume, its claim, and the settings that keep it. */
import { UNKNOWN } from "../../../policy/values.ts";
import { type Break, CONF, PV, PVC, SET, POD, SERVER, conf } from "./break.ts";
import { add, drop, edit, metadata, set, setAt } from "../stacks.ts";

/** A volume of the node, next to the data's. */
const volumeAt = (path: string) =>
  add("kubernetes:core/v1:PersistentVolume", {
    metadata: metadata("other"),
    spec: { hostPath: { path, type: "Directory" } },
  });

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
