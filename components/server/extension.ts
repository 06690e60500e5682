/** How a capability, such as TLS, WAL archiving or a metrics login, extends the server's pod. */
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { PodVolume } from "../kubernetes/pods.ts";
import { canonicalName } from "../../postgres/catalogue.ts";
import { isOwnSetting } from "../../postgres/settings.ts";

/** A container. The volumes define its mounts. */
export type NamedContainer = Omit<k8s.types.input.core.v1.Container, "name" | "volumeMounts"> & {
  name: string;
};

/**
 * What a capability adds to the server, which knows none by name. Volumes name the containers that mount them: those in
 * components/kubernetes/names.ts (the server, the reconciler, and the Job's container that tries the settings, which
 * needs the files that they name) and the capability's own.
 */
export interface ServerExtension {
  /** Name of the capability, for messages. */
  name: string;
  /** PostgreSQL settings, which `database.settings` cannot change. */
  settings?: Readonly<Record<string, string>>;
  /**
   * Lines of pg_hba.conf. They come before the line that accepts every login by password, and after those that restrict
   * the superuser to the pod, so that none of them can let the superuser in.
   */
  hba?: readonly string[];
  /** Whether logins over the network are accepted only if the connection is encrypted. @default false */
  encryptedOnly?: boolean;
  /**
   * A script that the server's container runs before each start of PostgreSQL, and the trial before its own, with the
   * seconds that it may wait for others: none in the trial. What it makes is in the capability's volumes.
   */
  preparation?: string;
  /** Command in the server's container that fills $DIRECTORY, in place of initdb, where there is no database yet. */
  initialization?: readonly string[];
  volumes?: readonly PodVolume[];
  /** Containers that run next to the server. */
  sidecars?: readonly NamedContainer[];
  /** Containers that run before the server starts. */
  initContainers?: readonly NamedContainer[];
  /** Paths of files, mounted in the reconciler, whose change reloads the server. Without spaces. */
  watched?: readonly string[];
}

/** All extensions combined. */
export type CombinedExtension = Required<Omit<ServerExtension, "name" | "initialization" | "preparation">> &
  Pick<ServerExtension, "initialization"> & { preparations: readonly string[] };

function claim(claimed: Map<string, string>, what: string, by: string): void {
  const other = claimed.get(what);
  if (other !== undefined)
    throw new pulumi.RunError(`${what} is set by ${other} and by ${by}: remove it from one of them`);
  claimed.set(what, by);
}

/**
 * Combines extensions.
 *
 * @param configured settings from the configuration
 * @throws RunError if two of them, or one and the configuration, set the same thing
 */
export function combined(
  extensions: readonly ServerExtension[],
  configured: Readonly<Record<string, string>>,
): CombinedExtension {
  const claimed = new Map<string, string>();
  for (const {
    name,
    settings = {},
    volumes = [],
    sidecars = [],
    initContainers = [],
    watched = [],
    initialization,
  } of extensions) {
    for (const written of Object.keys(settings)) {
      const setting = canonicalName(written);
      if (setting !== written)
        throw new pulumi.RunError(`${name}: ${written} is not a setting of PostgreSQL 16`);
      if (isOwnSetting(setting)) throw new pulumi.RunError(`${name}: ${setting} is set by the server itself`);
      if (Object.hasOwn(configured, setting)) {
        throw new pulumi.RunError(
          `database.settings.${setting}: is set by ${name} and cannot be configured. To remove it: pulumi config rm --path ` +
            `database.settings.${setting}`,
        );
      }
      claim(claimed, `setting ${setting}`, name);
    }
    if (initialization) claim(claimed, "how a database is made", name);
    for (const volume of volumes) claim(claimed, `volume ${volume.name}`, name);
    for (const container of [...sidecars, ...initContainers])
      claim(claimed, `container ${container.name}`, name);
    for (const path of watched)
      if (/[\s*?[\]]/.test(path))
        throw new pulumi.RunError(`${name}: watched file "${path}" contains a space or a shell pattern`);
  }
  const all = <T>(of: (extension: ServerExtension) => readonly T[] | undefined) =>
    extensions.flatMap((extension) => of(extension) ?? []);
  return {
    settings: Object.assign({}, ...extensions.map(({ settings }) => settings)) as Record<string, string>,
    hba: all(({ hba }) => hba),
    volumes: all(({ volumes }) => volumes),
    sidecars: all(({ sidecars }) => sidecars),
    initContainers: all(({ initContainers }) => initContainers),
    watched: all(({ watched }) => watched),
    encryptedOnly: extensions.some(({ encryptedOnly }) => encryptedOnly === true),
    preparations: extensions.flatMap(({ preparation }) => preparation ?? []),
    ...extensions.flatMap(({ initialization }) => (initialization ? [{ initialization }] : []))[0],
  };
}
