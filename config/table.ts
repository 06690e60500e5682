/** Every section of the configuration and its check. A capability with settings adds a line to each. */
import type { Problem } from "../problem.ts";
import { backup, backupProblems } from "./backup.ts";
import { cluster, clusterProblems } from "./cluster.ts";
import { database, databaseProblems } from "./database.ts";
import { migration } from "./migration.ts";
import { monitoring, monitoringProblems } from "./monitoring.ts";
import { network, networkProblems } from "./network.ts";
import { notify, notifyProblems } from "./notify.ts";
import { node, nodeProblems } from "./node.ts";
import { ownLoginProblems } from "./own-logins.ts";
import type { Section, ValuesOf } from "./reader.ts";
import { secretStore, secretStoreProblems } from "./secret-store.ts";
import { secrets } from "./secrets.ts";
import { storage, storageProblems } from "./storage.ts";
import { tls, tlsProblems } from "./tls.ts";

/** Every field. */
export const table = {
  cluster,
  node,
  storage,
  database,
  migration,
  backup,
  tls,
  network,
  monitoring,
  notify,
  secretStore,
  secrets,
} as const satisfies Record<string, Section>;

/** The configured values, typed, with defaults. */
export type Written = { [Name in keyof typeof table]: ValuesOf<(typeof table)[Name]> } & { stack: string };

/** Checks of how the fields of a section fit together. */
export const checks: readonly ((written: Written) => Problem[])[] = [
  clusterProblems,
  nodeProblems,
  storageProblems,
  databaseProblems,
  backupProblems,
  tlsProblems,
  networkProblems,
  notifyProblems,
  monitoringProblems,
  ownLoginProblems,
  secretStoreProblems,
];
