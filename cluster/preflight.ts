/**
 * Read-only checks of the cluster before any change. Each problem stops a preview with one line; the provider would time
 * out minutes later.
 */
import { allFindings, type Findings } from "../problem.ts";
import { checkClusterRanges } from "./checks/cluster-ranges.ts";
import { checkDeletions } from "./checks/deletions.ts";
import { checkDirectories } from "./checks/directories.ts";
import { checkImage } from "./checks/image.ts";
import { checkMetrics } from "./checks/metrics.ts";
import { checkNames } from "./checks/names.ts";
import { checkNode } from "./checks/node.ts";
import { checkSealedSecrets, checkSecretStore } from "./checks/secret-store.ts";
import { checkServer } from "./checks/server.ts";
import { checkVolume } from "./checks/volume.ts";
import type { Check, ClusterState, Expectations } from "./cluster-state.ts";
import { KubectlError } from "./kubectl.ts";

/** All checks, in the order in which their findings are shown. */
const CHECKS: readonly Check[] = [
  checkDeletions,
  checkNode,
  checkServer,
  checkNames,
  checkImage,
  checkVolume,
  checkDirectories,
  checkClusterRanges,
  checkSecretStore,
  checkSealedSecrets,
  checkMetrics,
];

/** Runs all checks. */
export function preflight(state: ClusterState, expected: Expectations): Findings {
  return allFindings(CHECKS.map((check) => check(state, expected)));
}

/** Why the cluster could not be queried, in a sentence. */
export function reasonOf(error: unknown): string {
  if (error instanceof KubectlError) return error.message;
  throw error;
}
