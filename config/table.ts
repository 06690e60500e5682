/** Every section of the configuration, and what checks it. A capability with settings of its own adds a line to each. */
import type { Problem } from "../problem.ts";
import { backup, backupProblems } from "./backup.ts";
import { cluster, clusterProblems } from "./cluster.ts";
import { database, databaseProblems } from "./database.ts";
import { migration } from "./migration.ts";
import { node, nodeProblems } from "./node.ts";
import type { Section, ValuesOf } from "./reader.ts";
import { secrets } from "./secrets.ts";
import { storage, storageProblems } from "./storage.ts";

/** Every field there is. */
export const table = {
  cluster,
  node,
  storage,
  database,
  migration,
  backup,
  secrets,
} as const satisfies Record<string, Section>;

/** What is written, typed, with the defaults of what is not. */
export type Written = { [Name in keyof typeof table]: ValuesOf<(typeof table)[Name]> } & { stack: string };

/** What no single field can tell: how the fields of a section fit together. */
export const checks: readonly ((written: Written) => Problem[])[] = [
  clusterProblems,
  nodeProblems,
  storageProblems,
  databaseProblems,
  backupProblems,
];
