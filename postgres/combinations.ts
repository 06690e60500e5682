/**
 * Combinations of settings that the server refuses although each value is valid. PostgreSQL checks most of them only
 * when it starts.
 */
import { SETTINGS, WAL_SEGMENT } from "./catalogue.ts";
import {
  bytesInForce,
  isOn,
  numberInForce,
  type ServerSettings,
  textInForce,
  wordInForce,
} from "./effective.ts";
import { amountText } from "./numbers.ts";

/** Settings that conflict. */
export interface Conflict {
  /** All settings involved, the most likely to be wrong first. */
  names: string[];
  /** What is wrong and what is allowed. */
  message: string;
}

/** MAX_BACKENDS in postmaster.h: processes with a slot in shared memory. */
const MOST_BACKENDS = 2 ** 18 - 1;

/** The autovacuum launcher has its own slot. */
const LAUNCHER = 1;

const POOLS = ["max_connections", "max_worker_processes", "autovacuum_max_workers", "max_wal_senders"];

const inForce = (settings: ServerSettings, name: string) => {
  const { unit } = SETTINGS[name] ?? {};
  const number = numberInForce(settings, name);
  return `${name} ${Number.isNaN(number) ? textInForce(settings, name) : amountText(number, unit)}`;
};

function tooManyBackends(settings: ServerSettings): Conflict | undefined {
  const sum = POOLS.reduce((all, name) => all + numberInForce(settings, name), LAUNCHER);
  if (!(sum > MOST_BACKENDS)) return undefined;
  const names = [...POOLS].sort((a, b) => numberInForce(settings, b) - numberInForce(settings, a));
  return {
    names,
    message:
      `is one of ${POOLS.map((name) => inForce(settings, name)).join(" + ")} + ${LAUNCHER}, which is ${sum}. ` +
      `Allowed: a sum of ${MOST_BACKENDS} or less`,
  };
}

function noConnectionLeft(settings: ServerSettings): Conflict | undefined {
  const reserved = ["superuser_reserved_connections", "reserved_connections"];
  const sum = reserved.reduce((all, name) => all + numberInForce(settings, name), 0);
  const all = numberInForce(settings, "max_connections");
  if (!(sum >= all)) return undefined;
  return {
    names: ["max_connections", ...reserved],
    message:
      `is ${all}, but ${reserved.map((name) => inForce(settings, name)).join(" + ")} are reserved. ` +
      `Allowed: ${sum + 1} or more`,
  };
}

function tooLittleWal(settings: ServerSettings, name: string): Conflict | undefined {
  const size = bytesInForce(settings, name);
  // Whole segments count (ConvertToXSegs).
  if (!(Math.floor(size / WAL_SEGMENT) < 2)) return undefined;
  const least = `${(2 * WAL_SEGMENT) / 2 ** 20}MB`;
  return {
    names: [name],
    message: `is "${textInForce(settings, name)}". Allowed: ${least} or more, two WAL segments. Did you mean ${least}?`,
  };
}

function walTooMinimal(settings: ServerSettings): Conflict[] {
  if (wordInForce(settings, "wal_level") !== "minimal") return [];
  const conflicts: Conflict[] = [];
  if (numberInForce(settings, "max_wal_senders") > 0) {
    conflicts.push({
      names: ["wal_level", "max_wal_senders"],
      message: `is minimal, but ${inForce(settings, "max_wal_senders")}. Allowed: replica or logical, or max_wal_senders 0`,
    });
  }
  if (!["off", "false", "no", "0"].includes(wordInForce(settings, "archive_mode"))) {
    conflicts.push({
      names: ["wal_level", "archive_mode"],
      message: `is minimal, but archive_mode is ${textInForce(settings, "archive_mode")}. Allowed: replica or logical, or archive_mode off`,
    });
  }
  return conflicts;
}

const STAGES = ["log_parser_stats", "log_planner_stats", "log_executor_stats"];

function statisticsTwice(settings: ServerSettings): Conflict | undefined {
  const stages = STAGES.filter((name) => isOn(settings, name));
  if (!isOn(settings, "log_statement_stats") || stages.length === 0) return undefined;
  return {
    names: ["log_statement_stats", ...stages],
    message: `is on, and so is ${stages.join(", ")}. Allowed: only log_statement_stats, or the others without it`,
  };
}

const TARGETS = ["", "_lsn", "_name", "_time", "_xid"].map((suffix) => `recovery_target${suffix}`);

function severalTargets(settings: ServerSettings): Conflict | undefined {
  // PostgreSQL refuses a second one that is empty, too.
  const named = TARGETS.filter((name) => settings[name] !== undefined);
  if (named.length < 2 || named.every((name) => settings[name] === "")) return undefined;
  return {
    names: named,
    message: `is set, and so is ${named.slice(1).join(", ")}. Allowed: one recovery target, and no other, not even an empty one`,
  };
}

function archivedTwice(settings: ServerSettings): Conflict | undefined {
  const names = ["archive_library", "archive_command"];
  if (names.some((name) => textInForce(settings, name) === "")) return undefined;
  return { names, message: "is set, and so is archive_command: the archiver stops. Allowed: one of them" };
}

/** All conflicts between settings. Each value must be valid. */
export function conflictsIn(settings: ServerSettings): Conflict[] {
  return [
    tooManyBackends(settings),
    noConnectionLeft(settings),
    tooLittleWal(settings, "max_wal_size"),
    tooLittleWal(settings, "min_wal_size"),
    ...walTooMinimal(settings),
    statisticsTwice(settings),
    severalTargets(settings),
    archivedTwice(settings),
  ].filter((conflict) => conflict !== undefined);
}
