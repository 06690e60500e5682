/**
 * PostgreSQL's memory, parallelism and WAL settings from what the container has. Each formula names its source:
 * - resource: https://www.postgresql.org/docs/16/runtime-config-resource.html
 * - wal: https://www.postgresql.org/docs/16/runtime-config-wal.html
 * - pgvector: https://github.com/pgvector/pgvector#indexing, its README
 * - pgtune: https://github.com/le0pard/pgtune, `configurationSlice.js`, for its type `mixed`
 * - measured: on PostgreSQL 16.14 with pgvector
 * - ours: no source but this page, docs/memory-tuning.md, which says why
 */
import { memoryBudget, sharedMemoryFor } from "./memory-budget.ts";
import { bytesOfSetting, readableBytes } from "./quantities.ts";

const kB = 2 ** 10;
const MB = 2 ** 20;
const GB = 2 ** 30;

/** What the data lies on: `san` is any array behind a controller or a network with many disks at work at once. */
export type StorageKind = "ssd" | "hdd" | "san";

/** PostgreSQL settings by name. */
export type ServerSettings = Readonly<Record<string, string>>;

/** What the server has. */
export interface Machine {
  /** The container's memory limit in bytes. */
  memory: number;
  /** The container's CPU limit; may be less than one. */
  cpus: number;
  /** Size of the volume in bytes; WAL lies on it too. */
  capacity: number;
  storageKind: StorageKind;
}

/** What {@link tune} found. */
export interface Tuning {
  /** Everything that the solver chooses, and the named values over it. */
  settings: Record<string, string>;
  /** Size of /dev/shm in bytes. */
  sharedMemory: number;
  /** What these settings can ask for at most. */
  demand: MemoryDemand;
  /** Bytes that are missing even with the smallest settings; 0 when everything fits. */
  shortfall: number;
}

/** What settings can ask for at most, part by part. */
export interface MemoryDemand {
  parts: { what: string; bytes: number }[];
  /** Bytes. */
  total: number;
}

/**
 * Private memory of one process beside work_mem. Measured: 1.4 MB in a connection that runs pgbench. One that
 * touches thousands of tables takes more.
 */
const PROCESS = 2 * MB;

/** Processes that are always there: postmaster, checkpointer, background writer, WAL writer, two launchers. */
const BACKGROUND_PROCESSES = 6;

/**
 * What the kernel's 4 KiB pages cost each process that has touched all of shared_buffers: 8 bytes a page. This is
 * what huge pages would save (resource: huge_pages, "smaller page tables").
 */
const PAGES_PER_ENTRY = 512;

/** The share of the limit that is left to what no setting bounds. Ours. */
const RESERVE = 1 / 16;

/** The usual values of PostgreSQL 16 that the sum needs. */
const USUAL = { hash_mem_multiplier: 2, max_connections: 100, autovacuum_max_workers: 3 };

/** Where the solver stops shrinking. /dev/shm has 64 MB anyway, which do for a maintenance_work_mem of 48MB. Ours. */
const LEAST = { shared_buffers: 16 * MB, maintenance_work_mem: 48 * MB, autovacuum_work_mem: 8 * MB };
const LEAST_WORK_MEM = MB;
/** PostgreSQL's default (resource), which pgtune does not go below either. */
const USUAL_WORK_MEM = 4 * MB;

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}

/** A size in PostgreSQL's notation, rounded down to whole MB, or to whole kB below one. */
export function settingOfBytes(bytes: number): string {
  if (bytes < MB) return `${Math.floor(bytes / kB)}kB`;
  const whole = Math.floor(bytes / MB);
  return whole % 1024 === 0 ? `${whole / 1024}GB` : `${whole}MB`;
}

/** A quarter of the memory (resource: "a reasonable starting value for shared_buffers is 25%"; pgtune). Bytes. */
export function sharedBuffers({ memory }: Machine): number {
  return memory / 4;
}

/**
 * Three quarters of the memory (pgtune). Only a hint to the planner; page cache counts against a container's limit,
 * so it is never above the limit. Bytes.
 */
export function effectiveCacheSize({ memory }: Machine): number {
  return (memory * 3) / 4;
}

/**
 * A quarter of the memory (ours; pgtune has a sixteenth, which is less than one small HNSW graph). pgvector:
 * "indexes build significantly faster when the graph fits into maintenance_work_mem". Bytes.
 */
export function maintenanceWorkMem({ memory }: Machine): number {
  return memory / 4;
}

/**
 * A 64th of the memory (ours), 1 GB at most (resource: "VACUUM is only able to utilize up to a maximum of 1GB").
 * Set because each autovacuum worker would otherwise take the whole of maintenance_work_mem (resource). Bytes.
 */
export function autovacuumWorkMem({ memory }: Machine): number {
  return Math.min(GB, memory / 64);
}

/**
 * A 32nd of shared_buffers and 16 MB, one segment, at most; 4 MB at least (wal: wal_buffers, "at least a few
 * megabytes can improve write performance on a busy server"). Bytes.
 */
export function walBuffers(sharedBuffersBytes: number): number {
  return clamp(sharedBuffersBytes / 32, 4 * MB, 16 * MB);
}

/**
 * pgtune's work_mem: what shared_buffers leave, over three operations in each connection and worker, and half of
 * that for mixed work. Not below PostgreSQL's default. Bytes.
 */
export function workMem(memory: number, sharedBuffersBytes: number, processes: number): number {
  return Math.max(USUAL_WORK_MEM, (memory - sharedBuffersBytes) / (processes * 3) / 2);
}

/**
 * A quarter of the volume (ours), between 128 MB and 4 GB (pgtune). A quarter of that is kept for reuse (pgtune).
 * wal: max_wal_size is a soft limit, and under load WAL grows beyond it. Bytes.
 */
export function walSizes({ capacity }: Machine): { max: number; min: number } {
  const max = clamp(capacity / 4, 128 * MB, 4 * GB);
  return { max, min: max / 4 };
}

/**
 * Workers by whole CPUs. A query gets half of them, four at most (pgtune); below four CPUs PostgreSQL's defaults
 * stay (pgtune), less than two are no ground for parallel work. An index build gets all CPUs but the leader's
 * (pgvector: "max_parallel_maintenance_workers = 7; -- plus leader"). The logical replication launcher takes one
 * of max_worker_processes.
 */
export function parallelWorkers({ cpus }: Machine): {
  max_worker_processes: number;
  max_parallel_workers: number;
  max_parallel_workers_per_gather: number;
  max_parallel_maintenance_workers: number;
} {
  const whole = Math.floor(cpus);
  if (whole < 2) {
    return {
      max_worker_processes: 8,
      max_parallel_workers: 0,
      max_parallel_workers_per_gather: 0,
      max_parallel_maintenance_workers: 0,
    };
  }
  return {
    max_worker_processes: Math.max(8, whole + 1),
    max_parallel_workers: whole,
    max_parallel_workers_per_gather: whole < 4 ? Math.min(2, whole) : Math.min(4, Math.ceil(whole / 2)),
    max_parallel_maintenance_workers: Math.min(whole, Math.max(2, whole - 1)),
  };
}

/** The planner's idea of the storage (pgtune; resource and query planning have the same directions). */
export function storageCosts({ storageKind }: Machine): {
  random_page_cost: string;
  effective_io_concurrency: string;
} {
  return {
    random_page_cost: storageKind === "hdd" ? "4" : "1.1",
    effective_io_concurrency: { ssd: "200", hdd: "2", san: "300" }[storageKind],
  };
}

function numberOf(settings: ServerSettings, name: keyof typeof USUAL | "max_worker_processes"): number {
  const usual = name === "max_worker_processes" ? 8 : USUAL[name];
  return Number(settings[name] ?? usual);
}

/** Processes that may each hold work_mem: connections, and workers at their queries. */
function queryProcesses(settings: ServerSettings): number {
  return numberOf(settings, "max_connections") + Number(settings.max_parallel_workers ?? 8);
}

/**
 * What settings can ask for at most: everything that is mapped at the start, each process, each of those that run
 * queries in one hash at a time (resource: work_mem x hash_mem_multiplier), and each autovacuum worker. An index
 * build is in /dev/shm; of those that do not run in parallel, one at a time fits in its place.
 *
 * @param sharedMemory size of /dev/shm in bytes
 */
export function memoryDemand(settings: ServerSettings, sharedMemory: number): MemoryDemand {
  const budget = memoryBudget(settings, sharedMemory);
  const processes =
    budget.connections +
    numberOf(settings, "max_worker_processes") +
    budget.autovacuumWorkers +
    BACKGROUND_PROCESSES;
  const multiplier = numberOf(settings, "hash_mem_multiplier");
  const workers = queryProcesses(settings) - budget.connections;
  const pageTables = budget.sharedBuffers / PAGES_PER_ENTRY;
  const parts = [
    { what: "shared_buffers", bytes: budget.sharedBuffers },
    { what: "/dev/shm", bytes: budget.sharedMemory },
    { what: "WAL buffers", bytes: budget.walBuffers },
    // Measured, at eight pairs of shared_buffers and max_connections: never more.
    { what: "the rest of shared memory", bytes: 8 * MB + budget.sharedBuffers / 40 },
    { what: `${processes} processes x ${readableBytes(PROCESS)}`, bytes: processes * PROCESS },
    { what: `${processes} page tables x ${readableBytes(pageTables)}`, bytes: processes * pageTables },
    {
      what:
        `(${budget.connections} connections + ${workers} parallel workers) x work_mem ` +
        `${readableBytes(budget.workMem)} x hash_mem_multiplier ${multiplier}`,
      bytes: (budget.connections + workers) * budget.workMem * multiplier,
    },
    {
      what: `${budget.autovacuumWorkers} autovacuum workers x ${readableBytes(budget.maintenanceWorkMem)}`,
      bytes: budget.autovacuumWorkers * budget.maintenanceWorkMem,
    },
  ];
  return { parts, total: parts.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/**
 * Chooses settings whose sum fits the memory limit. Named values are kept, and the others are chosen around them.
 * Where the formulas ask for too much, shared_buffers, maintenance_work_mem and autovacuum_work_mem shrink together;
 * work_mem keeps PostgreSQL's default as long as it can.
 *
 * @param named settings that win over the solver's
 * @param chosenSharedMemory size of /dev/shm in bytes. Default: what maintenance_work_mem needs
 */
export function tune(machine: Machine, named: ServerSettings = {}, chosenSharedMemory?: number): Tuning {
  const wal = walSizes(machine);
  const base: Record<string, string> = {
    max_connections: String(USUAL.max_connections),
    autovacuum_max_workers: String(USUAL.autovacuum_max_workers),
    effective_cache_size: settingOfBytes(effectiveCacheSize(machine)),
    max_wal_size: settingOfBytes(wal.max),
    min_wal_size: settingOfBytes(wal.min),
    ...Object.fromEntries(
      Object.entries(parallelWorkers(machine)).map(([name, count]) => [name, String(count)]),
    ),
    ...storageCosts(machine),
    // `try` ends in "Bus error" on a node that has huge pages, when the pod has asked for none
    // (docker-library/postgres#451, kubernetes/kubernetes#71233); this pod asks for none.
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
      settingOfBytes(Math.max(LEAST[name], Math.floor((target[name] * share) / MB) * MB));
    const buffers = named.shared_buffers ?? sized("shared_buffers");
    const settings = {
      ...base,
      shared_buffers: buffers,
      maintenance_work_mem: sized("maintenance_work_mem"),
      autovacuum_work_mem: sized("autovacuum_work_mem"),
      wal_buffers: settingOfBytes(walBuffers(bytesOfSetting(buffers) ?? 0)),
      work_mem: settingOfBytes(workMemBytes),
      ...named,
    };
    const sharedMemory = chosenSharedMemory ?? sharedMemoryFor(settings);
    return { settings, sharedMemory, demand: memoryDemand(settings, sharedMemory) };
  };
  /** work_mem from what is left when everything else has its share. */
  const roomForWorkMem = (share: number): number => {
    const without = candidate(share, 0);
    const { settings } = without;
    const withoutWorkMem = memoryDemand({ ...settings, work_mem: "0kB" }, without.sharedMemory).total;
    return (
      (available - withoutWorkMem) / (queryProcesses(settings) * numberOf(settings, "hash_mem_multiplier"))
    );
  };
  const wanted = "work_mem" in named ? (bytesOfSetting(named.work_mem ?? "") ?? 0) : USUAL_WORK_MEM;

  const STEPS = 256;
  let steps = roomForWorkMem(1) < wanted ? 0 : STEPS;
  // More for the others is less for work_mem: the largest share that leaves enough.
  for (let tooMany = STEPS; tooMany - steps > 1;) {
    const middle = Math.floor((steps + tooMany) / 2);
    if (roomForWorkMem(middle / STEPS) < wanted) tooMany = middle;
    else steps = middle;
  }
  const share = steps / STEPS;
  const room = roomForWorkMem(share);
  const { settings } = candidate(share, 0);
  const processes = numberOf(settings, "max_connections") + numberOf(settings, "max_worker_processes");
  const best = workMem(machine.memory, bytesOfSetting(settings.shared_buffers ?? "") ?? 0, processes);
  const found = candidate(share, Math.max(LEAST_WORK_MEM, Math.min(best, room)));
  return { ...found, shortfall: Math.max(0, found.demand.total - machine.memory) };
}

/**
 * The least memory that the smallest settings fit in, by these formulas. Bytes, in whole MB.
 *
 * @param named settings that are kept
 */
export function leastMemory(machine: Machine, named: ServerSettings = {}, sharedMemory?: number): number {
  let missing = 0;
  let enough = MB;
  while (tune({ ...machine, memory: enough }, named, sharedMemory).shortfall > 0) {
    missing = enough;
    enough *= 2;
    // Nothing that can be read fits into a pebibyte.
    if (enough > 2 ** 50) return Infinity;
  }
  while (enough - missing > MB) {
    const middle = Math.floor((missing + enough) / 2 / MB) * MB;
    if (tune({ ...machine, memory: middle }, named, sharedMemory).shortfall > 0) missing = middle;
    else enough = middle;
  }
  return enough;
}

/** The most connections that fit, when everything else is as small as it may be; 0 when none do. */
function mostConnections(machine: Machine, named: ServerSettings, sharedMemory?: number): number {
  let fits = 0;
  let most = Number(named.max_connections ?? USUAL.max_connections);
  while (most > fits) {
    const middle = Math.ceil((fits + most) / 2);
    const { shortfall } = tune(machine, { ...named, max_connections: String(middle) }, sharedMemory);
    if (shortfall > 0) most = middle - 1;
    else fits = middle;
  }
  return fits;
}

/** Names whose values take part in the sum. */
const IN_THE_SUM = [
  "shared_buffers",
  "work_mem",
  "hash_mem_multiplier",
  "maintenance_work_mem",
  "autovacuum_work_mem",
  "autovacuum_max_workers",
  "wal_buffers",
];

/** Why nothing fits, with the sum and the ways out; undefined when it does. */
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
  const sum = tuning.demand.parts.map(({ what, bytes }) => `${what} (${readableBytes(bytes)})`).join(" + ");
  return (
    `database.tuning is auto, but even its smallest settings can ask for ` +
    `${readableBytes(tuning.demand.total)}, and database.limits.memory is ${readableBytes(machine.memory)}: ${sum}. ` +
    (kept.length > 0 ? `Kept because database.settings names them: ${kept.join(", ")}. ` : "") +
    (connections > 0 ? `Lower database.settings.max_connections to ${connections}, or raise` : "Raise") +
    ` the limit to ${Math.ceil(least / MB)}Mi.`
  );
}

/**
 * Sentences about settings that do not go with the machine, each with its numbers. What adds up to too much is
 * said elsewhere; this is about single values.
 *
 * @param settings all that are in force
 */
export function contradictions(settings: ServerSettings, machine: Machine, sharedMemory: number): string[] {
  const size = (name: string) => bytesOfSetting(settings[name] ?? "");
  const count = (name: string, usual: number) => Number(settings[name] ?? usual);
  const found: string[] = [];

  const cache = size("effective_cache_size");
  if (cache !== undefined && cache > machine.memory) {
    found.push(
      `effective_cache_size is ${readableBytes(cache)}, but page cache counts against database.limits.memory, ` +
        `${readableBytes(machine.memory)}: the planner prices index scans for a cache that cannot be there. ` +
        `Set it to ${settingOfBytes(effectiveCacheSize(machine))}, three quarters of the limit.`,
    );
  }
  const wal = size("max_wal_size");
  if (wal !== undefined && wal > machine.capacity / 2) {
    found.push(
      `max_wal_size is ${readableBytes(wal)}, and storage.capacity ${readableBytes(machine.capacity)}: WAL may ` +
        `take more than half of the volume, and a full volume stops the server. ` +
        `Set it to ${settingOfBytes(walSizes(machine).max)}, or raise the capacity.`,
    );
  }
  const maintenance = size("maintenance_work_mem") ?? 64 * MB;
  if (count("max_parallel_maintenance_workers", 2) > 0 && sharedMemory < maintenance) {
    found.push(
      `database.sharedMemory is ${readableBytes(sharedMemory)}, below maintenance_work_mem, ` +
        `${readableBytes(maintenance)}: a parallel HNSW build takes all of it in /dev/shm, and ends with ` +
        `"could not resize shared memory segment". Leave database.sharedMemory out, or set it to ` +
        `${Math.ceil(sharedMemoryFor(settings) / MB)}Mi.`,
    );
  }
  const pool = count("max_worker_processes", 8);
  for (const name of [
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "max_parallel_maintenance_workers",
  ]) {
    if (settings[name] === undefined || Number(settings[name]) <= pool) continue;
    found.push(
      `${name} is ${settings[name]}, above max_worker_processes, ${pool}: no more than these are ever started. ` +
        `Set max_worker_processes to ${Number(settings[name]) + 1} or more, or lower ${name}.`,
    );
  }
  const cost = Number(settings.random_page_cost ?? NaN);
  if (machine.storageKind === "hdd" && cost < 2) {
    found.push(
      `random_page_cost is ${cost}, but database.storageKind is hdd: the planner takes a seek to cost little more ` +
        `than reading on. Set it to 4, or storageKind to what the data lies on.`,
    );
  }
  return found;
}
