/**
 * The stack `dev` where no Pulumi CLI can be had: the rendered objects, applied server-side in the same order, with
 * what the engine would have done beside them (the node's storage, the passwords, the Released volume).
 */
import { rmSync } from "node:fs";
import { deployedNames } from "../../cluster/deployed-names.ts";
import { type ClusterContext, contextFlags, read } from "../../cluster/kubectl.ts";
import { withoutDumps } from "../../cluster/kubectl-errors.ts";
import { promptKubelet } from "../../cluster/kubelet-prompt.ts";
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import { loginSecretName, LOGINS_KEY, loginsIn, loginsText } from "../../components/credentials/logins.ts";
import { preparationScript } from "../../components/storage/node-storage.ts";
import type { PodNeeds, Toleration } from "../../cluster/node-fitness.ts";
import { type Expectations, lookAtCluster } from "../../cluster/cluster-state.ts";
import { preflight } from "../../cluster/preflight.ts";
import { problemLine } from "../../problem.ts";
import { readPods, troublesOf } from "../../cluster/pod-troubles.ts";
import { claimedSize, releaseDeadClaim } from "../../cluster/volume-binding.ts";
import type { DevState } from "./state.ts";
import { generatedPassword } from "../evaluation/recorder.ts";
import type { Manifest } from "../evaluation/manifests.ts";
import { attempt, CommandFailed, run } from "../processes.ts";
import { renderStack, type Rendering, writeRendering } from "../evaluation/rendering.ts";
import {
  LOGIN_SECRET_PREFIX,
  LOGINS_SECRET,
  INIT_JOB_NAME,
  SERVER_NAME,
  SETTINGS_JOB_NAME,
  UPGRADE_JOB_NAME,
  CLAIM_NAME,
  VOLUME_NAME,
} from "../../components/kubernetes/names.ts";

const APPLY = ["apply", "--server-side", "--force-conflicts", "--field-manager=transcript-pipeline"];

async function kubectl(cluster: ClusterContext, args: readonly string[], input?: string): Promise<string> {
  try {
    return await run("kubectl", [...contextFlags(cluster), ...args], input === undefined ? {} : { input });
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new CommandFailed(
      ["kubectl", ...args.slice(0, 2)].join(" "),
      error.status,
      withoutDumps(error.output),
    );
  }
}

function manifestOf<T extends Manifest>(rendering: Rendering, kind: string, name: string): T {
  const found = rendering.files.find(
    ({ manifest }) => manifest.kind === kind && manifest.metadata.name === name,
  );
  if (!found) throw new Error(`the program registers no ${kind} ${name}`);
  return found.manifest as T;
}

type VolumeManifest = Manifest & {
  metadata: { annotations: { "transcript-pipeline/identity": string } };
  spec: { capacity: { storage: string }; hostPath: { path: string } };
};

type ServerManifest = Manifest & {
  spec: {
    template: {
      spec: {
        nodeSelector: { "kubernetes.io/hostname": string };
        tolerations?: Toleration[];
        containers: { name: string; image: string; resources: Omit<PodNeeds, "tolerations"> }[];
      };
    };
  };
};

type JobManifest = Manifest & {
  spec: { template: { spec: { volumes: { configMap?: { name: string } }[] } } };
};

type ClaimManifest = Manifest & { spec: { resources: { requests: { storage: string } } } };
type SecretManifest = Manifest & { stringData: Record<string, string> };
type LiveSecret = { metadata: { name: string }; data?: Record<string, string> };

const secretsPath = `/api/v1/namespaces/${APPLICATION}/secrets`;

/** Keeps the password that the cluster has; makes one where it has none. Returns the one in force. */
async function ensureSecret(cluster: ClusterContext, rendered: SecretManifest): Promise<string> {
  const { name } = rendered.metadata;
  const live = await read<LiveSecret>(cluster, `${secretsPath}/${name}`);
  if (live !== undefined) return Buffer.from(live.data?.POSTGRES_PASSWORD ?? "", "base64").toString();
  const password = generatedPassword();
  const stringData = { ...rendered.stringData, POSTGRES_PASSWORD: password };
  await kubectl(cluster, ["create", "-f", "-"], JSON.stringify({ ...rendered, stringData }));
  console.log(`Secret ${name}: created with a new password`);
  return password;
}

/** Makes the stack's Secrets, and deletes those of logins that are no longer in it. */
async function ensureSecrets(cluster: ClusterContext, rendering: Rendering): Promise<void> {
  const secrets = rendering.files.flatMap(({ manifest }) =>
    manifest.kind === "Secret" ? [manifest as SecretManifest] : [],
  );
  const inForce = new Map<string, string>();
  for (const secret of secrets) {
    const { name } = secret.metadata;
    if (name !== LOGINS_SECRET) inForce.set(name, await ensureSecret(cluster, secret));
  }
  // What reconcile reads is put together anew, with the passwords that the cluster has.
  const rendered = manifestOf<SecretManifest>(rendering, "Secret", LOGINS_SECRET);
  const logins = loginsIn(rendered.stringData[LOGINS_KEY] ?? "").map((login) => ({
    ...login,
    password: inForce.get(loginSecretName(login.name)) ?? "",
  }));
  const stringData = { [LOGINS_KEY]: loginsText(logins) };
  await kubectl(cluster, [...APPLY, "-f", "-"], JSON.stringify({ ...rendered, stringData }));

  const live = await read<{ items: LiveSecret[] }>(cluster, secretsPath);
  const stale = (live?.items ?? [])
    .map(({ metadata }) => metadata.name)
    .filter((name) => name.startsWith(LOGIN_SECRET_PREFIX) && !inForce.has(name));
  if (stale.length > 0) await kubectl(cluster, ["delete", "secret", "-n", APPLICATION, ...stale]);
}

/** What the rendered objects expect of the cluster. */
function expectationsOf(rendering: Rendering, volume: VolumeManifest): Expectations {
  const server = manifestOf<ServerManifest>(rendering, "StatefulSet", SERVER_NAME);
  const { nodeSelector, tolerations = [], containers } = server.spec.template.spec;
  const postgres = containers.find(({ name }) => name === SERVER_NAME);
  const image = postgres?.image ?? "";
  const isUpgrade = rendering.files.some(({ manifest }) => manifest.metadata.name === UPGRADE_JOB_NAME);
  return {
    hostname: nodeSelector["kubernetes.io/hostname"],
    needs: postgres && { ...postgres.resources, tolerations },
    identity: volume.metadata.annotations["transcript-pipeline/identity"],
    namespace: APPLICATION,
    path: volume.spec.hostPath.path,
    image,
    upgradeTo: isUpgrade ? image : undefined,
    names: { database: "", owner: "", ...deployedNames(volume, undefined, undefined) },
  };
}

/** Applies the stack and waits until the schema is there. */
export async function upWithKubectl(cluster: ClusterContext, state: DevState, here: boolean): Promise<void> {
  const rendering = await renderStack("dev", state.configFile);
  const volume = manifestOf<VolumeManifest>(rendering, "PersistentVolume", VOLUME_NAME);
  const live = await lookAtCluster(cluster, APPLICATION);
  const expectations = expectationsOf(rendering, volume);
  const { problems, warnings } = preflight(live, expectations);
  if (problems.length > 0) throw new Error(problems.map(problemLine).join("\n"));
  for (const warning of warnings) console.log(warning);

  const claim = manifestOf<ClaimManifest>(rendering, "PersistentVolumeClaim", CLAIM_NAME);
  // What it once asked for cannot be changed, and need not: the volume is as large as its own object says.
  const claimed = claimedSize(live.claim);
  if (claimed !== undefined) claim.spec.resources.requests.storage = claimed;
  const { notes } = writeRendering(rendering, state.renderedDirectory, { secrets: false });

  // While the volume's object exists there is data: a directory that is not there must not be made anew.
  if (here && live.volume === undefined) {
    const script = preparationScript({
      path: volume.spec.hostPath.path,
      capacity: volume.spec.capacity.storage,
      identity: volume.metadata.annotations["transcript-pipeline/identity"],
      mount: rendering.mount,
    });
    process.stdout.write(await run("/bin/sh", ["-c", script]));
  } else if (!here) {
    for (const note of notes) console.log(note);
  }

  const namespace = manifestOf(rendering, "Namespace", APPLICATION);
  await kubectl(cluster, [...APPLY, "-f", "-"], JSON.stringify(namespace));
  await ensureSecrets(cluster, rendering);
  await releaseDeadClaim(cluster, { namespace: APPLICATION, path: volume.spec.hostPath.path });
  for (const { manifest } of rendering.files.filter(({ manifest: { kind } }) => kind === "Job")) {
    await deleteStaleJob(cluster, manifest);
  }
  await trySettings(cluster, rendering);
  process.stdout.write(await kubectl(cluster, [...APPLY, "-k", state.renderedDirectory]));
  await promptKubelet(cluster, APPLICATION);
  await waitForJob(cluster, INIT_JOB_NAME, "the init Job");
}

/**
 * Runs the Job that tries the image and the settings, before anything that the server mounts or is made from changes.
 *
 * @throws with its last words when it fails; the server then runs on with what it has
 */
async function trySettings(cluster: ClusterContext, rendering: Rendering): Promise<void> {
  const job = manifestOf(rendering, "Job", SETTINGS_JOB_NAME) as unknown as JobManifest;
  const names = job.spec.template.spec.volumes.flatMap(({ configMap }) => configMap?.name ?? []);
  const objects = [...names.map((name) => manifestOf(rendering, "ConfigMap", name)), job];
  const list = { apiVersion: "v1", kind: "List", items: objects };
  process.stdout.write(await kubectl(cluster, [...APPLY, "-f", "-"], JSON.stringify(list)));
  await waitForJob(cluster, SETTINGS_JOB_NAME, "the Job that tries the settings");
}

type JobState = {
  spec: { template: { metadata?: { annotations?: Record<string, string> } } };
  status?: { conditions?: { type: string; status: string; message?: string }[] };
};

const jobPath = (name: string) => `/apis/batch/v1/namespaces/${APPLICATION}/jobs/${name}`;

/** Whether the cluster takes the rendered Job in the place of the one it has: most of a Job cannot be changed. */
async function canBeApplied(cluster: ClusterContext, rendered: Manifest): Promise<boolean> {
  const args = [...contextFlags(cluster), ...APPLY, "--dry-run=server", "-f", "-"];
  return (await attempt("kubectl", args, { input: JSON.stringify(rendered) })).ok;
}

/** A Job that differs, failed or has not ended, makes room for the new one: a finished Job is not run again. */
async function deleteStaleJob(cluster: ClusterContext, rendered: Manifest): Promise<void> {
  const { name } = rendered.metadata;
  const live = await read<JobState>(cluster, jobPath(name));
  if (live === undefined) return;
  const files = (job: JobState) => job.spec.template.metadata?.annotations?.["transcript-pipeline/files"];
  const succeeded = live.status?.conditions?.some(
    ({ type, status }) => type === "Complete" && status === "True",
  );
  const same =
    files(live) === files(rendered as unknown as JobState) && (await canBeApplied(cluster, rendered));
  if (succeeded && same) return;
  if (!same) console.log(`Job ${name}: replaced by the one of this configuration`);
  await kubectl(cluster, ["delete", "job", name, "-n", APPLICATION, "--wait=true"]);
}

/** Waits for a Job, saying what the pods are doing. */
async function waitForJob(cluster: ClusterContext, name: string, what: string): Promise<void> {
  let said = "";
  for (;;) {
    const conditions = (await read<JobState>(cluster, jobPath(name)))?.status?.conditions ?? [];
    if (conditions.some(({ type, status }) => type === "Complete" && status === "True")) return;
    const failed = conditions.find(({ type, status }) => type === "Failed" && status === "True");
    if (failed) {
      const logs = await kubectl(cluster, [
        ...["logs", "-n", APPLICATION, `job/${name}`, "--all-containers", "--tail=20"],
      ]).catch(String);
      throw new Error(`Job ${name} failed: ${failed.message ?? ""}\n${logs}`);
    }
    const pods = await kubectl(cluster, ["get", "pods", "-n", APPLICATION, "--no-headers"]);
    const troubles = (await readPods(cluster, APPLICATION)).flatMap(troublesOf);
    const now = [pods.replace(/\s+/g, " ").trim(), ...troubles].join("\n  ");
    if (now !== said) console.log(`waiting for ${what}: ${now}`);
    said = now;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Deletes the stack's objects. The directory, and the passwords' meaning with it, stay on the node. */
export async function downWithKubectl(cluster: ClusterContext, state: DevState): Promise<void> {
  await kubectl(cluster, ["delete", "namespace", APPLICATION, "--ignore-not-found"]);
  await kubectl(cluster, ["delete", "pv", VOLUME_NAME, "--ignore-not-found"]);
  rmSync(state.renderedDirectory, { recursive: true, force: true });
}
