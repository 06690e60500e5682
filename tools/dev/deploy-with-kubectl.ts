/**
 * The stack `dev` without a Pulumi CLI: the rendered objects, applied server-side, and what else the program does with
 * the engine (the look at the cluster, the node's storage, the Released volume).
 */
import { rmSync } from "node:fs";
import { deployedNames } from "../../cluster/deployed-names.ts";
import { type ClusterContext, kubectl } from "../../cluster/kubectl.ts";
import { lookAtEnforcement, sayEnforcement } from "../../cluster/enforcement.ts";
import { deployedPolicies, sayPolicies } from "../../cluster/network-policies.ts";
import { promptKubelet } from "../../cluster/kubelet-prompt.ts";
import type { PodNeeds, Toleration } from "../../cluster/node-fitness.ts";
import { type Expectations, hasVolume, lookAtCluster } from "../../cluster/cluster-state.ts";
import { deleteStoreObjects, notSynced } from "../../cluster/secret-stores.ts";
import { sayPlain } from "../../cluster/plain-connections.ts";
import { preflight } from "../../cluster/preflight.ts";
import { readPods, troublesOf } from "../../cluster/pod-troubles.ts";
import { releaseDeadClaim } from "../../cluster/volume-binding.ts";
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import { ANNOTATIONS, HOSTNAME_LABEL } from "../../components/kubernetes/names.ts";
import { PORT } from "../../components/server/server-pod.ts";
import { preparationScript } from "../../components/storage/preparation.ts";
import { problemLine } from "../../problem.ts";
import type { Manifest } from "../evaluation/manifests.ts";
import {
  type MarkedRendering,
  objectWithData,
  renderMarked,
  type VolumeManifest,
  writeRendering,
} from "../evaluation/rendering.ts";
import { run } from "../processes.ts";
import { applyRendering, type Watch } from "./apply/apply.ts";
import { ClusterObjects } from "./apply/cluster-objects.ts";
import { isDeployed, OWN } from "./apply/ownership.ts";
import type { DevState } from "./state.ts";

type ServerManifest = Manifest & {
  spec: {
    template: {
      spec: {
        nodeSelector: Record<string, string>;
        tolerations?: Toleration[];
        containers: { name: string; image: string; resources: Omit<PodNeeds, "tolerations"> }[];
      };
    };
  };
};

/** The rendered objects with the database's data. */
function dataObjects(rendering: MarkedRendering): { volume: VolumeManifest; server: ServerManifest } {
  const volume = objectWithData<VolumeManifest>(rendering, "PersistentVolume");
  const server = objectWithData<ServerManifest>(rendering, "StatefulSet");
  if (volume && server) return { volume, server };
  throw new Error(`the program registers no volume and no server with ${ANNOTATIONS.identity}`);
}

/** What the rendered objects expect from the cluster. */
function expectationsOf(rendering: MarkedRendering): Expectations {
  const { volume, server } = dataObjects(rendering);
  const { nodeSelector, tolerations = [], containers } = server.spec.template.spec;
  // Named like the StatefulSet, whatever runs next to it.
  const container = containers.find(({ name }) => name === server.metadata.name);
  return {
    hostname: nodeSelector[HOSTNAME_LABEL] ?? "",
    needs: container && { ...container.resources, tolerations },
    identity: volume.metadata.annotations[ANNOTATIONS.identity] ?? "",
    namespace: APPLICATION,
    path: volume.spec.hostPath.path,
    image: container?.image ?? "",
    upgradeTo: rendering.upgradeTo,
    ...(storedIn(rendering) && { secretSource: "external-secrets" }),
    names: { database: "", owner: "", ...deployedNames(volume, undefined, undefined) },
  };
}

/** Whether a store keeps the values of the Secrets. */
const storedIn = ({ objects }: MarkedRendering) => objects.some(({ kind }) => kind === "ExternalSecret");

function watchOf(cluster: ClusterContext): Watch {
  return {
    say: (line) => console.log(line),
    async pods(namespace) {
      const pods = await kubectl(cluster, ["get", "pods", "-n", namespace, "--no-headers"]);
      const troubles = (await readPods(cluster, namespace)).flatMap(troublesOf);
      return [pods.replace(/\s+/g, " ").trim(), ...troubles].join("\n  ");
    },
    configured: () => promptKubelet(cluster, APPLICATION),
  };
}

/** Applies the stack and waits until the schema exists. */
export async function upWithKubectl(cluster: ClusterContext, state: DevState, here: boolean): Promise<void> {
  let rendering = await renderMarked("dev", state.configFile);
  const [, ...others] = rendering.directories;
  const live = await lookAtCluster(
    cluster,
    APPLICATION,
    others.map(({ use }) => use.volume),
    storedIn(rendering),
  );
  const networkPolicies = deployedPolicies(live);
  const { acceptsPlain } = live;
  // A server that was deployed with less stays so, as with the engine.
  if (networkPolicies === "none" || acceptsPlain === true) {
    rendering = await renderMarked("dev", state.configFile, { networkPolicies, acceptsPlain });
    if (acceptsPlain === true) console.log(sayPlain(undefined));
  }
  for (const warning of rendering.warnings) console.log(`warning: ${warning}`);
  const expectations = { ...expectationsOf(rendering), directories: others };
  const { problems, warnings } = preflight(live, expectations);
  if (problems.length > 0) throw new Error(problems.map(problemLine).join("\n"));
  for (const warning of warnings) console.log(warning);
  for (const trouble of live.store ? notSynced(live.store, Date.now()) : [])
    console.log(`warning: ${trouble}`);
  const policies = await sayPolicies(cluster, live, rendering.network, expectations.names);
  if (policies !== undefined) console.log(`warning: ${policies}`);

  const { notes } = writeRendering(rendering, state.renderedDirectory, { secrets: false });
  // As long as a volume's object exists there is data: a missing directory must not be created again.
  const unprepared = rendering.directories.filter((directory) => !hasVolume(live, directory));
  if (here) {
    for (const directory of unprepared)
      process.stdout.write(await run("/bin/sh", ["-c", preparationScript(directory)]));
  } else {
    for (const note of notes) console.log(note);
  }

  for (const { path, use } of rendering.directories)
    await releaseDeadClaim(cluster, { namespace: APPLICATION, path, use });
  // On the way back from a store: what writes its values would do so once more.
  const rivals = (live.store?.objects ?? []).map(({ metadata }) => metadata.name);
  const rendered = rendering.objects
    .filter(({ kind }) => kind === "Secret")
    .map(({ metadata }) => metadata.name);
  await deleteStoreObjects(
    cluster,
    APPLICATION,
    rivals.filter((name) => rendered.includes(name)),
  );
  await applyRendering(new ClusterObjects(cluster), rendering, watchOf(cluster));
  await reportEnforcement(cluster, rendering);
}

/** Says whether the cluster enforces the policies that it was given. */
async function reportEnforcement(cluster: ClusterContext, rendering: MarkedRendering): Promise<void> {
  if (!rendering.objects.some(({ kind }) => kind === "NetworkPolicy")) return;
  const { hostname, needs, image } = expectationsOf(rendering);
  const placement = { hostname, tolerations: [...(needs?.tolerations ?? [])] };
  const found = await lookAtEnforcement(cluster, {
    namespace: APPLICATION,
    port: PORT,
    image,
    placement,
    grace: 5,
  });
  const { text, warning } = sayEnforcement(found);
  console.log(`${warning ? "warning: " : ""}${text}`);
}

/** Deletes the stack's objects. The directory stays on the node, and with it the passwords that open it. */
export async function downWithKubectl(cluster: ClusterContext, state: DevState): Promise<void> {
  const objects = new ClusterObjects(cluster);
  const own = (await objects.labelled(OWN, "cluster")).filter(isDeployed);
  const isNamespace = ({ kind }: Manifest) => kind === "Namespace";
  // A volume is kept as long as a claim in the namespace uses it.
  await objects.delete(own.filter(isNamespace));
  await objects.delete(own.filter((object) => !isNamespace(object)));
  rmSync(state.renderedDirectory, { recursive: true, force: true });
}
