import { isDeepStrictEqual } from "node:util";
import { SETTINGS_JOB } from "../declarations.ts";
import { hiddenPod, type Pod, podsIn, volumesOf } from "../pods.ts";
import { SERVER_CONFIG, serversOf } from "../postgres.ts";
import { type KubernetesObject, objectsIn, type Resource, waitsFor } from "../resources.ts";
import { type Finding, stackRule } from "../rule.ts";
import { field, hasUnknown, listAt, shown, textAt } from "../values.ts";

/** Where the configuration is, in the server's container and in the Job's. */
const CONFIG_PATH = "/etc/postgresql";

/** Milliseconds within which a first deployment creates the server's objects and the trial, in whichever order. */
const TOGETHER = 60_000;

/** The ConfigMap with a container's configuration. */
function configOf(pod: Pod, container: Record<string, unknown>): string | undefined {
  const mount = listAt(container, "volumeMounts").find((entry) => field(entry, "mountPath") === CONFIG_PATH);
  // A part of it, or another file in its place, is not the configuration.
  if (mount === undefined || field(mount, "subPath") !== undefined) return undefined;
  const volume = volumesOf(pod).find(({ name }) => name === field(mount, "name"));
  if (field(volume, "configMap", "items") !== undefined) return undefined;
  return textAt(volume, "configMap", "name");
}

/** The value of a container's variable. The last of two counts. */
function environmentOf(container: Record<string, unknown>, name: string): unknown {
  return field(
    listAt(container, "env").findLast((entry) => field(entry, "name") === name),
    "value",
  );
}

/**
 * Whether an object came into being with the trial: no server ran before, which the trial would protect. Only a stack that
 * has been updated knows when its objects were created; a trial is a new Job whenever what it tries changes.
 */
function madeWith(object: KubernetesObject, trial: KubernetesObject): boolean {
  const created = ({ body }: KubernetesObject) =>
    Date.parse(textAt(body, "metadata", "creationTimestamp") ?? "");
  return created(object) >= created(trial) - TOGETHER;
}

function nameUnknown({ metadata }: Record<string, unknown>): boolean {
  return hasUnknown([metadata, field(metadata, "name")]);
}

/** Fields that let a Job succeed, or look as if it had, without its pod's work. */
function waysAround({ body }: KubernetesObject): string[] {
  const ways: string[] = [];
  const unless = (path: string[], allowed: readonly unknown[]) => {
    const value = field(body, ...path);
    if (!allowed.includes(value) && !hasUnknown(value)) ways.push(`${path.join(".")} is ${shown(value)}`);
  };
  unless(["spec", "completions"], [undefined, 1]);
  unless(["spec", "parallelism"], [undefined, 1]);
  unless(["spec", "suspend"], [undefined, false]);
  unless(["spec", "successPolicy"], [undefined]);
  unless(["spec", "managedBy"], [undefined]);
  unless(["metadata", "annotations", "pulumi.com/skipAwait"], [undefined, "false"]);
  for (const rule of listAt(body, "spec", "podFailurePolicy", "rules"))
    if (!hasUnknown(rule) && field(rule, "onExitCodes") !== undefined)
      ways.push("spec.podFailurePolicy.rules[].onExitCodes is set");
  return ways;
}

export const settingsTried = stackRule({
  name: "settings-tried",
  asks: "settings and image tried by the Job before the server gets them",
  description:
    "Settings or an image that nothing has tried fail at the server's next start, which may be months away and at night",
  level: "mandatory",
  check: (stack) => {
    const pods = podsIn(stack).filter(({ object }) => !object.patch);
    const servers = pods.filter((pod) => serversOf(pod).length > 0);
    if (servers.length === 0) return [];
    const jobs = objectsIn(stack).filter(({ subject, patch }) => subject === SETTINGS_JOB && !patch);
    const trial = pods.find(({ object }) => object.subject === SETTINGS_JOB);
    // Its containers cannot be seen yet: resource-limits.
    if (jobs.some((job) => hiddenPod(job) !== undefined)) return [];
    if (!trial) {
      // It may be one whose name is not known yet.
      if (objectsIn(stack).some(({ kind, body }) => kind === "Job" && nameUnknown(body))) return [];
      return servers.map(({ object }) => ({
        subject: object.subject,
        urn: object.resource.urn,
        why: `there is no ${SETTINGS_JOB} that tries its image and its settings`,
        remedy: "the Job of components/server/settings-check.ts, in its dependsOn",
      }));
    }
    return [
      ...findingsOfTrial(trial),
      ...servers.flatMap((server) => findingsOfServer(server, trial, stack)),
    ];
  },
});

function findingsOfTrial({ object }: Pod): Finding[] {
  return waysAround(object).map((way) => ({
    subject: object.subject,
    urn: object.resource.urn,
    why: `${way}: it counts as done without having tried anything`,
    remedy: "the Job as components/kubernetes/one-run-job.ts makes it",
  }));
}

function findingsOfServer(server: Pod, trial: Pod, stack: readonly Resource[]): Finding[] {
  const findings: Finding[] = [];
  const refuse = ({ subject, resource }: KubernetesObject, why: string, remedy: string) =>
    findings.push({ subject, urn: resource.urn, why, remedy });

  const trying = trial.containers.find(({ body }) => configOf(trial, body) !== undefined);
  const configMaps = objectsIn(stack).filter(({ kind, patch }) => kind === "ConfigMap" && !patch);
  const configMap = (name: string | undefined) => configMaps.find(({ name: other }) => other === name);
  for (const container of serversOf(server)) {
    const image = field(container.body, "image");
    for (const { name, body } of trial.containers) {
      const tried = field(body, "image");
      if (hasUnknown([image, tried]) || image === tried) continue;
      refuse(
        server.object,
        `its image is ${shown(image)}, but container ${name} of ${SETTINGS_JOB} tries ${shown(tried)}`,
        "the same image in both",
      );
    }
    const [bound, triedBound] = [container.body, trying?.body ?? {}].map((body) =>
      environmentOf(body, "ADDRESS_SPACE"),
    );
    if (!hasUnknown([container.body.env, trial.spec]) && bound !== triedBound) {
      refuse(
        trial.object,
        `ADDRESS_SPACE is ${shown(triedBound)}, and the server's is ${shown(bound)}: a start that fails on the server succeeds here`,
        "the same ADDRESS_SPACE in both",
      );
    }
  }

  const config = configMap(SERVER_CONFIG);
  const candidate = configMap(trying && configOf(trial, trying.body));
  const isSeen = !hasUnknown(trial.spec) && !configMaps.some(({ body }) => nameUnknown(body));
  if (isSeen && candidate === undefined) {
    refuse(trial.object, `no ConfigMap of the stack is mounted at ${CONFIG_PATH}`, "the files of the server");
  } else if (isSeen && candidate === config) {
    refuse(
      trial.object,
      `it mounts ${SERVER_CONFIG} itself, which the running server reloads before anything is tried`,
      "a ConfigMap of its own with the same files",
    );
  } else if (
    isSeen &&
    candidate &&
    !hasUnknown([config?.body.data, candidate.body.data]) &&
    !isDeepStrictEqual(config?.body.data, candidate.body.data)
  ) {
    refuse(
      candidate,
      `its files differ from ConfigMap/${SERVER_CONFIG}: what is tried is not what the server gets`,
      "the same data in both",
    );
  }

  const trialUrn = trial.object.resource.urn;
  for (const object of [server.object, ...(config ? [config] : [])]) {
    if (waitsFor(object.resource, stack).has(trialUrn) || madeWith(object, trial.object)) continue;
    refuse(
      object,
      `it does not depend on ${SETTINGS_JOB}, and changes even if the Job fails`,
      "{ dependsOn: [the SettingsCheck] } in its options",
    );
  }
  return findings;
}
