/**
 * How the database and its owner are called in the cluster, whatever the configuration says. Another name would not rename
 * anything: it would be a new, empty database, or an owner without the tables.
 */

import { ANNOTATIONS, type DatabaseNames } from "../components/kubernetes/names.ts";
import type { Problem } from "../problem.ts";

/** What is looked at of an object that may have the annotations. */
export interface AnnotatedObject {
  metadata: { annotations?: Record<string, string> };
}

/** What is looked at of the init Job: the names that its superuser's container was given. */
export interface InitJobObject {
  spec?: {
    template?: {
      spec?: { initContainers?: { name: string; env?: { name: string; value?: string }[] }[] };
    };
  };
}

/**
 * The names in the cluster, each where it is known: from the volume, from the StatefulSet, or from the init Job, which is
 * all that a deployment from before the annotations has.
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

/** Why the wanted names cannot be deployed over those that are there: a key and a sentence for each. */
export function objectionsToNames(deployed: Partial<DatabaseNames>, wanted: DatabaseNames): Problem[] {
  const what = {
    database: {
      key: "database.name",
      is: "the database is called",
      otherwise: "A deployment would not rename it: it would make a new, empty database",
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
          `is "${wanted[name]}", but ${is} ${there}. ${otherwise}. To rename it in place: docs/renaming.md. To leave ` +
          `it: pulumi config set --path ${key} ${there}`,
      },
    ];
  });
}
