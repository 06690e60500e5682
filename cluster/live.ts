/** The live cluster, as the program needs it: looked at before a deployment, and reached into while it goes on. */
import * as pulumi from "@pulumi/pulumi";
import { APPLICATION } from "../components/kubernetes/labels.ts";
import type { Settings } from "../config.ts";
import { CONFIG_FILE_VARIABLE } from "../config/file-variable.ts";
import { problemLine } from "../problem.ts";
import type { Live } from "../program.ts";
import { effectsOfConfig, effectsOfServer } from "./change-effects.ts";
import { type ClusterState, type Expectations, lookAtCluster } from "./cluster-state.ts";
import { KubeconfigError, providerKubeconfig } from "./kubeconfig.ts";
import { promptKubelet } from "./kubelet-prompt.ts";
import { deleteLeftJob } from "./left-job.ts";
import { watchPods } from "./pod-watch.ts";
import { preflight, reasonOf } from "./preflight.ts";
import { refusedConfiguration, sayRefused } from "./refused-configuration.ts";
import { stopRefusedStart } from "./refused-start.ts";
import { lookAtSsh, sshFindings } from "./ssh-reach.ts";
import { claimedSize, releaseDeadClaim } from "./volume-binding.ts";
import { commandsFromCheckout } from "../components/storage/preparation.ts";

/**
 * Looks at the cluster that the settings describe, and stops the deployment when it is not that cluster.
 *
 * @param identity whose data it is
 * @throws RunError with one line for each problem; in an `up` also when the cluster cannot be looked at
 */
export async function lookLive(settings: Settings, identity: string): Promise<Live> {
  const kubeconfig = kubeconfigForProvider(settings);
  const state = await checkedCluster(settings, identity);
  return {
    kubeconfig,
    claimed: claimedSize(state?.claim),
    agentSocket: process.env.SSH_AUTH_SOCK,
    announcements: announcements(),
    ...(!pulumi.runtime.isDryRun() && changesTo(settings, state)),
  };
}

/** The cluster's state, or undefined where a preview could not look. */
async function checkedCluster(settings: Settings, identity: string): Promise<ClusterState | undefined> {
  const { cluster, node } = settings;
  const state = await lookAtCluster(cluster, APPLICATION).catch((error: unknown) => reasonOf(error));
  if (typeof state === "string") {
    const which =
      cluster.context === undefined ? "the current context's cluster" : `cluster ${cluster.context}`;
    const message = `${which} cannot be looked at: ${state}. See: kubectl cluster-info`;
    if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(`cluster.context: ${message}`);
    await pulumi.log.warn(
      `${message}. Not checked: whether node ${node.hostname} exists` +
        `${node.requireGpu ? ` and offers ${node.gpuResource}` : ""}, and whose database is there already`,
    );
    return undefined;
  }
  const { problems, warnings } = preflight(state, expectationsOf(settings, identity));
  if (problems.length > 0) throw new pulumi.RunError(problems.map(problemLine).join("\n"));
  for (const warning of warnings) await pulumi.log.warn(warning);
  await checkSsh(settings, state.volume === undefined);
  // Beside a trial that fails, a new server waits for somebody to correct its settings, and the engine for the server.
  const beside = state.statefulSet ? undefined : stopRefusedStart(cluster, APPLICATION);
  await watchPods(cluster, APPLICATION, state.pods, beside);
  // An `up` asks when it has deployed, and fails.
  if (state.statefulSet && pulumi.runtime.isDryRun()) {
    const refused = await refusedConfiguration(cluster, APPLICATION).catch(() => undefined);
    if (refused !== undefined) await pulumi.log.warn(sayRefused(refused));
  }
  if (!state.volume) await sayFirstStart(settings);
  return state;
}

function expectationsOf({ node, storage, database }: Settings, identity: string): Expectations {
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
  };
}

/**
 * Looks at the node's SSH server, where the storage is prepared over it.
 *
 * @param needed whether a volume is to be made, for which the connection is needed. Otherwise problems only warn
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
  if (stops.length > 0) throw new pulumi.RunError(stops.map(problemLine).join("\n"));
  for (const finding of findings) await pulumi.log.warn(problemLine(finding));
}

/** Says that an empty directory will be filled, before it is: a first start is allowed once, and knowingly. */
async function sayFirstStart({ stack, node, storage }: Settings): Promise<void> {
  const start =
    `the cluster has no volume of this stack: data that is in ${storage.path} on ${node.hostname} is taken up; where ` +
    "the directory is new or empty, a new database is made in it, once";
  if (storage.mount !== undefined || stack === "dev") await pulumi.log.info(start);
  else {
    await pulumi.log.warn(
      `${start}. storage.mount is not set, so a disk that is not mounted would look like a new directory. Set it: ` +
        "pulumi config set --path storage.mount <mount point>",
    );
  }
  if (node.connection !== "none") return;
  await pulumi.log.info(
    [
      `No connection to node ${node.hostname} is configured (node.connection). Before a first deployment, prepare ` +
        `${storage.path} on it:`,
      ...commandsFromCheckout(stack, node.hostname, process.env[CONFIG_FILE_VARIABLE]).map(
        (line) => `  ${line}`,
      ),
    ].join("\n"),
  );
}

/**
 * The kubeconfig for the engine's provider, which reads one: undefined where it finds it by itself.
 *
 * @throws RunError when KUBECONFIG cannot be used
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
 * Says, in a preview and before an update, what a change does to the server that runs: the engine shows what differs
 * from the deployed objects, not what becomes of the connections.
 */
function announcements(): Live["announcements"] {
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

/** What an `up` does in the cluster besides its resources, and in which order. A preview does none of it. */
function changesTo(
  { cluster, storage }: Settings,
  state: ClusterState | undefined,
): Pick<Live, "isNewServer" | "beforeClaim" | "afterChange" | "beforeJob" | "whenDeployed"> {
  return {
    // The order is no part of what is deployed: a preview shows the same objects, and plans the safe one.
    isNewServer: state !== undefined && state.statefulSet === undefined,
    // Takes the volume back from a claim that is gone.
    beforeClaim: new pulumi.ResourceHook("release-dead-claim", async () => {
      if (state && !state.volume) return;
      if (await releaseDeadClaim(cluster, { namespace: APPLICATION, path: storage.path })) {
        await pulumi.log.info("the volume that an earlier deployment left Released is bound again");
      }
    }),
    // A new password is then in force when the deployment has ended, or soon after.
    afterChange: new pulumi.ResourceHook("prompt-kubelet", async () => {
      await promptKubelet(cluster, APPLICATION).catch((error: unknown) =>
        pulumi.log.info(`the running pod takes up the change within 90 s: ${reasonOf(error)}`),
      );
    }),
    beforeJob: new pulumi.ResourceHook("delete-left-job", ({ newInputs }) => {
      const { name } = (newInputs as { metadata: { name: string } }).metadata;
      // There was none when the deployment began.
      if (state && !state.jobs.includes(name)) return;
      return deleteLeftJob(cluster, APPLICATION, name);
    }),
    whenDeployed: async () => {
      const refused = await refusedConfiguration(cluster, APPLICATION).catch((error: unknown) =>
        pulumi.log.warn(
          `whether the server runs with the deployed settings could not be asked: ${reasonOf(error)}`,
        ),
      );
      if (typeof refused === "string") throw new pulumi.RunError(sayRefused(refused));
    },
  };
}
