/** All rules, in the order in which the documentation has them. */
import type { Rule } from "../rule.ts";
import { alertsKept } from "./alerts-kept.ts";
import { backupElsewhere } from "./backup-elsewhere.ts";
import { claimOfStack } from "./claim-of-stack.ts";
import { claimOnRetainedVolume } from "./claim-on-retained-volume.ts";
import { claimsKept } from "./claims-kept.ts";
import { clientAuthentication } from "./client-authentication.ts";
import { databaseNetworkPolicy } from "./database-network-policy.ts";
import { dataDirectoryOnClaim } from "./data-directory-on-claim.ts";
import { dataProtected } from "./data-protected.ts";
import { declaredCommands } from "./declared-commands.ts";
import { declaredEnvironment } from "./declared-environment.ts";
import { declaredFields } from "./declared-fields.ts";
import { declaredImages } from "./declared-images.ts";
import { declaredKinds } from "./declared-kinds.ts";
import { declaredMounts } from "./declared-mounts.ts";
import { declaredObjects } from "./declared-objects.ts";
import { declaredPrograms } from "./declared-programs.ts";
import { declaredProviders } from "./declared-providers.ts";
import { declaredRights } from "./declared-rights.ts";
import { declaredScripts } from "./declared-scripts.ts";
import { declaredSettings } from "./declared-settings.ts";
import { durableSettings } from "./durable-settings.ts";
import { encryptedConnections } from "./encrypted-connections.ts";
import { expectedResources } from "./expected-resources.ts";
import { explicitProvider } from "./explicit-provider.ts";
import { gpuDeclared } from "./gpu-declared.ts";
import { gracePeriod } from "./grace-period.ts";
import { identityMap } from "./identity-map.ts";
import { imageDigest } from "./image-digest.ts";
import { imageTag } from "./image-tag.ts";
import { initJobAfterServer } from "./init-job-after-server.ts";
import { jobsEnd } from "./jobs-end.ts";
import { keptSettings } from "./kept-settings.ts";
import { monitoringReads } from "./monitoring-reads.ts";
import { namespaceLabels } from "./namespace-labels.ts";
import { networkDefaultDeny } from "./network-default-deny.ts";
import { networkWayOut } from "./network-way-out.ts";
import { nodeCapacity } from "./node-capacity.ts";
import { noServiceLinks } from "./no-service-links.ts";
import { notExposed } from "./not-exposed.ts";
import { nothingUnseen } from "./nothing-unseen.ts";
import { noToken } from "./no-token.ts";
import { oneBackend } from "./one-backend.ts";
import { oneNode } from "./one-node.ts";
import { oneRegistration } from "./one-registration.ts";
import { oneWriter } from "./one-writer.ts";
import { ownNamespace } from "./own-namespace.ts";
import { passwordStrength } from "./password-strength.ts";
import { placement } from "./placement.ts";
import { postgresDoubtful } from "./postgres-doubtful.ts";
import { postgresFits } from "./postgres-fits.ts";
import { probes } from "./probes.ts";
import { readOnlyRoot } from "./read-only-root.ts";
import { recommendedLabels } from "./recommended-labels.ts";
import { requestsWithinLimits } from "./requests-within-limits.ts";
import { resourceLimits } from "./resource-limits.ts";
import { restoredCopy } from "./restored-copy.ts";
import { restrictedPods } from "./restricted-pods.ts";
import { sealedStrictly } from "./sealed-strictly.ts";
import { secretInPlainSight } from "./secret-in-plain-sight.ts";
import { secretInputs } from "./secret-inputs.ts";
import { secretsOnlyInSecrets } from "./secrets-only-in-secrets.ts";
import { secretStore } from "./secret-store.ts";
import { secretVolumeModes } from "./secret-volume-modes.ts";
import { settingsTried } from "./settings-tried.ts";
import { sshHostKey } from "./ssh-host-key.ts";
import { stackKind } from "./stack-kind.ts";
import { superuserInside } from "./superuser-inside.ts";
import { volumePinned } from "./volume-pinned.ts";
import { volumePlace } from "./volume-place.ts";
import { volumeReserved } from "./volume-reserved.ts";
import { volumeRetained } from "./volume-retained.ts";
import { volumeSizes } from "./volume-sizes.ts";

export const rules: readonly Rule[] = [
  // Data
  volumeRetained,
  claimOnRetainedVolume,
  volumePinned,
  volumePlace,
  volumeReserved,
  dataProtected,
  claimsKept,
  dataDirectoryOnClaim,
  claimOfStack,
  oneWriter,
  restoredCopy,
  backupElsewhere,
  alertsKept,
  durableSettings,
  declaredSettings,
  keptSettings,
  // Resources
  resourceLimits,
  requestsWithinLimits,
  volumeSizes,
  nodeCapacity,
  postgresFits,
  postgresDoubtful,
  // Placement
  placement,
  oneNode,
  gpuDeclared,
  // Pods
  restrictedPods,
  readOnlyRoot,
  noToken,
  noServiceLinks,
  probes,
  gracePeriod,
  imageTag,
  imageDigest,
  secretVolumeModes,
  jobsEnd,
  declaredPrograms,
  declaredImages,
  declaredScripts,
  declaredEnvironment,
  declaredMounts,
  // Exposure
  notExposed,
  clientAuthentication,
  superuserInside,
  encryptedConnections,
  identityMap,
  oneBackend,
  databaseNetworkPolicy,
  networkDefaultDeny,
  networkWayOut,
  ownNamespace,
  monitoringReads,
  namespaceLabels,
  secretsOnlyInSecrets,
  secretInputs,
  secretInPlainSight,
  sealedStrictly,
  secretStore,
  sshHostKey,
  passwordStrength,
  // The whole stack
  stackKind,
  expectedResources,
  nothingUnseen,
  declaredKinds,
  declaredObjects,
  oneRegistration,
  declaredFields,
  declaredProviders,
  declaredCommands,
  declaredRights,
  explicitProvider,
  settingsTried,
  initJobAfterServer,
  recommendedLabels,
];
