/** The live cluster for the program: checks before a deployment, and hooks during it. */
import * as pulumi from "@pulumi/pulumi";
import { APPLICATION } from "../components/kubernetes/labels.ts";
import { SERVER_POD } from "../components/kubernetes/names.ts";
import type { Settings } from "../config.ts";
import { CONFIG_FILE_VARIABLE } from "../config/file-variable.ts";
import type { Directory } from "../components/storage/directory.ts";
import { directoriesOf } from "../directories.ts";
import { problemLine } from "../problem.ts";
import type { Live } from "../live.ts";
import { effectsOfConfig, effectsOfServer } from "./change-effects.ts";
import {
  type ClusterState,
  type Expectations,
  hasVolume,
  lookAtCluster,
  runningImage,
} from "./cluster-state.ts";
import { lookAtEnforcement, sayEnforcement } from "./enforcement.ts";
import { KubeconfigError, providerKubeconfig } from "./kubeconfig.ts";
import type { PodObject } from "./pod-troubles.ts";
import { promptKubelet } from "./kubelet-prompt.ts";
import { deleteLeftJob } from "./left-job.ts";
import { askNode, type NodeReach } from "./node-shell.ts";
import { watchPods } from "./pod-watch.ts";
import { deployedPolicies, sayPolicies } from "./network-policies.ts";
import { plainSessions, sayPlain } from "./plain-connections.ts";
import { preflight, reasonOf } from "./preflight.ts";
import { type ServerReports, sayCertificate, sayRefused, serverReports } from "./server-reports.ts";
import { stopRefusedStart } from "./refused-start.ts";
import { heldIn, reportStores, sayStores, sayWaiting, storeHooks } from "./stores.ts";
import { encryptionOf, sayEncryption, STATUS_SCRIPT } from "./secrets-at-rest.ts";
import { lookAtSsh, sshFindings } from "./ssh-reach.ts";
import { claimedSize, releaseDeadClaim } from "./volume-binding.ts";
import { KEEP_PASSPHRASE } from "../components/backup/keep-passphrase.ts";
import { PORT } from "../components/server/server-pod.ts";
import { commandsFromCheckout } from "../components/storage/preparation.ts";

/**
 * Checks the cluster against the settings, and stops the deployment if they do not match.
 *
 * @param identity the stack that the data must belong to
 * @throws RunError with one line for each problem; in an `up`, also if the cluster cannot be queried
 */
export async function lookLive(settings: Settings, identity: string): Promise<Live> {
  const kubeconfig = kubeconfigForProvider(settings);
  const state = await checkedCluster(settings, identity);
  return {
    kubeconfig,
    claimed: claimedSize(state?.claim),
    acceptsPlain: state?.acceptsPlain,
    networkPolicies: state && deployedPolicies(state),
    lastProvenRestore: state?.provenRestore,
    heldSecrets: state && heldIn(state, settings),
    agentSocket: process.env.SSH_AUTH_SOCK,
    announcements: announcements(),
    announcePassphrase: announcement("announce-passphrase", () => [KEEP_PASSPHRASE]),
    ...(!pulumi.runtime.isDryRun() && changesTo(settings, identity, state)),
    ...(!pulumi.runtime.isDryRun() && { whenServing: enforcementOf(settings, state) }),
  };
}

/** The cluster's state, or undefined if a preview could not query it. */
async function checkedCluster(settings: Settings, identity: string): Promise<ClusterState | undefined> {
  const { cluster, node } = settings;
  const directories = directoriesOf(settings, identity);
  const [, ...others] = directories;
  const names = others.map(({ use }) => use.volume);
  const state = await lookAtCluster(cluster, APPLICATION, names, settings.secretStore.source).catch(
    (error: unknown) => reasonOf(error),
  );
  if (typeof state === "string") {
    const which =
      cluster.context === undefined ? "the current context's cluster" : `cluster ${cluster.context}`;
    const message = `${which} cannot be queried: ${state}. See: kubectl cluster-info`;
    if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(`cluster.context: ${message}`);
    await pulumi.log.warn(
      `${message}. Not checked: whether node ${node.hostname} exists` +
        `${node.requireGpu ? ` and offers ${node.gpuResource}` : ""}, and which stack an existing database belongs to`,
    );
    return undefined;
  }
  const { problems, warnings } = preflight(state, {
    ...expectationsOf(settings, identity),
    directories: others,
  });
  if (problems.length > 0) throw new pulumi.RunError(problems.map(problemLine).join("\n"));
  for (const warning of warnings) await pulumi.log.warn(warning);
  const unprepared = directories.filter((directory) => !hasVolume(state, directory));
  await checkSsh(settings, unprepared.length > 0);
  if (!pulumi.runtime.isDryRun()) await reportEncryption(settings);
  // While its trial fails, a new server waits for corrected settings, and the engine waits for the server.
  const beside = state.statefulSet ? [] : [stopRefusedStart(cluster, APPLICATION)];
  // Its first Secrets come from the store, and until then its pods wait without a word.
  if (!state.statefulSet && settings.secretStore.source !== "pulumi") beside.push(sayWaiting(settings));
  await watchPods(cluster, APPLICATION, state.pods, async (pods) => {
    await Promise.all(beside.map((look) => look(pods)));
  });
  // An `up` checks this after deploying, and fails.
  if (state.statefulSet && pulumi.runtime.isDryRun()) {
    const { configuration, certificate } = await serverReports(cluster, APPLICATION).catch(
      (): ServerReports => ({}),
    );
    if (configuration !== undefined) await pulumi.log.warn(sayRefused(configuration));
    if (certificate !== undefined) await pulumi.log.warn(sayCertificate(certificate));
  }
  await sayStores(settings, state);
  await sayPlainConnections(settings, state);
  const policies = await sayPolicies(cluster, state, settings.network, {
    database: settings.database.name,
    owner: settings.database.owner,
  });
  if (policies !== undefined) await pulumi.log.warn(policies);
  if (!state.volume) await sayFirstStart(settings);
  await sayPreparation(settings, unprepared);
  return state;
}

/** Warns of a server that goes on accepting connections without encryption. */
async function sayPlainConnections(
  { cluster, tls, database }: Settings,
  { acceptsPlain }: ClusterState,
): Promise<void> {
  // Switched off altogether, the configuration's own warning says more.
  if (acceptsPlain !== true || tls.source === "none" || tls.plainConnections === "refused") return;
  const names = { database: database.name, owner: database.owner };
  const sessions = await plainSessions(cluster, APPLICATION, names).catch(() => undefined);
  await pulumi.log.warn(sayPlain(sessions));
}

function expectationsOf(
  { node, storage, database, network, secretStore, monitoring }: Settings,
  identity: string,
): Expectations {
  return {
    hostname: node.hostname,
    needs: { requests: database.requests, limits: database.limits, tolerations: node.tolerations },
    gpuResource: node.requireGpu ? node.gpuResource : undefined,
    identity,
    namespace: APPLICATION,
    path: storage.path,
    image: database.image,
    upgradeTo: database.upgradeTo,
    names: { database: database.name, owner: database.owner },
    clusterRanges: network.clusterRanges,
    secretSource: secretStore.source,
    prometheus: monitoring.prometheus,
  };
}

/**
 * Checks the node's SSH server if the storage is prepared over SSH.
 *
 * @param needed whether a volume will be created, which needs the connection. Otherwise problems only warn
 * @throws RunError if the connection is needed and cannot be made
 */
async function checkSsh({ node, secrets }: Settings, needed: boolean): Promise<void> {
  if (node.connection !== "ssh" || node.sshHost === undefined || node.sshHostKey === undefined) return;
  const target = { host: node.sshHost, port: node.sshPort, hostKey: node.sshHostKey };
  const findings = sshFindings(target, await lookAtSsh(target));
  if (secrets.sshPrivateKey === undefined && !process.env.SSH_AUTH_SOCK) {
    findings.push({
      key: "secrets.sshPrivateKey",
      message:
        "is missing, and no SSH agent is running (SSH_AUTH_SOCK is not set). Start one: eval $(ssh-agent) && ssh-add; or: " +
        "pulumi config set --secret --path secrets.sshPrivateKey <~/.ssh/id_ed25519",
      certain: false,
    });
  }
  // The machine that deploys may differ from the one that previews, and may reach the node.
  const stops = findings.filter(({ certain }) => needed && (certain || !pulumi.runtime.isDryRun()));
  if (stops.length > 0) throw new pulumi.RunError(stops.map(problemLine).join("\n"));
  for (const finding of findings) await pulumi.log.warn(problemLine(finding));
}

/** Reports whether Secrets are encrypted at rest. */
async function reportEncryption({ stack, node, secrets }: Settings): Promise<void> {
  const key = secrets.sshPrivateKey;
  const { sshHost: host, sshPort: port, sshUser: user, sshHostKey: hostKey } = node;
  const isOverSsh = node.connection === "ssh" && host !== undefined && hostKey !== undefined;
  const privateKey =
    isOverSsh && key !== undefined
      ? await new Promise<string>((resolve) => key.apply((text) => resolve(text)))
      : undefined;
  const reach: NodeReach | undefined = isOverSsh
    ? { kind: "ssh", host, port, user, hostKey, privateKey }
    : node.connection === "local"
      ? { kind: "local" }
      : undefined;
  const encryption = reach && encryptionOf(await askNode(reach, STATUS_SCRIPT));
  const { isWarning, message } = sayEncryption(node.hostname, encryption, stack === "dev");
  await (isWarning ? pulumi.log.warn(message) : pulumi.log.info(message));
}

/** Announces that an empty directory will be filled: a first start is allowed once, and knowingly. */
async function sayFirstStart({ stack, node, storage }: Settings): Promise<void> {
  const start =
    `the cluster has no volume for this stack: existing data in ${storage.path} on ${node.hostname} is used; if the ` +
    "directory is new or empty, a new database is created in it, once";
  if (storage.mount !== undefined || stack === "dev") await pulumi.log.info(start);
  else {
    await pulumi.log.warn(
      `${start}. storage.mount is not set, so a disk that is not mounted would look like a new directory. Set it: ` +
        "pulumi config set --path storage.mount <mount point>",
    );
  }
}

/** Says how to prepare the directories that have no volume yet, where nothing else does. */
async function sayPreparation({ stack, node }: Settings, directories: readonly Directory[]): Promise<void> {
  if (node.connection !== "none" || directories.length === 0) return;
  const commands = commandsFromCheckout(
    stack,
    node.hostname,
    process.env[CONFIG_FILE_VARIABLE],
    directories.map(({ use }) => use.file),
  );
  await pulumi.log.info(
    [
      `No connection to node ${node.hostname} is configured (node.connection). Before a first deployment, prepare ` +
        `${directories.map(({ path }) => path).join(" and ")} on it:`,
      ...commands.map((line) => `  ${line}`),
    ].join("\n"),
  );
}

/**
 * The kubeconfig for the engine's provider, which reads only one. Undefined if it finds it itself.
 *
 * @throws RunError if KUBECONFIG cannot be used
 */
function kubeconfigForProvider({ cluster }: Settings): string | undefined {
  if (cluster.kubeconfig !== undefined) return cluster.kubeconfig;
  try {
    return providerKubeconfig(cluster.context);
  } catch (error) {
    if (error instanceof KubeconfigError) throw new pulumi.RunError(`cluster.kubeconfig: ${error.message}`);
    throw error;
  }
}

/**
 * Reports, in a preview and before an update, how a change affects the running server: the engine shows only how the
 * objects differ, not what happens to connections.
 */
function announcements(): Live["announcements"] {
  return {
    config: announcement("announce-settings", effectsOfConfig),
    server: announcement("announce-restart", effectsOfServer),
  };
}

/** A hook that reports what a resource's change, or its creation, has for effects. */
function announcement(
  name: string,
  effects: (before: object, after: object) => string[],
): pulumi.ResourceHook {
  return new pulumi.ResourceHook(
    name,
    async ({ oldInputs, newInputs }) => {
      for (const effect of effects(oldInputs ?? {}, newInputs ?? {})) await pulumi.log.info(effect);
    },
    { onDryRun: true },
  );
}

/** Milliseconds after which a pod, or a policy, is not new any more. */
const SETTLED = 30_000;

/**
 * Looks, in the background, whether network policies are enforced: at once if the server has them already, otherwise when
 * it has. Never fails the deployment.
 *
 * @returns reports what was found
 */
function enforcementOf({ cluster, node, database }: Settings, state: ClusterState | undefined) {
  const server = state?.pods.find(({ metadata }) => metadata.name === SERVER_POD);
  const started = Date.parse(server?.status?.startTime ?? "");
  const settled = state !== undefined && deployedPolicies(state) === "enforced" && isServing(server);
  const look = (grace: number) =>
    lookAtEnforcement(cluster, {
      namespace: APPLICATION,
      port: PORT,
      image: (state && runningImage(state)) ?? database.image,
      placement: { hostname: node.hostname, tolerations: node.tolerations },
      grace,
    });
  const early = settled ? look(Date.now() - started > SETTLED ? 0 : 5) : undefined;
  return async () => {
    const { text, warning } = sayEnforcement(await (early ?? look(5)));
    await (warning ? pulumi.log.warn(text) : pulumi.log.info(text));
  };
}

/** Whether the server's pod is ready. */
function isServing(pod: PodObject | undefined): boolean {
  return pod?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

/** What an `up` does in the cluster in addition to its resources, and in which order. A preview does none of it. */
function changesTo(
  settings: Settings,
  identity: string,
  state: ClusterState | undefined,
): Pick<
  Live,
  | "isNewServer"
  | "beforeClaim"
  | "beforeSecret"
  | "afterSecret"
  | "handOverSecret"
  | "afterChange"
  | "beforeJob"
  | "whenDeployed"
> {
  const { cluster } = settings;
  return {
    // The order is not part of what is deployed: a preview shows the same objects, and plans the safe order.
    isNewServer: state !== undefined && state.statefulSet === undefined,
    // Releases the volume from a claim that no longer exists.
    beforeClaim: new pulumi.ResourceHook("release-dead-claim", async ({ newInputs }) => {
      const { name } = (newInputs as { metadata: { name: string } }).metadata;
      const own = directoriesOf(settings, identity).find(({ use }) => use.claim === name);
      // There was none when the deployment began.
      if (own && state && !hasVolume(state, own)) return;
      if (
        own &&
        (await releaseDeadClaim(cluster, { namespace: APPLICATION, path: own.path, use: own.use }))
      ) {
        await pulumi.log.info("the volume that an earlier deployment left Released is bound again");
      }
    }),
    ...storeHooks(settings, state),
    // A new password is then in force when the deployment ends, or soon after.
    afterChange: new pulumi.ResourceHook("prompt-kubelet", async () => {
      await promptKubelet(cluster, APPLICATION).catch((error: unknown) =>
        pulumi.log.info(`the running pod picks up the change within 90 s: ${reasonOf(error)}`),
      );
    }),
    beforeJob: new pulumi.ResourceHook("delete-left-job", ({ newInputs }) => {
      const { name } = (newInputs as { metadata: { name: string } }).metadata;
      // No such Job existed when the deployment began.
      if (state && !state.jobs.includes(name)) return;
      return deleteLeftJob(cluster, APPLICATION, name);
    }),
    whenDeployed: async () => {
      await reportStores(settings);
      const reports: ServerReports = await serverReports(cluster, APPLICATION).catch(
        async (error: unknown) => {
          await pulumi.log.warn(
            `could not check whether the server runs with the deployed settings: ${reasonOf(error)}`,
          );
          return {};
        },
      );
      if (reports.certificate !== undefined) await pulumi.log.warn(sayCertificate(reports.certificate));
      if (reports.configuration !== undefined) throw new pulumi.RunError(sayRefused(reports.configuration));
    },
  };
}
