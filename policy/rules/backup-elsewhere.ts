import { posix } from "node:path";
import { podsIn, volumesOf } from "../pods.ts";
import { dataDirectory, mountOver, serversOf } from "../postgres.ts";
import { type KubernetesObject, objectsIn, type Resource } from "../resources.ts";
import { type Finding, stackRule } from "../rule.ts";
import { field, listAt, mapAt, textAt } from "../values.ts";

interface Config {
  besideData: boolean;
}

/** The directories on nodes that a volume gives to pods. */
function pathsOf({ body }: KubernetesObject): string[] {
  return ["hostPath", "local"].flatMap((source) => {
    const path = textAt(body, "spec", source, "path");
    return path === undefined ? [] : [posix.normalize(`${path}/`)];
  });
}

/** Volumes of which one is the other's directory, or in it. */
function overlaps(stack: readonly Resource[]): Finding[] {
  const places = objectsIn(stack)
    .filter(({ kind, patch }) => kind === "PersistentVolume" && !patch)
    .flatMap((volume) => pathsOf(volume).map((path) => ({ volume, path })));
  return places.flatMap(({ volume, path }, index) =>
    places.slice(index + 1).flatMap((other): Finding[] => {
      if (other.volume.subject === volume.subject) return [];
      if (!path.startsWith(other.path) && !other.path.startsWith(path)) return [];
      return [
        {
          subject: other.volume.subject,
          urn: other.volume.resource.urn,
          why: `its directory ${other.path} and ${path} of ${volume.subject} are not apart: what deletes or fills one does it to the other`,
          remedy:
            "a directory on another disk for each; in this project storage.path and backup.repositories.<name>.path",
        },
      ];
    }),
  );
}

/** pgBackRest's configuration files. */
const isPgbackrest = (text: unknown): text is string =>
  typeof text === "string" && /^\s*repo\d*-(type|path)\s*=/m.test(text);

/** Paths of a configuration's repositories that are directories of the pod; undefined: elsewhere, as in an object store. */
function repositoriesIn(text: string): { number: string; path: string | undefined }[] {
  const options = [...text.matchAll(/^\s*repo(\d*)-(type|path)\s*=\s*(.*?)\s*$/gm)];
  const numbers = [...new Set(options.map(([, number = ""]) => number))];
  return numbers.map((number) => {
    const of = (name: string) =>
      options.findLast((option) => option[1] === number && option[2] === name)?.[3];
    // As pgBackRest has it: a directory, if nothing else is said, and at this place.
    const isDirectory = ["posix", "cifs", undefined].includes(of("type"));
    return { number, path: isDirectory ? (of("path") ?? "/var/lib/pgbackrest") : undefined };
  });
}

/** Claims with the data of servers. */
function dataClaims(stack: readonly Resource[]): Set<unknown> {
  return new Set(
    podsIn(stack).flatMap((pod) =>
      serversOf(pod).map((server) => {
        const name = field(mountOver(server, dataDirectory(server)), "name");
        const volume = volumesOf(pod).find((candidate) => candidate.name === name);
        return field(volume, "persistentVolumeClaim", "claimName");
      }),
    ),
  );
}

/** Pods whose repositories are all lost with the data. */
function besideData(stack: readonly Resource[]): Finding[] {
  const data = dataClaims(stack);
  const files = objectsIn(stack).filter(({ kind }) => kind === "ConfigMap");
  return podsIn(stack).flatMap((pod) =>
    pod.containers.flatMap((container): Finding[] => {
      const mounted = new Set(listAt(container.body, "volumeMounts").map((mount) => field(mount, "name")));
      const texts = volumesOf(pod)
        .filter(({ name }) => mounted.has(name))
        .flatMap((volume) => files.filter(({ name }) => name === field(volume, "configMap", "name")))
        .flatMap(({ body }) => Object.values(mapAt(body, "data")).filter(isPgbackrest));
      const repositories = texts.flatMap(repositoriesIn);
      if (repositories.length === 0) return [];
      const isElsewhere = ({ path }: (typeof repositories)[number]) => {
        if (path === undefined) return true;
        const name = field(mountOver(container, path), "name");
        const volume = volumesOf(pod).find((candidate) => name !== undefined && candidate.name === name);
        const claim = field(volume, "persistentVolumeClaim", "claimName");
        return claim !== undefined && !data.has(claim);
      };
      if (repositories.some(isElsewhere)) return [];
      return [
        {
          subject: pod.object.subject,
          urn: pod.object.resource.urn,
          why: `container ${container.name} has ${repositories.length === 1 ? "its only repository" : "all its repositories"} on the data's own volume, or on none: ${repositories.map(({ path }) => path).join(", ")}`,
          remedy:
            "a repository in an object store, or in a directory on another disk; in this project backup.repositories.<name>.kind: s3 or directory",
        },
      ];
    }),
  );
}

export const backupElsewhere = stackRule<Config>({
  name: "backup-elsewhere",
  asks: "directories of volumes apart from each other, and backups not only on the data's own volume",
  description: "Keeping the only backups where the data is loses both to one disk",
  level: "mandatory",
  schema: {
    properties: {
      besideData: {
        type: "boolean",
        default: false,
        description: "Whether all backups may be on the data's own volume, as where the data may be lost",
      },
    },
  },
  check: (stack, config) => [...overlaps(stack), ...(config.besideData ? [] : besideData(stack))],
});
