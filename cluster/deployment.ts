/** What a deployment of the settings does beside its resources: looking at the cluster, and reaching the node. */
import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import type { Settings } from "../config.ts";
import { CONFIG_FILE_VARIABLE } from "../config/file-variable.ts";
import { doubtAboutImage, effectsOfConfig, effectsOfServer } from "../cluster/change-effects.ts";
import { commandsFromCheckout, type NodeConnection } from "../components/storage/node-storage.ts";
import { KubeconfigError, providerKubeconfig } from "./kubeconfig.ts";
import type { ClusterContext } from "./kubectl.ts";
import { promptKubelet } from "./kubelet-prompt.ts";
import { deleteLeftJob } from "./left-job.ts";
import { type PodObject, readPods, troublesOf } from "./pod-troubles.ts";
import {
  type Expectations,
  findDoubts,
  findObstacles,
  lookAtCluster,
  reasonOf,
  runningImage,
} from "./preflight.ts";
import { refusedConfiguration, sayRefused } from "./refused-configuration.ts";
import type { Announcements } from "../components/server/server.ts";
import { lookAtSsh, sshFindings } from "./ssh-reach.ts";
import { claimedSize, releaseDeadClaim } from "./volume-binding.ts";

/** Whether the program is only evaluated, by `render` or a unit test: there is no cluster to look at then. */
function withoutEngine(): boolean {
  return pulumi.runtime.getMonitor() instanceof MockMonitor;
}

/** Milliseconds between two looks at the pods. */
const POD_WATCH_INTERVAL = 2000;

/**
 * Says, once each, why pods do not run, for as long as the deployment goes on: the engine waits for a server that
 * refuses to start, and knows no more than that it does.
 */
async function watchPods(
  cluster: ClusterContext,
  namespace: string,
  first: readonly PodObject[],
): Promise<void> {
  const said = new Set<string>();
  const say = async (pods: readonly PodObject[]): Promise<void> => {
    for (const trouble of pods.flatMap(troublesOf)) {
      if (said.has(trouble)) continue;
      said.add(trouble);
      await pulumi.log.warn(trouble);
    }
  };
  await say(first);
  if (pulumi.runtime.isDryRun()) return;
  const look = (): void => {
    // It is the deployment that keeps the program alive, not the watch.
    setTimeout(() => {
      void readPods(cluster, namespace)
        .then(say)
        // A look that fails is no news: the deployment itself says what is wrong with the cluster.
        .catch(() => undefined)
        .then(look);
    }, POD_WATCH_INTERVAL).unref();
  };
  look();
}

/**
 * Stops the deployment when the cluster is not the one that the settings describe.
 *
 * @returns what is in the cluster and must stay as it is: the size that its claim asked for
 * @throws RunError with one line for each obstacle; in an `up` also when the cluster cannot be looked at
 */
export async function checkCluster(
  settings: Settings,
  identity: string,
  namespace: string,
): Promise<{ claimed?: string | undefined }> {
  if (withoutEngine()) return {};
  const { cluster, node, storage, database } = settings;
  const state = await lookAtCluster(cluster, namespace).catch((error: unknown) => reasonOf(error));
  if (typeof state === "string") {
    const which =
      cluster.context === undefined ? "the current context's cluster" : `cluster ${cluster.context}`;
    const message = `${which} cannot be looked at: ${state}. See: kubectl cluster-info`;
    if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(`cluster.context: ${message}`);
    await pulumi.log.warn(
      `${message}. Not checked: whether node ${node.hostname} exists` +
        `${node.requireGpu ? ` and offers ${node.gpuResource}` : ""}, and whose database is there already`,
    );
    return {};
  }
  const expectations: Expectations = {
    hostname: node.hostname,
    needs: { requests: database.requests, limits: database.limits, tolerations: node.tolerations },
    gpuResource: node.requireGpu ? node.gpuResource : undefined,
    identity,
    namespace,
    path: storage.path,
    image: database.image,
    upgradeTo: database.upgradeTo,
    names: { database: database.name, owner: database.owner },
  };
  const obstacles = findObstacles(state, expectations);
  if (obstacles.length > 0) {
    throw new pulumi.RunError(obstacles.map(({ key, message }) => `${key}: ${message}`).join("\n"));
  }
  for (const { key, message } of findDoubts(state, expectations)) await pulumi.log.warn(`${key}: ${message}`);
  const running = runningImage(state);
  const doubt = running === undefined ? undefined : doubtAboutImage(running, database.image);
  if (doubt !== undefined) await pulumi.log.warn(doubt);
  await checkSsh(settings, state.volume === undefined);
  await watchPods(cluster, namespace, state.pods);
  // An `up` looks again when it has deployed, and fails.
  const refused =
    state.statefulSet && (await refusedConfiguration(cluster, namespace).catch(() => undefined));
  if (refused !== undefined && pulumi.runtime.isDryRun()) await pulumi.log.warn(sayRefused(refused));
  if (!state.volume) await sayFirstStart(settings);
  if (node.connection === "none" && !state.volume) {
    await pulumi.log.info(
      [
        `No connection to node ${node.hostname} is configured (node.connection). Before a first deployment, prepare ` +
          `${storage.path} on it:`,
        ...commandsFromCheckout(settings.stack, node.hostname, process.env[CONFIG_FILE_VARIABLE]).map(
          (line) => `  ${line}`,
        ),
      ].join("\n"),
    );
  }
  return { claimed: claimedSize(state.claim) };
}

/**
 * Looks at the node's SSH server, where the storage is prepared over it.
 *
 * @param needed whether a volume is to be made, for which the connection is needed; else it is only told
 * @throws RunError when the connection is needed and cannot be made
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
  // Another machine may deploy than the one that previews, and that one may reach the node.
  const stops = findings.filter(({ certain }) => needed && (certain || !pulumi.runtime.isDryRun()));
  if (stops.length > 0) {
    throw new pulumi.RunError(stops.map(({ key, message }) => `${key}: ${message}`).join("\n"));
  }
  for (const { key, message } of findings) await pulumi.log.warn(`${key}: ${message}`);
}

/** Says that an empty directory will be filled, before it is: a first start is allowed once, and knowingly. */
async function sayFirstStart({ stack, node, storage }: Settings): Promise<void> {
  const start =
    `the cluster has no volume of this stack: data that is in ${storage.path} on ${node.hostname} is taken up; where ` +
    "the directory is new or empty, a new database is made in it, once";
  if (storage.mount !== undefined || stack === "dev") return pulumi.log.info(start);
  await pulumi.log.warn(
    `${start}. storage.mount is not set, so a disk that is not mounted would look like a new directory. Set it: ` +
      "pulumi config set --path storage.mount <mount point>",
  );
}

/**
 * The kubeconfig for the engine's provider, which reads one: undefined where it finds it by itself.
 *
 * @throws RunError when KUBECONFIG cannot be used
 */
export function kubeconfigForProvider({ cluster }: Settings): string | undefined {
  if (cluster.kubeconfig !== undefined || withoutEngine()) return cluster.kubeconfig;
  try {
    return providerKubeconfig(cluster.context);
  } catch (error) {
    if (error instanceof KubeconfigError) throw new pulumi.RunError(`cluster.kubeconfig: ${error.message}`);
    throw error;
  }
}

/** How the node's file system is reached, or undefined when it is prepared by hand. */
export function connectionTo({ node, secrets }: Settings): NodeConnection | undefined {
  if (node.connection === "none") return undefined;
  if (node.connection === "local") return { kind: "local" };
  return {
    kind: "ssh",
    // Both are there: the configuration's checks ask for them.
    host: node.sshHost ?? "",
    hostKey: node.sshHostKey ?? "",
    port: node.sshPort,
    user: node.sshUser,
    privateKey: secrets.sshPrivateKey === undefined ? undefined : pulumi.secret(secrets.sshPrivateKey),
    agentSocket: process.env.SSH_AUTH_SOCK,
  };
}

/**
 * Says, in a preview and before an update, what a change does to the server that runs: the engine shows what differs
 * from the deployed objects, not what becomes of the connections.
 */
export function announcements(): Announcements | undefined {
  if (withoutEngine()) return undefined;
  const hook = (name: string, effects: (before: object, after: object) => string[]) =>
    new pulumi.ResourceHook(
      name,
      async ({ oldInputs, newInputs }) => {
        for (const effect of effects(oldInputs ?? {}, newInputs ?? {})) await pulumi.log.info(effect);
      },
      { onDryRun: true },
    );
  return {
    config: hook("announce-settings", effectsOfConfig),
    server: hook("announce-restart", effectsOfServer),
  };
}

/** Takes the volume back from a claim that is gone, just before the new claim is made. Nothing in a preview. */
export function rebindHook(
  { cluster, storage }: Settings,
  namespace: string,
): pulumi.ResourceHook | undefined {
  if (withoutEngine() || pulumi.runtime.isDryRun()) return undefined;
  return new pulumi.ResourceHook("release-dead-claim", async () => {
    if (await releaseDeadClaim(cluster, { namespace, path: storage.path })) {
      await pulumi.log.info("the volume that an earlier deployment left Released is bound again");
    }
  });
}

/**
 * Has what changed in a Secret or in the settings reach the running pod at once, so that a new password is in force
 * when the deployment has ended, or soon after. Nothing in a preview.
 */
export function promptHook({ cluster }: Settings, namespace: string): pulumi.ResourceHook | undefined {
  if (withoutEngine() || pulumi.runtime.isDryRun()) return undefined;
  return new pulumi.ResourceHook("prompt-kubelet", async () => {
    await promptKubelet(cluster, namespace).catch((error: unknown) =>
      pulumi.log.info(`the running pod takes up the change within 90 s: ${reasonOf(error)}`),
    );
  });
}

/** Makes room for the init Job, just before it is made. Nothing in a preview. */
export function jobHook({ cluster }: Settings, namespace: string): pulumi.ResourceHook | undefined {
  if (withoutEngine() || pulumi.runtime.isDryRun()) return undefined;
  return new pulumi.ResourceHook("delete-left-job", ({ newInputs }) => {
    const { name } = (newInputs as { metadata: { name: string } }).metadata;
    return deleteLeftJob(cluster, namespace, name);
  });
}

/**
 * Fails an `up`, when everything else of it is done, if the server runs without the configuration that is deployed. Does
 * nothing in a preview.
 *
 * @param done known when everything is deployed
 */
export function requireConfiguration(
  { cluster }: Settings,
  namespace: string,
  done: pulumi.Output<string>,
): void {
  if (withoutEngine() || pulumi.runtime.isDryRun()) return;
  done.apply(async () => {
    const refused = await refusedConfiguration(cluster, namespace).catch((error: unknown) =>
      pulumi.log.warn(
        `whether the server runs with the deployed settings could not be asked: ${reasonOf(error)}`,
      ),
    );
    if (typeof refused === "string") throw new pulumi.RunError(sayRefused(refused));
  });
}
