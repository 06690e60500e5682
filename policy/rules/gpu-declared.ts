import { containerText, podRule } from "../rule.ts";
import { field, listAt, mapAt } from "../values.ts";

interface Config {
  gpuResources: string[];
  workloads: string[];
}

export const gpuDeclared = podRule<Config>({
  name: "gpu-declared",
  asks: "GPUs only where declared",
  description:
    "Using the GPU undeclared takes it from the workload that it was bought for; there is only one",
  level: "mandatory",
  schema: {
    properties: {
      gpuResources: {
        type: "array",
        items: { type: "string" },
        default: ["nvidia.com/", "amd.com/gpu", "gpu.intel.com/"],
        description: "Resources that are GPUs, by name or prefix",
      },
      workloads: {
        type: "array",
        items: { type: "string" },
        default: [],
        description: "Workloads that may use a GPU, such as Deployment/transcriber",
      },
    },
  },
  check: (pod, { gpuResources, workloads }) => {
    const { subject } = pod.object;
    if (workloads.includes(subject)) return [];
    const remedy = `no GPU, or ${subject} in gpu-declared.workloads`;
    const isGpu = (name: string) => gpuResources.some((gpu) => name.startsWith(gpu));
    const asked = pod.containers.flatMap((container) => [
      ...["requests", "limits"].flatMap((side) =>
        Object.keys(mapAt(container.body, "resources", side))
          .filter(isGpu)
          .map((name) => ({
            subject,
            why: `${containerText(container)} has resources.${side}["${name}"]`,
            remedy,
          })),
      ),
      ...listAt(container.body, "env")
        .filter(
          (entry) =>
            field(entry, "name") === "NVIDIA_VISIBLE_DEVICES" &&
            !["void", "none"].includes(String(field(entry, "value"))),
        )
        .map(() => ({
          subject,
          why: `${containerText(container)} sets NVIDIA_VISIBLE_DEVICES, which opens the GPU without the scheduler`,
          remedy,
        })),
    ]);
    const claims = listAt(pod.spec, "resourceClaims");
    if (claims.length > 0)
      asked.push({ subject, why: "it has resourceClaims, which allocate devices", remedy });
    const runtime = field(pod.spec, "runtimeClassName");
    if (typeof runtime === "string" && /nvidia|gpu/.test(runtime)) {
      asked.push({
        subject,
        why: `runtimeClassName is ${runtime}, which opens the GPU without the scheduler`,
        remedy,
      });
    }
    return asked;
  },
});
