/**
 * Memory, parallelism and WAL settings for a container: the formulas of tuning-formulas.ts, shrunk together until the
 * most that they can ask for fits the limit. Sources are named as there.
 */
import { type MemoryBudget, memoryBudget, queryProcesses, sharedMemoryFor } from "./memory.ts";
import { SETTINGS } from "./catalogue.ts";
import { bytesInForce, numberInForce, type ServerSettings, textInForce } from "./effective.ts";
import { sizeOfUnit } from "./numbers.ts";
import {
  autovacuumWorkMem,
  effectiveCacheSize,
  type Machine,
  maintenanceWorkMem,
  parallelWorkers,
  settingOfBytes,
  sharedBuffers,
  storageCosts,
  usualWorkMem,
  walBuffers,
  walSizes,
  workMem,
} from "./tuning-formulas.ts";

const MB = 2 ** 20;

export type { ServerSettings };

/** A size in PostgreSQL's notation, within the setting's bounds. */
function sizeFor(name: string, bytes: number): string {
  const { unit = "", min = 0, max = Infinity } = SETTINGS[name] ?? {};
  const size = sizeOfUnit(unit);
  return settingOfBytes(Math.max(min * size, Math.min(max * size, bytes)));
}

/** The result of {@link tune}. */
export interface Tuning {
  /** The chosen settings, overridden by the named ones. */
  settings: Record<string, string>;
  /** Size of /dev/shm in bytes. */
  sharedMemory: number;
  /** The most that these settings can ask for. */
  demand: MemoryBudget;
  /** Bytes that are missing even with the smallest settings; 0 if everything fits. */
  shortfall: number;
}

/** Share of the limit reserved for memory that no setting bounds. Ours. */
const RESERVE = 1 / 16;

/** Where the solver stops shrinking. /dev/shm has at least 64 MB, enough for a maintenance_work_mem of 48MB. Ours. */
const LEAST = { shared_buffers: 16 * MB, maintenance_work_mem: 48 * MB, autovacuum_work_mem: 8 * MB };
const LEAST_WORK_MEM = MB;

/**
 * Chooses settings whose sum fits the memory limit, keeping named values. If the formulas ask for too much,
 * shared_buffers, maintenance_work_mem and autovacuum_work_mem shrink together; work_mem keeps PostgreSQL's default as
 * long as possible.
 *
 * @param named settings that override the solver's
 * @param chosenSharedMemory size of /dev/shm in bytes. Default: the size that maintenance_work_mem needs
 */
export function tune(machine: Machine, named: ServerSettings = {}, chosenSharedMemory?: number): Tuning {
  const wal = walSizes(machine);
  const base: Record<string, string> = {
    max_connections: textInForce({}, "max_connections"),
    autovacuum_max_workers: textInForce({}, "autovacuum_max_workers"),
    effective_cache_size: sizeFor("effective_cache_size", effectiveCacheSize(machine)),
    max_wal_size: sizeFor("max_wal_size", wal.max),
    min_wal_size: sizeFor("min_wal_size", wal.min),
    ...Object.fromEntries(
      Object.entries(parallelWorkers(machine)).map(([name, count]) => [name, String(count)]),
    ),
    ...storageCosts(machine),
    // On a node with huge pages, `try` ends in "Bus error" if the pod requests none, like this one
    // (docker-library/postgres#451, kubernetes/kubernetes#71233).
    huge_pages: "off",
  };
  const target = {
    shared_buffers: sharedBuffers(machine),
    maintenance_work_mem: maintenanceWorkMem(machine),
    autovacuum_work_mem: autovacuumWorkMem(machine),
  };
  const available = machine.memory * (1 - RESERVE);

  const candidate = (share: number, workMemBytes: number): Omit<Tuning, "shortfall"> => {
    const sized = (name: keyof typeof target) =>
      sizeFor(name, Math.max(LEAST[name], Math.floor((target[name] * share) / MB) * MB));
    const buffers = named.shared_buffers ?? sized("shared_buffers");
    const settings = {
      ...base,
      shared_buffers: buffers,
      maintenance_work_mem: sized("maintenance_work_mem"),
      autovacuum_work_mem: sized("autovacuum_work_mem"),
      wal_buffers: sizeFor(
        "wal_buffers",
        walBuffers(bytesInForce({ shared_buffers: buffers }, "shared_buffers")),
      ),
      work_mem: sizeFor("work_mem", workMemBytes),
      ...named,
    };
    const sharedMemory = chosenSharedMemory ?? sharedMemoryFor(settings);
    return { settings, sharedMemory, demand: memoryBudget(settings, sharedMemory) };
  };
  /** work_mem from the memory that everything else leaves. */
  const roomForWorkMem = (share: number): number => {
    const without = candidate(share, 0);
    const { settings } = without;
    const withoutWorkMem = memoryBudget({ ...settings, work_mem: "0kB" }, without.sharedMemory).total;
    return (
      (available - withoutWorkMem) /
      (queryProcesses(settings) * numberInForce(settings, "hash_mem_multiplier"))
    );
  };
  const wanted = "work_mem" in named ? bytesInForce(named, "work_mem") : usualWorkMem();

  const STEPS = 256;
  let steps = roomForWorkMem(1) < wanted ? 0 : STEPS;
  // Finds the largest share for the others that leaves enough for work_mem.
  for (let tooMany = STEPS; tooMany - steps > 1;) {
    const middle = Math.floor((steps + tooMany) / 2);
    if (roomForWorkMem(middle / STEPS) < wanted) tooMany = middle;
    else steps = middle;
  }
  const share = steps / STEPS;
  const room = roomForWorkMem(share);
  const { settings } = candidate(share, 0);
  const processes =
    numberInForce(settings, "max_connections") + numberInForce(settings, "max_worker_processes");
  const best = workMem(machine.memory, bytesInForce(settings, "shared_buffers"), processes);
  const found = candidate(share, Math.max(LEAST_WORK_MEM, Math.min(best, room)));
  return { ...found, shortfall: Math.max(0, found.demand.total - machine.memory) };
}

/**
 * The least memory in which the smallest settings fit, by these formulas. Bytes, in whole MB.
 *
 * @param named settings to keep
 */
export function leastMemory(machine: Machine, named: ServerSettings = {}, sharedMemory?: number): number {
  let missing = 0;
  let enough = MB;
  while (tune({ ...machine, memory: enough }, named, sharedMemory).shortfall > 0) {
    missing = enough;
    enough *= 2;
    // Settings that do not fit in a pebibyte never fit.
    if (enough > 2 ** 50) return Infinity;
  }
  while (enough - missing > MB) {
    const middle = Math.floor((missing + enough) / 2 / MB) * MB;
    if (tune({ ...machine, memory: middle }, named, sharedMemory).shortfall > 0) missing = middle;
    else enough = middle;
  }
  return enough;
}
