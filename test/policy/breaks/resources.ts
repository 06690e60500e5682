/** Ways to break the rules over what a pod may have, and where it runs. */
import { UNKNOWN } from "../../../policy/values.ts";
import { type Break, SET, JOB, POD, SERVER, SIDECAR, INIT, conf, workload } from "./break.ts";
import { add, drop, metadata, set, setAt } from "../stacks.ts";

export const resourcesBreaks: Readonly<Record<string, readonly Break[]>> = {
  "resource-limits": [
    ...["requests", "limits"].flatMap((side) =>
      ["cpu", "memory", "ephemeral-storage"].flatMap((resource) => [
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
        /container reconcile mounts memory volumes of 202 MiB, which count against its memory limit of 128 MiB/,
    },
  ],
  "node-capacity": [
    {
      by: "a limit above the node",
      change: set(SET, `${SERVER}/resources/limits/memory`, "120Gi"),
      message: /come to 125 GiB, and the node has 112Gi: .*StatefulSet\/postgres 123 GiB/,
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
        /shared_buffers 40 GiB \+ \/dev\/shm 2.5 GiB \+ WAL buffers 16 MiB \+ connections, locks and statements [\d.]+ MiB is 42.5 GiB, and the memory limit of container postgres is 40Gi/,
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
    ...["unlimited", "0", "1000000000"].map((kilobytes) => ({
      by: `an address space of ${kilobytes}`,
      change: set(SET, `${SERVER}/env/3/value`, kilobytes),
      message: new RegExp(`ADDRESS_SPACE is ${kilobytes}, so one statement can take all of the memory`),
    })),
    {
      by: "the command line",
      change: set(SET, `${SERVER}/args`, ["-c", "shared_buffers=64GB"]),
      message: /shared_buffers 64 GiB/,
    },
    {
      by: "a size that is not one",
      change: conf("postgresql.conf", (text) => `${text}shared_buffers = lots\n`),
      message: /is not a size/,
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
    { by: "nodeName", change: set(SET, `${POD}/nodeName`, "gen8"), message: /bypasses the scheduler/ },
    {
      by: "the init Job elsewhere",
      change: drop(JOB, `${POD}/nodeSelector`),
      message: /Job\/postgres-init: it mounts storage of the node/,
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
        /pinned to different nodes: PersistentVolume\/postgres-pv to any-node; .*StatefulSet\/postgres to other/,
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
};
