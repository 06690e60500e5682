/** Explains why settings do not suit the machine, with numbers and fixes. */
import { readableParts, sharedMemoryFor } from "./memory.ts";
import { bytesInForce, numberInForce } from "./effective.ts";
import { readableBytes } from "../quantities.ts";
import { leastMemory, type ServerSettings, tune, type Tuning } from "./tuning.ts";
import { effectiveCacheSize, type Machine, settingOfBytes, walSizes } from "./tuning-formulas.ts";

const MB = 2 ** 20;

/** The most connections that fit if everything else is as small as possible; 0 if none fit. */
function mostConnections(machine: Machine, named: ServerSettings, sharedMemory?: number): number {
  let fits = 0;
  let most = numberInForce(named, "max_connections");
  while (most > fits) {
    const middle = Math.ceil((fits + most) / 2);
    const { shortfall } = tune(machine, { ...named, max_connections: String(middle) }, sharedMemory);
    if (shortfall > 0) most = middle - 1;
    else fits = middle;
  }
  return fits;
}

/** Settings that are part of the sum. */
const IN_THE_SUM = [
  "shared_buffers",
  "work_mem",
  "hash_mem_multiplier",
  "maintenance_work_mem",
  "autovacuum_work_mem",
  "autovacuum_max_workers",
  "wal_buffers",
];

/** Why nothing fits, with the sum and possible fixes; undefined if something does. */
export function explainShortfall(
  tuning: Tuning,
  machine: Machine,
  named: ServerSettings,
  sharedMemory?: number,
): string | undefined {
  if (tuning.shortfall === 0) return undefined;
  const kept = IN_THE_SUM.filter((name) => name in named);
  const connections = mostConnections(machine, named, sharedMemory);
  const least = leastMemory(machine, named, sharedMemory);
  const sum = readableParts(tuning.demand.parts);
  // Do not suggest a limit that no machine has.
  const raise = Number.isFinite(least) ? [`raise the limit to ${Math.ceil(least / MB)}Mi`] : [];
  const lower =
    connections > 0
      ? [`lower database.settings.max_connections to ${connections}`]
      : raise.length === 0
        ? [`lower ${kept.join(" or ")}`]
        : [];
  const advice = [...lower, ...raise].join(", or ");
  return (
    `database.tuning is auto, but even its smallest settings can ask for ` +
    `${readableBytes(tuning.demand.total)}, and database.limits.memory is ${readableBytes(machine.memory)}: ${sum}. ` +
    (kept.length > 0 ? `Kept because database.settings names them: ${kept.join(", ")}. ` : "") +
    `${advice.charAt(0).toUpperCase()}${advice.slice(1)}.`
  );
}

/**
 * Sentences with numbers about single values that do not suit the machine. {@link explainShortfall} covers the sum.
 *
 * @param settings all settings in force
 */
export function contradictions(settings: ServerSettings, machine: Machine, sharedMemory: number): string[] {
  const size = (name: string) => bytesInForce(settings, name);
  const count = (name: string) => numberInForce(settings, name);
  const found: string[] = [];

  const cache = size("effective_cache_size");
  if (settings.effective_cache_size !== undefined && cache > machine.memory) {
    found.push(
      `effective_cache_size is ${readableBytes(cache)}, but page cache counts against database.limits.memory, ` +
        `${readableBytes(machine.memory)}: the planner estimates index scans for a cache that cannot exist. ` +
        `Set it to ${settingOfBytes(effectiveCacheSize(machine))}, three quarters of the limit.`,
    );
  }
  const wal = size("max_wal_size");
  if (settings.max_wal_size !== undefined && wal > machine.capacity / 2) {
    found.push(
      `max_wal_size is ${readableBytes(wal)}, and storage.capacity is ${readableBytes(machine.capacity)}: WAL may ` +
        `take more than half of the volume, and a full volume stops the server. ` +
        `Set it to ${settingOfBytes(walSizes(machine).max)}, or raise the capacity.`,
    );
  }
  const maintenance = size("maintenance_work_mem");
  if (count("max_parallel_maintenance_workers") > 0 && sharedMemory < maintenance) {
    found.push(
      `database.sharedMemory is ${readableBytes(sharedMemory)}, below maintenance_work_mem, ` +
        `${readableBytes(maintenance)}: a parallel HNSW build needs all of it in /dev/shm, and fails with ` +
        `"could not resize shared memory segment". Remove database.sharedMemory, or set it to ` +
        `${Math.ceil(sharedMemoryFor(settings) / MB)}Mi.`,
    );
  }
  const pool = count("max_worker_processes");
  for (const name of [
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "max_parallel_maintenance_workers",
  ]) {
    if (settings[name] === undefined || count(name) <= pool) continue;
    found.push(
      `${name} is ${settings[name]}, above max_worker_processes, ${pool}: PostgreSQL never starts more than these. ` +
        `Set max_worker_processes to ${count(name) + 1} or more, or lower ${name}.`,
    );
  }
  const cost = count("random_page_cost");
  if (machine.storageKind === "hdd" && cost < 2) {
    found.push(
      `random_page_cost is ${cost}, but database.storageKind is hdd: the planner assumes that a seek costs little more ` +
        `than a sequential read. Set it to 4, or set storageKind to the actual kind of disk.`,
    );
  }
  return found;
}
