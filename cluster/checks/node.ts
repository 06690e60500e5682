/** Preflight: the node. */
import { isPlaced } from "../cluster-state.ts";
import { findNode, unfitness } from "../node-fitness.ts";
import type { Check } from "../cluster-state.ts";
import { type Problem, problemLine } from "../../problem.ts";

/**
 * The node must exist and be able to run the server's pod. A deployment that must start a pod is stopped by whatever
 * would keep it waiting forever. If the server is already running, this only warns.
 */
export const checkNode: Check = (state, { hostname, gpuResource, needs }) => {
  const found = findNode(state.nodes, hostname);
  if ("message" in found) return { problems: [{ key: "node.hostname", message: found.message }] };
  const { node } = found;
  const { name } = node.metadata;
  const problems: Problem[] = [];
  const warnings: string[] = [];
  if (gpuResource !== undefined && !(Number(node.status?.allocatable?.[gpuResource]) > 0)) {
    problems.push({
      key: "node.gpuResource",
      message:
        `is ${gpuResource}, which node ${name} does not offer. Install the GPU's device plugin on it ` +
        `(kubectl describe node ${name}), or do not require it: pulumi config set --path node.requireGpu false`,
    });
  }
  for (const { key, message, pod } of needs ? unfitness(node, needs) : []) {
    if (pod === "never" || (pod === "waiting" && !isPlaced(state))) problems.push({ key, message });
    else warnings.push(problemLine({ key, message }));
  }
  return { problems, warnings };
};
