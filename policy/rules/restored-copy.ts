import { posix } from "node:path";
import { type Container, type Pod, podsIn, volumesOf } from "../pods.ts";
import {
  dataDirectory,
  isDatabaseImage,
  mountOver,
  parseSettings,
  serversOf,
  settingsFiles,
  settingsOnCommandLine,
} from "../postgres.ts";
import { maySelect, mayShareNamespace, objectsIn, type Resource } from "../resources.ts";
import { containerText, type Finding, stackRule } from "../rule.ts";
import { field, isMap, listAt, shown, textAt, UNKNOWN } from "../values.ts";

/** A place in what a claim gives: the claim's name, and the path in it. */
interface Place {
  claim: string;
  path: string;
}

const claimOf = (pod: Pod, mount: unknown) => {
  const volume = volumesOf(pod).find(({ name }) => name !== undefined && name === field(mount, "name"));
  return textAt(volume, "persistentVolumeClaim", "claimName");
};

/** Where a container's path is, or undefined if it is on no claim. */
function placeOf(pod: Pod, container: Container, path: string): Place | undefined {
  const mount = mountOver(container, path);
  const claim = claimOf(pod, mount);
  if (claim === undefined) return undefined;
  const below = posix.relative(textAt(mount, "mountPath") ?? "/", path);
  return { claim, path: posix.join("/", textAt(mount, "subPath") ?? "", below, "/") };
}

const overlap = (one: Place, other: Place) =>
  one.claim === other.claim && (one.path.startsWith(other.path) || other.path.startsWith(one.path));

/** Where pgBackRest restores to: a place other than its configuration's. */
const RESTORE_PATH = "PGBACKREST_PG1_PATH";
const variables = (container: Container, name: string) =>
  listAt(container.body, "env").filter((entry) => field(entry, "name") === name);

/** Mounts of claims that a container may write to. */
const writable = (pod: Pod, container: Container) =>
  listAt(container.body, "volumeMounts")
    .filter(isMap)
    .filter((mount) => ![true, UNKNOWN].includes(mount.readOnly as boolean | symbol))
    .filter((mount) => claimOf(pod, mount) !== undefined);

/**
 * Whether a pod restores, or runs what was restored: its pgBackRest is told of another data directory, or a program of
 * PostgreSQL's image that is no server of clients writes to a claim.
 */
function restores(pod: Pod): boolean {
  const servers = serversOf(pod);
  return pod.containers.some(
    (container) =>
      variables(container, RESTORE_PATH).length > 0 ||
      (!servers.includes(container) &&
        isDatabaseImage(textAt(container.body, "image")) &&
        writable(pod, container).length > 0),
  );
}

/** How many of it there may be at once, and for how long. */
function numberProblems({ object: { kind, body } }: Pod): [why: string, remedy: string][] {
  if (kind !== "Job" && kind !== "CronJob") {
    return [[`it is a ${kind}: what it has restored runs on, next to the server`, "a Job or a CronJob"]];
  }
  const job = kind === "Job" ? ["spec"] : ["spec", "jobTemplate", "spec"];
  const problems = ["parallelism", "completions"].flatMap((name): [string, string][] => {
    const value = field(body, ...job, name) ?? 1;
    const path = [...job, name].join(".");
    return value === 1 ? [] : [[`${path} is ${shown(value)}: they restore into one place`, `remove ${path}`]];
  });
  const policy = field(body, "spec", "concurrencyPolicy");
  if (kind === "CronJob" && policy !== "Forbid") {
    problems.push([
      `spec.concurrencyPolicy is ${shown(policy)}: a second one restores into the place of the first`,
      'spec.concurrencyPolicy: "Forbid"',
    ]);
  }
  return problems;
}

/** What it may write to of the servers' data. */
function placeProblems(pod: Pod, data: readonly Place[]): [why: string, remedy: string][] {
  const remedy =
    "a place of its own: the server's data read-only, and a subPath or a claim for what is restored";
  return pod.containers.flatMap((container) => {
    const paths = variables(container, RESTORE_PATH).map((entry) => textAt(entry, "value"));
    const targets = paths.map((path): [string, Place | undefined] => [
      `${RESTORE_PATH} ${path ?? shown(undefined)}`,
      path === undefined ? undefined : placeOf(pod, container, posix.normalize(path)),
    ]);
    // Of pgBackRest's container only that: it also writes what others ask it for.
    const mounts = isDatabaseImage(textAt(container.body, "image"))
      ? writable(pod, container).map((mount): [string, Place | undefined] => {
          const path = textAt(mount, "mountPath") ?? "";
          return [`its writable mount ${path}`, placeOf(pod, container, path)];
        })
      : [];
    return [...targets, ...mounts].flatMap(([what, place]): [string, string][] =>
      place !== undefined && data.some((directory) => overlap(place, directory))
        ? [[`${containerText(container)}: ${what} is in the server's data, or above it`, remedy]]
        : [],
    );
  });
}

/** Whether it may archive, into the place of the server that it is a copy of. */
function archivingProblems(pod: Pod, stack: readonly Resource[]): [why: string, remedy: string][] {
  const archives = (settings: Readonly<Record<string, string>>) =>
    !/^(off|false|no|0)$/i.test(settings.archive_mode ?? "off");
  const names = volumesOf(pod).map((volume) => field(volume, "configMap", "name"));
  const files = objectsIn(stack)
    .filter(({ kind, name }) => kind === "ConfigMap" && names.includes(name))
    .flatMap((map) => Object.entries(settingsFiles(map)).map(([file, text]) => ({ map, file, text })));
  const remedy = "archive_mode = off, in a configuration of its own";
  return [
    ...files
      .filter(({ text }) => archives(parseSettings(text)))
      .map(({ map, file }): [string, string] => [
        `it mounts ${file} of ${map.subject}, which archives: it would write into the place of the server that it is a copy of`,
        remedy,
      ]),
    ...pod.containers
      .filter((container) => archives(settingsOnCommandLine(container)))
      .map((container): [string, string] => [
        `${containerText(container)} is started with archive_mode: it would write into the place of the server that it is a copy of`,
        remedy,
      ]),
  ];
}

/** Services that may lead clients to it. */
function clientProblems(pod: Pod, stack: readonly Resource[]): [why: string, remedy: string][] {
  return objectsIn(stack)
    .filter(({ kind, patch }) => kind === "Service" && !patch)
    .filter((service) => mayShareNamespace(service, pod.object))
    .filter(({ body }) => {
      // Without a selector, somebody else chooses whom it leads to.
      const selector = field(body, "spec", "selector");
      return selector !== undefined && maySelect({ matchLabels: selector }, field(pod.metadata, "labels"));
    })
    .map((service) => [
      `${service.subject} may select it: clients would write into the copy`,
      "labels that no Service selects, without app=postgres",
    ]);
}

/** That it ends is asked of every Job: jobs-end. */
export const restoredCopy = stackRule({
  name: "restored-copy",
  asks: "of a restored copy of the database: one at a time, in a place of its own, without clients and archiving",
  description:
    "A copy that clients reach, that archives, or that writes to the data is a second server of the database",
  level: "mandatory",
  check: (stack) => {
    const pods = podsIn(stack);
    const data = pods.flatMap((pod) =>
      serversOf(pod).flatMap((server) => placeOf(pod, server, dataDirectory(server)) ?? []),
    );
    return pods.filter(restores).flatMap((pod): Finding[] =>
      [
        ...numberProblems(pod),
        ...placeProblems(pod, data),
        ...archivingProblems(pod, stack),
        ...clientProblems(pod, stack),
      ].map(([why, remedy]) => ({
        subject: pod.object.subject,
        urn: pod.object.resource.urn,
        why,
        remedy,
      })),
    );
  },
});
