/** How a command reaches a stack's cluster. */
import type { ClusterContext } from "../cluster/kubectl.ts";
import { projectFile } from "./cli.ts";
import { DevState } from "./dev/state.ts";
import { plainSection, readDocument } from "./stack-file/stack-file.ts";

/** The cluster that a stack's file names; for what `npm run up` has deployed, its own. */
export function clusterOf(stack: string, configFile: string | undefined): ClusterContext {
  const { deployment } = new DevState();
  if (stack === "dev" && configFile === undefined && deployment) return deployment;
  return clusterIn(configFileOf(stack, configFile));
}

/** The file with a stack's configuration; of what `npm run up` has deployed, its own. */
export function configFileOf(stack: string, configFile: string | undefined): string {
  const state = new DevState();
  if (stack === "dev" && configFile === undefined && state.deployment) return state.configFile;
  return configFile ?? projectFile(`Pulumi.${stack}.yaml`);
}

/** The cluster that a stack's file names. */
export function clusterIn(file: string): ClusterContext {
  const { context, kubeconfig } = plainSection(readDocument(file), "cluster");
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  return { context: text(context), kubeconfig: text(kubeconfig) };
}
