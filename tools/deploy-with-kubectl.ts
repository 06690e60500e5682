/**
 * The stack `dev` where no Pulumi CLI can be had: the rendered objects, applied server-side in the same order, with
 * what the engine would have done beside them (the node's storage, the passwords, the Released volume).
 */
import { rmSync } from "node:fs";
import { type ClusterContext, contextFlags, read } from "../components/kubectl.ts";
import { APPLICATION } from "../components/labels.ts";
import { JOB_NAME } from "../components/migration.ts";
import { preparationScript } from "../components/node-storage.ts";
import { claimedSize, readClaim, releaseDeadClaim } from "../components/volume-binding.ts";
import { CLAIM_NAME, VOLUME_NAME } from "../components/volume.ts";
import type { DevState } from "./dev-state.ts";
import { generatedPassword } from "./evaluate.ts";
import type { Manifest } from "./manifests.ts";
import { run } from "./processes.ts";
import { renderStack, type Rendering, writeRendering } from "./rendering.ts";

const FIELD_MANAGER = "transcript-pipeline";

function kubectl(cluster: ClusterContext, args: readonly string[], input?: string): Promise<string> {
  return run("kubectl", [...contextFlags(cluster), ...args], input === undefined ? {} : { input });
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

type ClaimManifest = Manifest & { spec: { resources: { requests: { storage: string } } } };

/** Keeps the password that the cluster has; makes one where it has none. */
async function ensureSecret(cluster: ClusterContext, rendered: Manifest): Promise<void> {
  const { name } = rendered.metadata;
  const live = await read(cluster, `/api/v1/namespaces/${APPLICATION}/secrets/${name}`);
  if (live !== undefined) return;
  const stringData = {
    ...(rendered.stringData as Record<string, string>),
    POSTGRES_PASSWORD: generatedPassword(),
  };
  await kubectl(cluster, ["create", "-f", "-"], JSON.stringify({ ...rendered, stringData }));
  console.log(`Secret ${name}: created with a new password`);
}

/** Applies the stack and waits until the schema is there. */
export async function upWithKubectl(cluster: ClusterContext, state: DevState, here: boolean): Promise<void> {
  const rendering = await renderStack("dev", state.configFile);
  const claim = manifestOf<ClaimManifest>(rendering, "PersistentVolumeClaim", CLAIM_NAME);
  // What it once asked for cannot be changed, and need not: the volume is as large as its own object says.
  const claimed = claimedSize(await readClaim(cluster, APPLICATION));
  if (claimed !== undefined) claim.spec.resources.requests.storage = claimed;
  const { notes } = writeRendering(rendering, state.renderedDirectory, { secrets: false });
  const volume = manifestOf<VolumeManifest>(rendering, "PersistentVolume", VOLUME_NAME);

  if (here) {
    const script = preparationScript({
      path: volume.spec.hostPath.path,
      capacity: volume.spec.capacity.storage,
      identity: volume.metadata.annotations["transcript-pipeline/identity"],
    });
    process.stdout.write(await run("/bin/sh", ["-c", script]));
  } else {
    for (const note of notes) console.log(note);
  }

  const apply = ["apply", "--server-side", "--force-conflicts", `--field-manager=${FIELD_MANAGER}`];
  const namespace = manifestOf(rendering, "Namespace", APPLICATION);
  await kubectl(cluster, [...apply, "-f", "-"], JSON.stringify(namespace));
  for (const name of ["postgres-secret", "postgres-superuser"]) {
    await ensureSecret(cluster, manifestOf(rendering, "Secret", name));
  }
  await releaseDeadClaim(cluster, { namespace: APPLICATION, path: volume.spec.hostPath.path });
  await deleteStaleJob(cluster, manifestOf(rendering, "Job", JOB_NAME));
  process.stdout.write(await kubectl(cluster, [...apply, "-k", state.renderedDirectory]));
  await waitForJob(cluster);
}

type JobState = {
  spec: { template: { metadata?: { annotations?: Record<string, string> } } };
  status?: { conditions?: { type: string; status: string; message?: string }[] };
};

const jobPath = `/apis/batch/v1/namespaces/${APPLICATION}/jobs/${JOB_NAME}`;

/** A Job's template cannot be changed, and a finished Job is not run again: it makes room for the new one. */
async function deleteStaleJob(cluster: ClusterContext, rendered: Manifest): Promise<void> {
  const live = await read<JobState>(cluster, jobPath);
  if (live === undefined) return;
  const files = (job: JobState) => job.spec.template.metadata?.annotations?.["transcript-pipeline/files"];
  const succeeded = live.status?.conditions?.some(
    ({ type, status }) => type === "Complete" && status === "True",
  );
  if (succeeded && files(live) === files(rendered as unknown as JobState)) return;
  await kubectl(cluster, ["delete", "job", JOB_NAME, "-n", APPLICATION, "--wait=true"]);
}

/** Waits for the init Job, saying what the pods are doing. */
async function waitForJob(cluster: ClusterContext): Promise<void> {
  let said = "";
  for (;;) {
    const conditions = (await read<JobState>(cluster, jobPath))?.status?.conditions ?? [];
    if (conditions.some(({ type, status }) => type === "Complete" && status === "True")) return;
    const failed = conditions.find(({ type, status }) => type === "Failed" && status === "True");
    if (failed) {
      const logs = await kubectl(cluster, [
        ...["logs", "-n", APPLICATION, `job/${JOB_NAME}`, "--all-containers", "--tail=20"],
      ]).catch(String);
      throw new Error(`Job ${JOB_NAME} failed: ${failed.message ?? ""}\n${logs}`);
    }
    const pods = await kubectl(cluster, ["get", "pods", "-n", APPLICATION, "--no-headers"]);
    const now = pods.replace(/\s+/g, " ").trim();
    if (now !== said) console.log(`waiting for the init Job: ${now}`);
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
