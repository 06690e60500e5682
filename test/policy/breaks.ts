/** Each way to break each rule, with what is said to whoever does. */
import { UNKNOWN } from "../../policy/values.ts";
import {
  add,
  type Change,
  changed,
  decentDeployment,
  decentPod,
  drop,
  edit,
  type Judged,
  labels,
  metadata,
  type Name,
  set,
  setAt,
} from "./stacks.ts";

const PV = "PersistentVolume/postgres-pv";
const PVC = "PersistentVolumeClaim/postgres-pvc";
const SET = "StatefulSet/postgres";
const JOB = "Job/postgres-init";
const CONF = "ConfigMap/postgres-config";
const POD = "spec/template/spec";
const SERVER = `${POD}/containers/0`;
const SIDECAR = `${POD}/containers/1`;
const INIT = `${POD}/initContainers/0`;

/** One way to break a rule. */
export interface Break {
  /** What somebody did. */
  by: string;
  change: Change;
  /** What is said to them. */
  message: RegExp;
  stack?: Name;
  config?: Record<string, Record<string, unknown>>;
  /** Changes that break nothing and that it needs. */
  alsoFirst?: Change[];
}

/** Changes the text of the server's configuration. */
function conf(file: string, replace: (text: string) => string): Change {
  return edit(CONF, ({ inputs }) => {
    const data = inputs.data as Record<string, string>;
    data[file] = replace(data[file] ?? "");
  });
}

const service = (spec: Record<string, unknown>) =>
  add("kubernetes:core/v1:Service", { metadata: metadata("added"), spec });
const policy = (name: string, spec: Record<string, unknown>) =>
  add("kubernetes:networking.k8s.io/v1:NetworkPolicy", { metadata: metadata(name), spec });
const remoteCommand = (connection: unknown) =>
  add("command:remote:Command", { connection, create: "true" }, { name: "on-node" });
const workload = (kind: string, mutate: (body: Record<string, unknown>) => void): Change => {
  const body = decentDeployment("added");
  mutate(body);
  return add(`kubernetes:apps/v1:${kind}`, body);
};

export const breaks: Readonly<Record<string, readonly Break[]>> = {
  "volume-retained": [
    {
      by: "writing Delete",
      change: set(PV, "spec/persistentVolumeReclaimPolicy", "Delete"),
      message: /is "Delete"; its data goes[^]*Instead: spec.persistentVolumeReclaimPolicy: "Retain"/,
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
      message: /storageClassName is missing; the class makes a volume of its own/,
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
      message: /leaves every node, not gen8 alone/,
    },
    {
      by: "merely preferring the node",
      change: edit(PV, ({ inputs }) => {
        const spec = inputs.spec as Record<string, Record<string, unknown>>;
        spec.nodeAffinity = { preferred: spec.nodeAffinity?.required };
      }),
      message: /leaves every node/,
    },
    {
      by: "another node",
      change: set(PV, "spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/values", ["rack2"]),
      message: /leaves "rack2"[^]*"gen8"/,
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
      message: /leaves every node/,
    },
    {
      by: "an alternative term",
      change: set(PV, "spec/nodeAffinity/required/nodeSelectorTerms/1", {
        matchExpressions: [{ key: "gpu", operator: "Exists" }],
      }),
      message: /leaves every node/,
    },
    {
      by: "no node in dev either",
      stack: "dev",
      change: drop(PV, "spec/nodeAffinity"),
      message: /not one node/,
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
      message: /pods of several nodes could write/,
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
      by: "PGDATA beside the mount",
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
  "resource-limits": [
    ...["requests", "limits"].flatMap((side) =>
      ["cpu", "memory"].flatMap((resource) => [
        {
          by: `no ${side}.${resource} on the server`,
          change: drop(SET, `${SERVER}/resources/${side}/${resource}`),
          message: new RegExp(`container postgres has resources.${side}.${resource} missing`),
        },
        {
          by: `${side}.${resource} of 0 on the sidecar`,
          change: set(SET, `${SIDECAR}/resources/${side}/${resource}`, "0"),
          message: new RegExp(`container reconcile has resources.${side}.${resource} "0"`),
        },
        {
          by: `an unknown ${side}.${resource}`,
          change: set(JOB, `${INIT}/resources/${side}/${resource}`, UNKNOWN),
          message: /init container bootstrap has .* not known before the deployment/,
        },
      ]),
    ),
    {
      by: "memory in bytes that were meant as gigabytes",
      change: set(SET, `${SERVER}/resources/limits/memory`, 40),
      message: /limits\.memory 40/,
    },
    {
      by: "no resources at all",
      change: drop(JOB, `${POD}/containers/0/resources`),
      message: /container migrate/,
    },
    {
      by: "containers that are not known",
      change: set(SET, `${POD}/containers`, UNKNOWN),
      message: /requests and limits cannot be seen/,
    },
    {
      by: "init containers that are not known",
      change: set(JOB, `${POD}/initContainers`, UNKNOWN),
      message: /initContainers are not known/,
    },
    {
      by: "a List that is not known",
      change: add("kubernetes:apps/v1:DeploymentList", { items: UNKNOWN }),
      message: /spec\.template\.spec\.containers is not known/,
    },
    { by: "a pod that is not known", change: set(SET, "spec/template", UNKNOWN), message: /cannot be seen/ },
    {
      by: "an init container that stays",
      change: set(SET, `${POD}/initContainers`, [
        { name: "proxy", image: "proxy:1", restartPolicy: "Always" },
      ]),
      message: /sidecar container proxy/,
    },
    ...["Deployment", "DaemonSet", "ReplicaSet", "StatefulSet"].map((kind) => ({
      by: `a ${kind}`,
      change: workload(kind, (body) => setAt(body, `${POD}/containers/0/resources`, undefined)),
      message: new RegExp(`${kind}/added: container api`),
    })),
    {
      by: "a bare Pod",
      change: add("kubernetes:core/v1:Pod", {
        metadata: metadata("bare"),
        spec: { containers: [{ name: "c", image: "i:1" }] },
      }),
      message: /Pod\/bare/,
    },
    {
      by: "a ReplicationController",
      change: add("kubernetes:core/v1:ReplicationController", {
        metadata: metadata("rc"),
        spec: { template: { spec: { containers: [{ name: "c" }] } } },
      }),
      message: /ReplicationController\/rc/,
    },
    {
      by: "a Job",
      change: add("kubernetes:batch/v1:Job", {
        metadata: metadata("j"),
        spec: { template: { spec: { containers: [{ name: "c" }] } } },
      }),
      message: /Job\/j/,
    },
    {
      by: "a CronJob",
      change: add("kubernetes:batch/v1:CronJob", {
        metadata: metadata("cj"),
        spec: { jobTemplate: { spec: { template: { spec: { containers: [{ name: "c" }] } } } } },
      }),
      message: /CronJob\/cj/,
    },
    {
      by: "a DeploymentPatch",
      change: add("kubernetes:apps/v1:DeploymentPatch", {
        metadata: metadata("dp"),
        spec: { template: { spec: { containers: [{ name: "c" }] } } },
      }),
      message: /Deployment\/dp/,
    },
    {
      by: "a kind of an operator",
      change: add("kubernetes:argoproj.io/v1alpha1:Rollout", {
        metadata: metadata("r"),
        spec: { template: { spec: { containers: [{ name: "c" }] } } },
      }),
      message: /Rollout\/r/,
    },
  ],
  "requests-within-limits": [
    {
      by: "memory above the limit",
      change: set(SET, `${SERVER}/resources/requests/memory`, "41Gi"),
      message: /requests 41Gi of memory, above its limit of 40Gi/,
    },
    {
      by: "CPUs above the limit",
      change: set(JOB, `${INIT}/resources/requests/cpu`, "1001m"),
      message: /init container bootstrap requests 1001m of cpu/,
    },
    {
      by: "storage above the limit",
      change: set(SET, `${SERVER}/resources`, {
        requests: { cpu: 1, memory: "1Gi", "ephemeral-storage": "2Gi" },
        limits: { cpu: 1, memory: "40Gi", "ephemeral-storage": "1Gi" },
      }),
      message: /ephemeral-storage/,
    },
  ],
  "volume-sizes": [
    {
      by: "no size on /dev/shm",
      change: drop(SET, `${POD}/volumes/7/emptyDir/sizeLimit`),
      message: /volume shared-memory is an emptyDir with sizeLimit missing/,
    },
    {
      by: "no size on disk",
      change: set(JOB, `${POD}/volumes/5`, { name: "tmp", emptyDir: {} }),
      message: /volume tmp/,
    },
    {
      by: "a memory volume above the limit",
      change: set(SET, `${POD}/volumes/5/emptyDir/sizeLimit`, "200Mi"),
      message:
        /container reconcile mounts memory volumes of 201 MiB, which count against its memory limit of 128 MiB/,
    },
  ],
  "node-capacity": [
    {
      by: "a limit above the node",
      change: set(SET, `${SERVER}/resources/limits/memory`, "120Gi"),
      message: /come to 123 GiB, and the node has 112Gi: StatefulSet\/postgres/,
    },
    {
      by: "a memory volume above the rest",
      change: set(SET, `${POD}/volumes/7/emptyDir/sizeLimit`, "80Gi"),
      message: /the node has 112Gi/,
    },
    {
      by: "many small ones",
      change: workload("Deployment", (body) => setAt(body, "spec/replicas", 700)),
      message: /875 x/,
    },
    {
      by: "more CPUs than there are",
      change: set(SET, `${SERVER}/resources/limits/cpu`, "17"),
      message: /CPU limit of 17, and the node has 16/,
    },
    {
      by: "requests that are never scheduled",
      change: set(SET, `${SERVER}/resources/requests/cpu`, "16"),
      message: /CPU requests come to/,
    },
    { by: "a job with many pods", change: set(JOB, "spec/parallelism", 400), message: /400 x/ },
  ],
  "postgres-fits": [
    {
      by: "shared_buffers of the limit",
      change: conf("postgresql.conf", (text) =>
        text.replace("shared_buffers = '32GB'", "shared_buffers = '40GB'"),
      ),
      message:
        /shared_buffers 40 GiB \+ \/dev\/shm 2.5 GiB \+ WAL buffers 16 MiB is 42.5 GiB, and the memory limit of container postgres is 40Gi/,
    },
    {
      by: "shared_buffers in blocks",
      change: conf("postgresql.conf", (text) => `${text}shared_buffers = 5242880\n`),
      message: /shared_buffers 40 GiB/,
    },
    {
      by: "a /dev/shm that leaves no room",
      change: set(SET, `${POD}/volumes/7/emptyDir/sizeLimit`, "8Gi"),
      message: /\/dev\/shm 8 GiB/,
    },
    {
      by: "a lower limit",
      change: set(SET, `${SERVER}/resources/limits/memory`, "34Gi"),
      message: /is 34Gi/,
    },
    {
      by: "the command line",
      change: set(SET, `${SERVER}/args`, ["-c", "shared_buffers=64GB"]),
      message: /shared_buffers 64 GiB/,
    },
    {
      by: "a size that is none",
      change: conf("postgresql.conf", (text) => `${text}shared_buffers = lots\n`),
      message: /is no size/,
    },
  ],
  placement: [
    {
      by: "no node",
      change: drop(SET, `${POD}/nodeSelector`),
      message: /StatefulSet\/postgres: it is a StatefulSet, and may run on every node/,
    },
    {
      by: "another node",
      change: set(SET, `${POD}/nodeSelector`, { "kubernetes.io/hostname": "rack2" }),
      message: /may run on "rack2"[^]*gen8/,
    },
    { by: "another label", change: set(SET, `${POD}/nodeSelector`, { gpu: "true" }), message: /every node/ },
    { by: "nodeName", change: set(SET, `${POD}/nodeName`, "gen8"), message: /goes past the scheduler/ },
    {
      by: "the init Job elsewhere",
      change: drop(JOB, `${POD}/nodeSelector`),
      message: /Job\/postgres-init: it uses the database's image/,
    },
    {
      by: "a Deployment on a claim",
      change: workload("Deployment", (body) =>
        setAt(body, `${POD}/volumes`, [{ name: "d", persistentVolumeClaim: { claimName: "postgres-pvc" } }]),
      ),
      message: /mounts storage of the node/,
    },
  ],
  "one-node": [
    {
      by: "the volume and the pod apart",
      stack: "dev",
      change: set(SET, `${POD}/nodeSelector`, { "kubernetes.io/hostname": "other" }),
      message:
        /pinned to different nodes: PersistentVolume\/postgres-pv to any-node; StatefulSet\/postgres to other/,
    },
  ],
  "gpu-declared": [
    {
      by: "a GPU limit",
      change: set(SET, `${SERVER}/resources/limits/nvidia.com~1gpu`, 1),
      message: /container postgres has resources.limits\["nvidia.com\/gpu"\][^]*gpu-declared.workloads/,
    },
    {
      by: "a GPU request of an init container",
      change: set(JOB, `${INIT}/resources/requests/nvidia.com~1gpu`, "1"),
      message: /init container bootstrap/,
    },
    {
      by: "the runtime",
      change: set(SET, `${POD}/runtimeClassName`, "nvidia"),
      message: /runtimeClassName is nvidia/,
    },
    {
      by: "the environment",
      change: set(SET, `${SERVER}/env/3`, { name: "NVIDIA_VISIBLE_DEVICES", value: "all" }),
      message: /NVIDIA_VISIBLE_DEVICES/,
    },
    {
      by: "a device claim",
      change: set(SET, `${POD}/resourceClaims`, [{ name: "gpu" }]),
      message: /resourceClaims/,
    },
  ],
  "restricted-pods": [
    ...["hostNetwork", "hostPID", "hostIPC"].map((name) => ({
      by: name,
      change: set(SET, `${POD}/${name}`, true),
      message: new RegExp(`spec.${name} is true`),
    })),
    {
      by: "a hostPath",
      change: set(SET, `${POD}/volumes/0`, { name: "data", hostPath: { path: "/" } }),
      message: /volume data is of type hostPath/,
    },
    {
      by: "a sysctl",
      change: set(SET, `${POD}/securityContext/sysctls`, [{ name: "kernel.msgmax", value: "1" }]),
      message: /sysctl "kernel.msgmax"/,
    },
    {
      by: "no AppArmor",
      change: set(SET, `${POD}/securityContext/appArmorProfile`, { type: "Unconfined" }),
      message: /appArmorProfile.type is "Unconfined"/,
    },
    {
      by: "no AppArmor by annotation",
      change: set(
        SET,
        "spec/template/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1postgres",
        "unconfined",
      ),
      message: /apparmor.*unconfined/,
    },
    {
      by: "an SELinux type",
      change: set(SET, `${SERVER}/securityContext/seLinuxOptions`, { type: "spc_t" }),
      message: /seLinuxOptions.type is "spc_t"/,
    },
    {
      by: "an SELinux user",
      change: set(SET, `${POD}/securityContext/seLinuxOptions`, { user: "system_u" }),
      message: /seLinuxOptions.user/,
    },
    {
      by: "a Windows host process",
      change: set(SET, `${POD}/securityContext/windowsOptions`, { hostProcess: true }),
      message: /hostProcess/,
    },
    {
      by: "privileged",
      change: set(SET, `${SERVER}/securityContext/privileged`, true),
      message: /container postgres: securityContext.privileged is true/,
    },
    {
      by: "escalation",
      change: drop(JOB, `${INIT}/securityContext/allowPrivilegeEscalation`),
      message: /init container bootstrap: .*allowPrivilegeEscalation is missing/,
    },
    {
      by: "capabilities kept",
      change: drop(SET, `${SIDECAR}/securityContext/capabilities`),
      message: /container reconcile: .*capabilities.drop is missing/,
    },
    {
      by: "a capability added",
      change: set(SET, `${SERVER}/securityContext/capabilities/add`, ["SYS_ADMIN"]),
      message: /capabilities.add is \["SYS_ADMIN"\]/,
    },
    {
      by: "procMount",
      change: set(SET, `${SERVER}/securityContext/procMount`, "Unmasked"),
      message: /procMount/,
    },
    { by: "root", change: set(SET, `${POD}/securityContext/runAsUser`, 0), message: /runAsUser is 0/ },
    {
      by: "root in a container",
      change: set(JOB, `${INIT}/securityContext/runAsUser`, 0),
      message: /bootstrap: securityContext.runAsUser is 0/,
    },
    {
      by: "non-root unsaid",
      change: (all) => {
        drop(SET, `${POD}/securityContext/runAsNonRoot`)(all);
        drop(SET, `${SERVER}/securityContext/runAsNonRoot`)(all);
      },
      message: /runAsNonRoot is missing/,
    },
    {
      by: "the container's own runAsNonRoot false",
      change: set(SET, `${SERVER}/securityContext/runAsNonRoot`, false),
      message: /runAsNonRoot is false/,
    },
    {
      by: "the pod's runAsNonRoot false",
      change: set(SET, `${POD}/securityContext/runAsNonRoot`, false),
      message: /the pod: securityContext.runAsNonRoot is false/,
    },
    {
      by: "no seccomp",
      change: drop(SET, `${POD}/securityContext/seccompProfile`),
      message: /seccompProfile.type is missing/,
    },
    {
      by: "unconfined seccomp",
      change: set(SET, `${SERVER}/securityContext/seccompProfile`, { type: "Unconfined" }),
      message: /seccompProfile.type is "Unconfined"/,
    },
    { by: "a hostPort", change: set(SET, `${SERVER}/ports/0/hostPort`, 5432), message: /hostPort 5432/ },
    {
      by: "a probe of another host",
      change: set(SET, `${SIDECAR}/livenessProbe`, { httpGet: { host: "10.0.0.1", port: 80 } }),
      message: /livenessProbe.httpGet.host/,
    },
    {
      by: "an ephemeral container",
      change: set(SET, `${POD}/ephemeralContainers`, [{ name: "debug", image: "busybox:1" }]),
      message: /ephemeral container debug/,
    },
  ],
  "read-only-root": [
    {
      by: "dropping it",
      change: drop(SET, `${SERVER}/securityContext/readOnlyRootFilesystem`),
      message: /container postgres has securityContext.readOnlyRootFilesystem missing/,
    },
    {
      by: "false",
      change: set(JOB, `${INIT}/securityContext/readOnlyRootFilesystem`, false),
      message: /init container bootstrap .* false/,
    },
  ],
  "no-token": [
    {
      by: "leaving it to the default",
      change: drop(SET, `${POD}/automountServiceAccountToken`),
      message: /automountServiceAccountToken is missing/,
    },
    { by: "true", change: set(JOB, `${POD}/automountServiceAccountToken`, true), message: /is true/ },
    {
      by: "a projected one",
      change: set(SET, `${POD}/volumes/10`, {
        name: "t",
        projected: { sources: [{ serviceAccountToken: { path: "t" } }] },
      }),
      message: /volume t projects a serviceAccountToken/,
    },
    {
      by: "a ServiceAccount",
      change: add("kubernetes:core/v1:ServiceAccount", { metadata: metadata("sa") }),
      message: /ServiceAccount\/sa/,
    },
  ],
  "no-service-links": [
    {
      by: "leaving it to the default",
      change: drop(SET, `${POD}/enableServiceLinks`),
      message: /enableServiceLinks is missing/,
    },
    { by: "true", change: set(JOB, `${POD}/enableServiceLinks`, true), message: /is true/ },
  ],
  probes: [
    ...["startupProbe", "livenessProbe", "readinessProbe"].map((name) => ({
      by: `no ${name}`,
      change: drop(SET, `${SERVER}/${name}`),
      message: new RegExp(`container postgres has no ${name}`),
    })),
    {
      by: "an empty probe",
      change: set(SET, `${SIDECAR}/livenessProbe`, { periodSeconds: 10 }),
      message: /has no livenessProbe that asks anything/,
    },
    {
      by: "readiness over the socket",
      change: set(SET, `${SERVER}/readinessProbe/exec/command`, ["pg_isready"]),
      message: /over the socket/,
    },
    {
      by: "no time for crash recovery",
      change: set(SET, `${SERVER}/startupProbe/failureThreshold`, 3),
      message: /after 3 s, crash recovery included/,
    },
    {
      by: "a sidecar without",
      change: set(SET, `${POD}/initContainers`, [
        { name: "proxy", image: "proxy:1", restartPolicy: "Always" },
      ]),
      message: /sidecar container proxy has no readinessProbe/,
    },
  ],
  "grace-period": [
    {
      by: "Kubernetes' 30 s",
      change: drop(SET, `${POD}/terminationGracePeriodSeconds`),
      message: /is missing, and the default is 30[^]*120 or more/,
    },
    {
      by: "less than configured",
      change: set(SET, `${POD}/terminationGracePeriodSeconds`, 60),
      message: /is 60/,
    },
    {
      by: "none in dev",
      stack: "dev",
      change: set(SET, `${POD}/terminationGracePeriodSeconds`, 0),
      message: /is 0/,
    },
  ],
  "image-tag": [
    {
      by: "latest",
      change: set(SET, `${SERVER}/image`, "pgvector/pgvector:latest"),
      message: /whose tag moves/,
    },
    {
      by: "no tag",
      change: set(SET, `${SERVER}/image`, "registry:5000/pgvector/pgvector"),
      message: /without a tag/,
    },
    {
      by: "a digest without a tag",
      change: set(JOB, `${INIT}/image`, `pgvector/pgvector@sha256:${"a".repeat(64)}`),
      message: /without a tag/,
    },
    { by: "no image", change: drop(SET, `${SIDECAR}/image`), message: /the image missing/ },
  ],
  "image-digest": [
    {
      by: "no digest",
      config: { "image-digest": {} },
      change: () => undefined,
      message:
        /container postgres has the image "pgvector\/pgvector:0.8.6-pg16-bookworm", without a digest[^]*resolve-digests/,
    },
    {
      by: "a digest that is none",
      stack: "dev",
      change: set(SET, `${SERVER}/image`, "pgvector/pgvector:0.8.6@sha256:abc"),
      message: /without a digest/,
    },
    {
      by: "an image that the waiver is not for",
      change: workload("Deployment", (body) => setAt(body, `${POD}/containers/0/image`, "api:1")),
      message: /Deployment\/added/,
    },
  ],
  "secret-volume-modes": [
    {
      by: "the default",
      change: drop(SET, `${POD}/volumes/3/secret/defaultMode`),
      message: /volume owner-credentials has secret.defaultMode 0644/,
    },
    {
      by: "one item for all",
      change: set(SET, `${POD}/volumes/3/secret/items`, [{ key: "k", path: "p", mode: 0o444 }]),
      message: /items\[0\].mode 0444/,
    },
    {
      by: "a projected one",
      change: set(SET, `${POD}/volumes/10`, {
        name: "p",
        projected: { sources: [{ secret: { name: "s" } }] },
      }),
      message: /projected.sources\[0\]/,
    },
  ],
  "jobs-end": [
    {
      by: "no deadline",
      change: drop(JOB, "spec/activeDeadlineSeconds"),
      message: /activeDeadlineSeconds is missing/,
    },
    { by: "a deadline of 0", change: set(JOB, "spec/activeDeadlineSeconds", 0), message: /is 0/ },
    {
      by: "a Job that deletes itself",
      change: set(JOB, "spec/ttlSecondsAfterFinished", 60),
      message: /the next refresh runs it again/,
    },
    {
      by: "a CronJob",
      change: add("kubernetes:batch/v1:CronJob", {
        metadata: metadata("c"),
        spec: { jobTemplate: { spec: {} } },
      }),
      message: /spec.jobTemplate.spec.activeDeadlineSeconds/,
    },
  ],
  "not-exposed": [
    ...["NodePort", "LoadBalancer", "ExternalName"].map((type) => ({
      by: type,
      change: set("Service/postgres", "spec/type", type),
      message: new RegExp(`spec.type is "${type}"[^]*port-forward`),
    })),
    {
      by: "an external IP",
      change: set("Service/postgres", "spec/externalIPs", ["1.2.3.4"]),
      message: /externalIPs/,
    },
    {
      by: "a declared Service on the database",
      config: { "not-exposed": { exposed: ["Service/added"] } },
      change: service({ type: "LoadBalancer", ports: [{ port: 80, targetPort: 5432 }] }),
      message: /Service\/added[^]*port-forward/,
    },
    {
      by: "an undeclared Service",
      change: service({ type: "NodePort", ports: [{ port: 80 }] }),
      message: /or Service\/added in not-exposed.exposed/,
    },
    { by: "hostNetwork", change: set(SET, `${POD}/hostNetwork`, true), message: /the node's network/ },
    {
      by: "a hostPort",
      change: set(SET, `${SERVER}/ports/0/hostPort`, 5432),
      message: /container postgres has hostPort 5432/,
    },
    ...(
      [
        ["networking.k8s.io/v1", "Ingress"],
        ["traefik.io/v1alpha1", "IngressRouteTCP"],
        ["gateway.networking.k8s.io/v1alpha2", "TCPRoute"],
      ] as const
    ).map(([group, kind]) => ({
      by: kind,
      change: add(`kubernetes:${group}:${kind}`, {
        metadata: metadata("way-in"),
        spec: { rules: [{ backendRefs: [{ name: "postgres", port: 5432 }] }] },
      }),
      message: new RegExp(`it is a ${kind}, which opens a way in`),
    })),
  ],
  "client-authentication": [
    {
      by: "trust",
      change: conf("pg_hba.conf", (text) => `host all all 10.0.0.0/8 trust\n${text}`),
      message: /whose method is trust[^]*scram-sha-256/,
    },
    {
      by: "trust with a mask",
      change: conf("pg_hba.conf", (text) => `host all all 10.0.0.0 255.0.0.0 trust\n${text}`),
      message: /trust/,
    },
    {
      by: "trust on the socket",
      change: conf("pg_hba.conf", (text) => text.replace("peer map=server_pod", "trust")),
      message: /the method peer/,
    },
    {
      by: "md5",
      change: conf("pg_hba.conf", (text) => text.replaceAll("scram-sha-256", "md5")),
      message: /whose method is md5/,
    },
    {
      by: "weak verifiers",
      change: conf("postgresql.conf", (text) =>
        text.replace("password_encryption = 'scram-sha-256'", "password_encryption = md5"),
      ),
      message: /password_encryption to md5/,
    },
  ],
  "own-namespace": [
    { by: "none", change: drop(SET, "metadata/namespace"), message: /which means `default`/ },
    {
      by: "default",
      change: set("Service/postgres", "metadata/namespace", "default"),
      message: /is "default"/,
    },
    { by: "kube-system", change: set(CONF, "metadata/namespace", "kube-system"), message: /kube-system/ },
    { by: "an empty one", change: set("Secret/postgres-secret", "metadata/namespace", ""), message: /is ""/ },
  ],
  "namespace-labels": [
    ...["enforce", "warn", "audit", "enforce-version"].map((name) => ({
      by: `no ${name}`,
      change: drop("Namespace/transcript-pipeline", `metadata/labels/pod-security.kubernetes.io~1${name}`),
      message: new RegExp(`pod-security.kubernetes.io/${name} is missing`),
    })),
    {
      by: "baseline",
      change: set(
        "Namespace/transcript-pipeline",
        "metadata/labels/pod-security.kubernetes.io~1enforce",
        "baseline",
      ),
      message: /is "baseline"/,
    },
    {
      by: "a NamespacePatch",
      change: add("kubernetes:core/v1:NamespacePatch", {
        metadata: { name: "n", labels: { "pod-security.kubernetes.io/enforce": "privileged" } },
      }),
      message: /privileged/,
    },
  ],
  "secrets-only-in-secrets": [
    {
      by: "an environment variable",
      change: set(SET, `${SERVER}/env/3`, { name: "POSTGRES_PASSWORD", value: "hunter2" }),
      message: /gives POSTGRES_PASSWORD its value in plain text/,
    },
    {
      by: "a ConfigMap",
      change: set(CONF, "data/API_TOKEN", "abc"),
      message: /data\["API_TOKEN"\] is named as a secret/,
    },
    {
      by: "a URL",
      change: set(JOB, `${POD}/containers/0/env/3`, {
        name: "DATABASE_URL",
        value: "postgres://u:hunter2@h/db",
      }),
      message: /holds a URL with a password/,
    },
    {
      by: "a command line",
      change: set(JOB, `${POD}/containers/0/command`, ["sh", "-c", "PGPASSWORD=hunter2 psql"]),
      message: /an assignment of a secret/,
    },
    {
      by: "an annotation",
      change: set(SET, "metadata/annotations/dsn", "host=h password=hunter2"),
      message: /a connection string/,
    },
    {
      by: "a private key",
      change: set(CONF, "data/key.pem", "-----BEGIN RSA PRIVATE KEY-----\nx"),
      message: /a private key/,
    },
    {
      by: "SQL",
      change: set("ConfigMap/postgres-init-bootstrap", "data/05.sql", "ALTER ROLE x PASSWORD 'hunter2';"),
      message: /a password in SQL/,
    },
    {
      by: "a Patch",
      change: add("kubernetes:core/v1:ConfigMapPatch", { metadata: metadata("p"), data: { password: "x" } }),
      message: /ConfigMap\/p/,
    },
  ],
  "secret-inputs": [
    {
      by: "a Secret kept in plain text",
      change: edit("Secret/postgres-secret", (resource) => {
        resource.secretOutputs = [];
      }),
      message: /stringData is not kept encrypted/,
    },
    {
      by: "a SecretList",
      change: add("kubernetes:core/v1:SecretList", {
        items: [{ metadata: metadata("s"), stringData: { a: "b" } }],
      }),
      message: /SecretList/,
    },
    {
      by: "a placeholder",
      change: set("Secret/postgres-secret", "stringData/POSTGRES_PASSWORD", "CHANGE_ME_BEFORE_DEPLOY"),
      message: /is a placeholder/,
    },
    {
      by: "a short one",
      change: set("Secret/postgres-superuser", "stringData/POSTGRES_PASSWORD", "hunter2"),
      message: /of 7 characters/,
    },
    {
      by: "an encoded one",
      change: add("kubernetes:core/v1:Secret", {
        metadata: metadata("s"),
        data: { password: Buffer.from("hunter2").toString("base64") },
      }),
      message: /data.password is of 7 characters/,
    },
    {
      by: "a random string",
      change: add("random:index/randomString:RandomString", { length: 40 }, { name: "db-password" }),
      message: /its result is no secret/,
    },
  ],
  "secret-in-plain-sight": [
    {
      by: "a copy in a ConfigMap",
      alsoFirst: [set("Secret/postgres-secret", "stringData/POSTGRES_PASSWORD", "copied-password-0123")],
      change: edit(CONF, ({ inputs }) => setAt(inputs, "data/x", "see copied-password-0123")),
      message: /data.x holds the value of Secret\/postgres-secret POSTGRES_PASSWORD/,
    },
  ],
  "ssh-host-key": [
    {
      by: "no host key",
      change: remoteCommand({ host: "gen8", user: "root" }),
      message: /connection.hostKey is missing[^]*ssh-keyscan/,
    },
    {
      by: "a host key that is none",
      change: remoteCommand({ host: "gen8", hostKey: "" }),
      message: /hostKey is ""/,
    },
    {
      by: "a proxy without one",
      change: remoteCommand({ host: "gen8", hostKey: "ssh-ed25519 AAAA", proxy: { host: "p" } }),
      message: /connection.proxy.hostKey is missing/,
    },
    {
      by: "a copy without one",
      change: add("command:remote:CopyToRemote", { connection: { host: "h" } }, { name: "copy" }),
      message: /CopyToRemote\/copy/,
    },
    {
      by: "ssh that believes anybody",
      change: add("command:local:Command", { create: "ssh -o StrictHostKeyChecking=no h" }, { name: "l" }),
      message: /believe any host/,
    },
  ],
  "password-strength": [
    {
      by: "a short one",
      change: set("RandomPassword/postgres-credentials-owner", "length", 16),
      message: /length is 16[^]*32 or more/,
    },
    {
      by: "digits alone",
      change: edit("RandomPassword/postgres-credentials-owner", ({ inputs }) => {
        Object.assign(inputs, { length: 33, lower: false, upper: false });
      }),
      message: /33 characters out of 10 hold 109 bits/,
    },
  ],
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

/** A stack that is broken in one way, and nothing else. */
export function brokenBy({ change, config = {}, alsoFirst = [] }: Break, stack: Judged): Judged {
  return { ...changed(stack, ...alsoFirst, change), config: { ...stack.config, ...config } };
}
