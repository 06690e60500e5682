/**
 * The names of the database and its owner in the cluster. Another name in the configuration would not rename anything:
 * it would create a new, empty database, or an owner without the tables.
 */

import { ANNOTATIONS, type DatabaseNames } from "../components/kubernetes/names.ts";
import type { Problem } from "../problem.ts";

/** An object that may have the annotations. */
export interface AnnotatedObject {
  metadata: { annotations?: Record<string, string> };
}

/** The part of the init Job with the names that its superuser container gets. */
export interface InitJobObject {
  spec?: {
    template?: {
      spec?: { initContainers?: { name: string; env?: { name: string; value?: string }[] }[] };
    };
  };
}

/**
 * The names in the cluster, each if known: from the volume, the StatefulSet, or the init Job, the only source in a
 * deployment older than the annotations.
 */
export function deployedNames(
  volume: AnnotatedObject | undefined,
  statefulSet: AnnotatedObject | undefined,
  job: InitJobObject | undefined,
): Partial<DatabaseNames> {
  const bootstrap = job?.spec?.template?.spec?.initContainers?.find(({ name }) => name === "bootstrap");
  const named = (annotation: string, variable: string) =>
    volume?.metadata.annotations?.[annotation] ??
    statefulSet?.metadata.annotations?.[annotation] ??
    bootstrap?.env?.find(({ name }) => name === variable)?.value;
  const [database, owner] = [named(ANNOTATIONS.database, "DATABASE"), named(ANNOTATIONS.owner, "OWNER")];
  return { ...(database !== undefined && { database }), ...(owner !== undefined && { owner }) };
}

/** Why the wanted names cannot replace the deployed ones: a key and a sentence for each. */
export function objectionsToNames(deployed: Partial<DatabaseNames>, wanted: DatabaseNames): Problem[] {
  const what = {
    database: {
      key: "database.name",
      is: "the database is called",
      otherwise: "A deployment would not rename it: it would create a new, empty database",
    },
    owner: {
      key: "database.owner",
      is: "the owner of the database is called",
      otherwise: "A deployment would not rename the role, which keeps the tables, its login and its password",
    },
  } as const;
  return (["database", "owner"] as const).flatMap((name) => {
    const there = deployed[name];
    if (there === undefined || there === wanted[name]) return [];
    const { key, is, otherwise } = what[name];
    return [
      {
        key,
        message:
          `is "${wanted[name]}", but ${is} ${there}. ${otherwise}. To rename it in place: docs/renaming.md. To keep ` +
          `it: pulumi config set --path ${key} ${there}`,
      },
    ];
  });
}
