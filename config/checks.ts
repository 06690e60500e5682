/** What no single field can tell: how the fields of a configuration fit together. */
import type { Settings } from "../config.ts";
import { imageVersionOf } from "../postgres/image-version.ts";
import { memoryBudget, sharedMemoryFor } from "../postgres/memory-budget.ts";
import {
  effectiveSettings,
  objectionTo,
  plainSettings,
  settingName,
  settingNames,
} from "../postgres/settings.ts";
import { bytesOfQuantity, cpusOfQuantity, readableBytes } from "../quantities.ts";
import { sessionBlockers } from "../postgres/session-blockers.ts";
import type { SessionLimit, SessionLimits } from "../postgres/session-limits.ts";
import { contradictions, explainShortfall } from "../postgres/tuning-explanations.ts";
import type { Machine } from "../postgres/tuning-formulas.ts";
import { tune } from "../postgres/tuning.ts";
import { descriptionOf } from "../postgres/catalogue.ts";
import { conflictsIn } from "../postgres/combinations.ts";
import { numberInForce } from "../postgres/effective.ts";
import { isMemoryUnit } from "../postgres/numbers.ts";
import { DATABASE_NAME, nearestName, SYSTEM_DATABASES, TAKEN } from "./names.ts";
import { nearest } from "./nearest.ts";
import { commandToRemove, commandToSet, type Problem } from "./reader.ts";
import { objectionToDirectory } from "./system-directories.ts";

/** What {@link checkSettings} found. */
export interface Findings {
  /** Impossible: stops the deployment. */
  problems: Problem[];
  /** Doubtful: said with its numbers. */
  doubts: string[];
}

/** Checks a configuration whose fields are each of the right form. */
export function checkSettings(settings: Settings): Findings {
  const problems = [
    ...clusterProblems(settings),
    ...nodeProblems(settings),
    ...imageProblems(settings),
    ...nameProblems(settings),
    ...loginProblems(settings),
    ...settingProblems(settings),
  ];
  const requestProblems = requestsAboveLimits(settings);
  problems.push(...requestProblems);
  // The sums need every part of them to be a number.
  if (problems.some(({ key }) => key.startsWith("database."))) return { problems, doubts: [] };
  const complete = tuned(settings);
  problems.push(...conflictProblems(settings, complete));
  const memory = memoryFindings(complete, shortfallOf(settings));
  return {
    problems: [...problems, ...memory.problems],
    doubts: [
      ...bareSizes(settings),
      ...memory.doubts,
      ...contradictionsOf(complete),
      ...blockersOf(settings),
    ],
  };
}

/** The major version whose files, settings and migrations this deployment knows. */
const MAJOR = 16;

function imageProblems({ database }: Settings): Problem[] {
  const { major } = imageVersionOf(database.image);
  if (major === undefined || major === MAJOR) return [];
  return [
    {
      key: "database.image",
      message:
        `is ${database.image}, which holds PostgreSQL ${major}. Allowed: PostgreSQL ${MAJOR}. Another major version ` +
        "cannot read this one's files; docs/upgrades.md says how to leave with every row. Set it: pulumi config set " +
        "--path database.image <image>",
    },
  ];
}

function machineOf({ database: { limits, storageKind }, storage }: Settings): Machine {
  return {
    memory: bytesOfQuantity(limits.memory) ?? NaN,
    cpus: cpusOfQuantity(limits.cpu) ?? NaN,
    capacity: bytesOfQuantity(storage.capacity) ?? NaN,
    storageKind,
  };
}

/** Size of /dev/shm in bytes, where it was chosen. */
function chosenSharedMemory({ database }: Settings): number | undefined {
  return database.sharedMemory === undefined ? undefined : bytesOfQuantity(database.sharedMemory);
}

/**
 * The same settings with `database.settings` spelt as everything behind the configuration reads them, and completed as
 * `database.tuning` says. Named values win.
 */
export function tuned(settings: Settings): Settings {
  const { database } = settings;
  const named = plainSettings(database.settings);
  const complete =
    database.tuning === "none"
      ? named
      : tune(machineOf(settings), named, chosenSharedMemory(settings)).settings;
  return { ...settings, database: { ...database, settings: complete } };
}

/**
 * The server's settings, with what one process may write to temporary files unless configuration says otherwise: a 64th
 * of the volume, so that a login with half of 100 connections cannot fill it. Ours.
 */
export function serverSettings({ database, storage }: Settings): Record<string, string> {
  const share = Math.floor((bytesOfQuantity(storage.capacity) ?? NaN) / 64 / 1024);
  return { temp_file_limit: `${share}kB`, ...database.settings };
}

/** What each role's sessions are held to. */
export function sessionLimits({ database }: Settings): SessionLimits {
  const all = numberInForce(effectiveSettings(database.settings), "max_connections");
  const limit = (of: typeof database.sessions, share: number): SessionLimit => ({
    ...of,
    connections: of.connections ?? Math.max(1, Math.floor(all * share)),
  });
  const login = limit(database.sessions, 1 / 2);
  return {
    owner: limit(database.ownerSessions, 3 / 4),
    readwrite: login,
    readonly: login,
    monitoring: login,
  };
}

/** Virtual memory of a process besides shared memory and what its statement asks for: programs and libraries. Measured. */
const PROGRAM = 128 * 2 ** 20;

/**
 * Address space of one process of the server in bytes: what is shared, and three quarters of what the limit leaves beside
 * it. A statement that asks for more fails, and leaves the others enough to go on.
 */
export function addressSpaceBytes(settings: Settings): number {
  const limit = bytesOfQuantity(settings.database.limits.memory) ?? NaN;
  const { fixed } = memoryBudget(settings.database.settings, sharedMemoryBytes(settings));
  return Math.floor(fixed + ((limit - fixed) * 3) / 4) + PROGRAM;
}

/** Why not even the smallest settings fit, where the settings are chosen. */
function shortfallOf(settings: Settings): string | undefined {
  const { database } = settings;
  if (database.tuning === "none") return undefined;
  const [machine, sharedMemory] = [machineOf(settings), chosenSharedMemory(settings)];
  const named = plainSettings(database.settings);
  return explainShortfall(tune(machine, named, sharedMemory), machine, named, sharedMemory);
}

function contradictionsOf(settings: Settings): string[] {
  const inForce = effectiveSettings(settings.database.settings);
  return contradictions(inForce, machineOf(settings), sharedMemoryBytes(settings));
}

/** Settings as they were written, and as they are in force, that keep sessions from working. */
function blockersOf(settings: Settings): string[] {
  return sessionBlockers({
    settings: effectiveSettings(tuned(settings).database.settings),
    configured: plainSettings(settings.database.settings),
    ownerConnections: sessionLimits(tuned(settings)).owner.connections,
    capacity: bytesOfQuantity(settings.storage.capacity) ?? NaN,
  });
}

function clusterProblems({ stack, cluster }: Settings): Problem[] {
  if (stack === "dev" || cluster.context !== undefined) return [];
  return [
    {
      key: "cluster.context",
      message:
        `is missing. Outside dev no stack is deployed to whatever context happens to be current. ` +
        `Choose one of \`kubectl config get-contexts -o name\` and set it: ${commandToSet("cluster.context", false)}`,
    },
  ];
}

function nodeProblems({ stack, node, storage }: Settings): Problem[] {
  const problems: Problem[] = [];
  const unfit = objectionToDirectory(storage.path, stack === "dev");
  if (unfit !== undefined) {
    problems.push({
      key: "storage.path",
      message:
        `is "${storage.path}", ${unfit}. Allowed: a directory for the database alone, such as /mnt/raid10/pgdata. ` +
        `Set it: ${commandToSet("storage.path", false)}`,
    });
  }
  if (node.connection === "ssh") {
    for (const name of ["sshHost", "sshHostKey"] as const) {
      if (node[name] !== undefined) continue;
      problems.push({
        key: `node.${name}`,
        message: `is missing, but node.connection is ssh. Set it: ${commandToSet(`node.${name}`, false)}`,
      });
    }
  }
  if (storage.mount !== undefined && !`${storage.path}/`.startsWith(`${storage.mount}/`)) {
    problems.push({
      key: "storage.mount",
      message:
        `is "${storage.mount}", which is not above storage.path, "${storage.path}". ` +
        `Set it: ${commandToSet("storage.mount", false)}`,
    });
  }
  return problems;
}

function nameProblems({ database }: Settings): Problem[] {
  const problems: Problem[] = [];
  if (TAKEN.test(database.owner)) {
    problems.push({
      key: "database.owner",
      message:
        `is "${database.owner}", a name that PostgreSQL or the group roles have taken. Allowed: not postgres, public or ` +
        `none, and not beginning with 'transcripts_'. Set it: pulumi config set --path database.owner ` +
        nearestName(database.owner, "owner", Object.keys(database.logins)),
    });
  }
  if (SYSTEM_DATABASES.includes(database.name)) {
    problems.push({
      key: "database.name",
      message:
        `is "${database.name}", a database that every server has. Allowed: none of ${SYSTEM_DATABASES.join(", ")}. ` +
        `Set it: pulumi config set --path database.name ${nearestName(database.name, "database")}`,
    });
  }
  return problems;
}

function loginProblems({ database }: Settings): Problem[] {
  return Object.keys(database.logins).flatMap((name) => {
    const key = `database.logins.${name}`;
    const wayOut = `To remove it: pulumi config rm --path '${key}'`;
    if (name === database.owner) {
      const message = `is the name of database.owner, who may do everything already. ${wayOut}`;
      return [{ key, message }];
    }
    // A Secret is named after it, and no object's name ends in '-'.
    if (DATABASE_NAME.test(name) && !TAKEN.test(name) && !name.endsWith("_")) return [];
    return [
      {
        key,
        message:
          `is no name for a login. Allowed: lower-case letters, digits and '_', not beginning with a digit, 'pg_' or ` +
          `'transcripts_', not ending in '_', 63 at most, and not postgres, public or none. ${wayOut}`,
      },
    ];
  });
}

/** Images whose libraries are those of the catalogue; another may have more. */
const HAS_KNOWN_LIBRARIES = /(^|\/)(pgvector\/pgvector|postgres-standin)[:@]/;

function settingProblems({ database }: Settings): Problem[] {
  const names = Object.keys(database.settings);
  return Object.entries(database.settings).flatMap(([name, value]) => {
    const other = names.find(
      (candidate) => candidate !== name && settingName(candidate) === settingName(name),
    );
    if (other !== undefined) {
      const key = `database.settings.${name}`;
      const message = `is ${settingName(name)}, and so is ${other}. Allowed: one of them. To remove it: pulumi config rm --path '${key}'`;
      return [{ key, message }];
    }
    const objection = objectionTo(name, value, !HAS_KNOWN_LIBRARIES.test(database.image));
    if (objection === undefined) return [];
    const { message, remedy } = objection;
    const key = `database.settings.${name.includes(".") ? JSON.stringify(name) : name}`;
    const meant = remedy === "rename" ? nearest(name, settingNames()) : undefined;
    const wayOut =
      remedy === "set"
        ? `Set it: ${commandToSet(key, false)}`
        : `${meant === undefined ? "" : `Did you mean ${meant}? `}To remove it: ${commandToRemove(key)}`;
    return [{ key, message: `${message}${message.endsWith("?") ? "" : "."} ${wayOut}` }];
  });
}

/** What the server refuses when it starts, though each value is right. */
function conflictProblems({ database }: Settings, complete: Settings): Problem[] {
  const configured = Object.keys(database.settings);
  return conflictsIn(effectiveSettings(complete.database.settings)).map(({ names, message }) => {
    // What is written is what can be changed.
    const written = names.flatMap(
      (name) => configured.find((candidate) => settingName(candidate) === name) ?? [],
    );
    const blamed = written[0] ?? names[0] ?? "";
    const key = `database.settings.${blamed}`;
    const said =
      settingName(blamed) === names[0] ? message : `does not go with ${names[0]}, which ${message}`;
    return { key, message: `${said}. Set it: ${commandToSet(key, false)}` };
  });
}

/** Sizes without a unit: PostgreSQL reads them in a unit that few know. */
function bareSizes({ database }: Settings): string[] {
  return Object.entries(database.settings).flatMap(([name, value]) => {
    if (!isMemoryUnit(descriptionOf(name)?.unit) || !/^\d+$/.test(value) || Number(value) === 0) return [];
    const read = plainSettings({ [name]: value })[settingName(name)];
    return [`database.settings.${name} is ${value}, without a unit: PostgreSQL reads it as ${read}.`];
  });
}

function requestsAboveLimits({ database: { requests, limits } }: Settings): Problem[] {
  const problems: Problem[] = [];
  const compared = [
    ["memory", bytesOfQuantity],
    ["cpu", cpusOfQuantity],
  ] as const;
  for (const [resource, parse] of compared) {
    if ((parse(requests[resource]) ?? 0) <= (parse(limits[resource]) ?? 0)) continue;
    const key = `database.requests.${resource}`;
    problems.push({
      key,
      message:
        `is ${requests[resource]}, above database.limits.${resource}, ${limits[resource]}. ` +
        `Allowed: the limit or less. Set it: ${commandToSet(key, false)}`,
    });
  }
  return problems;
}

/** Size of /dev/shm in bytes: the configured one, or what the settings need. */
export function sharedMemoryBytes({ database }: Settings): number {
  return database.sharedMemory === undefined
    ? sharedMemoryFor(database.settings)
    : (bytesOfQuantity(database.sharedMemory) ?? NaN);
}

/** Settings that shared memory grows with. */
const OF_SHARED_MEMORY = [
  "shared_buffers",
  "wal_buffers",
  "max_connections",
  "max_locks_per_transaction",
  "max_pred_locks_per_transaction",
  "max_prepared_transactions",
  "max_worker_processes",
  "autovacuum_max_workers",
  "max_wal_senders",
  "max_replication_slots",
  "track_activity_query_size",
  "min_dynamic_shared_memory",
  "pg_stat_statements.max",
];

/** The setting without which shared memory would be smallest. */
function largestOf(settings: Readonly<Record<string, string>>): string {
  const without = (name: string) => {
    const others = Object.fromEntries(Object.entries(settings).filter(([other]) => other !== name));
    return memoryBudget(others, 0).fixed;
  };
  const written = OF_SHARED_MEMORY.filter((name) => name in settings);
  return written.sort((a, b) => without(a) - without(b))[0] ?? "shared_buffers";
}

function memoryFindings(settings: Settings, shortfall: string | undefined): Findings {
  const { database } = settings;
  const limit = bytesOfQuantity(database.limits.memory) ?? NaN;
  const request = bytesOfQuantity(database.requests.memory) ?? NaN;
  const budget = memoryBudget(database.settings, sharedMemoryBytes(settings));
  const fixed =
    `shared_buffers ${readableBytes(budget.sharedBuffers)} + /dev/shm ${readableBytes(budget.sharedMemory)} + ` +
    `WAL buffers ${readableBytes(budget.walBuffers)} + locks and processes ${readableBytes(budget.rest)}`;
  if (!(budget.fixed < limit)) {
    const key = `database.settings.${largestOf(database.settings)}`;
    return {
      problems: [
        {
          key,
          message:
            `does not fit: ${fixed} is ${readableBytes(budget.fixed)}, and database.limits.memory is ` +
            `${database.limits.memory}; the container would be killed at its start. Allowed: a sum below the limit. ` +
            `Set it: ${commandToSet(key, false)}`,
        },
      ],
      doubts: [],
    };
  }
  const doubts: string[] = [];
  if (shortfall !== undefined) doubts.push(shortfall);
  else if (budget.peak > limit) {
    doubts.push(
      `database.limits.memory is ${database.limits.memory}, but the settings can ask for ` +
        `${readableBytes(budget.peak)}: ${fixed} + ${budget.connections} connections x work_mem ` +
        `${readableBytes(budget.workMem)} + ${budget.autovacuumWorkers} autovacuum workers x ` +
        `${readableBytes(budget.maintenanceWorkMem)}. When they do, the kernel kills the server. ` +
        `Lower database.settings.work_mem or max_connections, or raise the limit.`,
    );
  }
  if (request < budget.sharedBuffers) {
    doubts.push(
      `database.requests.memory is ${database.requests.memory}, below shared_buffers, ` +
        `${readableBytes(budget.sharedBuffers)}: once the cache is warm the pod is among the first to be evicted ` +
        `when the node runs short. Raise the request to ${readableBytes(budget.fixed)} or more.`,
    );
  }
  return { problems: [], doubts };
}
