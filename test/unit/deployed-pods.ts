/** The pods that the program deploys, for tests that look at all of them. */
import { evaluate } from "../../tools/evaluation/evaluate.ts";
import { type Manifest, manifestsOf } from "../../tools/evaluation/manifests.ts";
import { withNode } from "../../tools/evaluation/policy-config.ts";
import { projectFile } from "../../tools/cli.ts";
import { readStackFile } from "../../tools/stack-file/stack-file.ts";

/** A container, as far as the tests look. */
export interface DeployedContainer {
  name: string;
  resources: Record<"requests" | "limits", Record<string, string>>;
  livenessProbe?: unknown;
  readinessProbe?: unknown;
  startupProbe?: unknown;
}

/** A pod's specification, as far as the tests look. */
export interface DeployedPodSpec {
  containers: DeployedContainer[];
  initContainers?: DeployedContainer[];
  volumes?: { name: string; emptyDir?: { medium?: string; sizeLimit?: string } }[];
}

/** The template of a workload's pods. */
export interface DeployedPod {
  kind: string;
  /** The workload's. */
  name: string;
  labels: Record<string, string>;
  spec: DeployedPodSpec;
}

interface Template {
  metadata?: { labels?: Record<string, string> };
  spec: DeployedPodSpec;
}

/** Everything that a stack deploys, with the configuration of its file. */
export async function manifests(stack: string): Promise<Manifest[]> {
  const { config, secretKeys } = readStackFile(projectFile(`Pulumi.${stack}.yaml`));
  const { registrations } = await evaluate(stack, withNode(stack, config), secretKeys);
  return manifestsOf(registrations).map(({ manifest }) => manifest);
}

/** The pods among them, wherever their template is. */
export function podsOf(all: readonly Manifest[]): DeployedPod[] {
  return all.flatMap(({ kind, metadata, spec }) => {
    const { template, jobTemplate } = (spec ?? {}) as {
      template?: Template;
      jobTemplate?: { spec: { template: Template } };
    };
    const found = template ?? jobTemplate?.spec.template;
    return found === undefined
      ? []
      : [{ kind, name: metadata.name, labels: found.metadata?.labels ?? {}, spec: found.spec }];
  });
}

/** The pods that a stack deploys. */
export const podsOfStack = async (stack: string): Promise<DeployedPod[]> => podsOf(await manifests(stack));
