/**
 * How much of the memory limit PostgreSQL's settings need. Everything that a container maps counts against its limit:
 * shared memory, /dev/shm, and the page cache that it dirties.
 */
import { bytesInForce, numberInForce, type ServerSettings } from "./effective.ts";
import { restOfSharedMemory, sharedBuffersBytes, walBuffersBytes } from "./shared-memory.ts";
import { effectiveSettings } from "./settings.ts";
import { readableBytes } from "../quantities.ts";

const MiB = 2 ** 20;

/** autovacuum_work_mem is never below this (check_autovacuum_work_mem). */
const LEAST_AUTOVACUUM_WORK_MEM = MiB;

/** Memory that settings can ask for, in bytes. */
export interface MemoryBudget {
  sharedBuffers: number;
  sharedMemory: number;
  /**
   * Memory that a start allocates at once or maps permanently: shared_buffers, /dev/shm, WAL buffers, locks and
   * processes, and the buffer in which the startup process decodes WAL (InitWalRecovery allocates all of it before the
   * first record).
   */
  fixed: number;
  /** The parts of `fixed`. */
  fixedParts: MemoryPart[];
  /** The most that the settings can ask for, part by part: `fixed`, and the memory of processes. */
  parts: MemoryPart[];
  /** The sum of `parts`. */
  total: number;
}

/** One part of the sum. */
export interface MemoryPart {
  what: string;
  bytes: number;
}

/**
 * Private memory of one process in addition to work_mem. Measured: 1.4 MB in a connection that runs pgbench. A process
 * that accesses thousands of tables uses more.
 */
const PROCESS = 2 * MiB;

/** Processes that always run: postmaster, checkpointer, background writer, WAL writer, two launchers. */
const BACKGROUND_PROCESSES = 6;

/**
 * Page tables of a process that has accessed all of shared_buffers: 8 bytes for each 4 KiB page. Huge pages would save
 * this (resource: huge_pages, "smaller page tables").
 */
const PAGES_PER_ENTRY = 512;

/**
 * Default size of /dev/shm: a parallel index build puts its whole maintenance_work_mem there (pgvector's HnswParallel
 * build: one dynamic shared memory segment of that size), and parallel queries need some as well.
 *
 * @returns bytes
 */
export function sharedMemoryFor(settings: ServerSettings): number {
  return Math.max(64 * MiB, Math.ceil((bytesInForce(settings, "maintenance_work_mem") * 1.25) / MiB) * MiB);
}

/** Memory of each autovacuum worker in bytes. -1: maintenance_work_mem. */
function autovacuumWorkMem(settings: ServerSettings): number {
  const chosen = bytesInForce(settings, "autovacuum_work_mem");
  return chosen === -1
    ? bytesInForce(settings, "maintenance_work_mem")
    : Math.max(LEAST_AUTOVACUUM_WORK_MEM, chosen);
}

/** Processes that may each use work_mem: connections, and their parallel workers. */
export function queryProcesses(settings: ServerSettings): number {
  return numberInForce(settings, "max_connections") + numberInForce(settings, "max_parallel_workers");
}

/**
 * The sum that `database.tuning: auto` keeps within the limit, and that configured settings are checked against: what is
 * mapped at the start, each process, each of those that run queries in one hash at a time (resource: work_mem x
 * hash_mem_multiplier), and each autovacuum worker. A parallel index build uses /dev/shm; one that is not parallel fits
 * in its place. Sources are named as in tuning-formulas.ts.
 *
 * @param sharedMemory size of /dev/shm in bytes
 */
export function memoryBudget(settings: ServerSettings, sharedMemory: number): MemoryBudget {
  const sharedBuffers = sharedBuffersBytes(settings);
  const fixedParts = [
    { what: "shared_buffers", bytes: sharedBuffers },
    { what: "/dev/shm", bytes: sharedMemory },
    { what: "WAL buffers", bytes: walBuffersBytes(settings) },
    { what: "locks and processes", bytes: restOfSharedMemory(effectiveSettings(settings)) },
    { what: "WAL decode buffer", bytes: bytesInForce(settings, "wal_decode_buffer_size") },
  ];
  const connections = numberInForce(settings, "max_connections");
  const autovacuumWorkers = numberInForce(settings, "autovacuum_max_workers");
  const processes =
    connections + numberInForce(settings, "max_worker_processes") + autovacuumWorkers + BACKGROUND_PROCESSES;
  const workers = queryProcesses(settings) - connections;
  const [workMem, multiplier] = [
    bytesInForce(settings, "work_mem"),
    numberInForce(settings, "hash_mem_multiplier"),
  ];
  const pageTables = sharedBuffers / PAGES_PER_ENTRY;
  const vacuum = autovacuumWorkMem(settings);
  const parts = [
    ...fixedParts,
    { what: `${processes} processes x ${readableBytes(PROCESS)}`, bytes: processes * PROCESS },
    { what: `${processes} page tables x ${readableBytes(pageTables)}`, bytes: processes * pageTables },
    {
      what:
        `(${connections} connections + ${workers} parallel workers) x work_mem ` +
        `${readableBytes(workMem)} x hash_mem_multiplier ${multiplier}`,
      bytes: (connections + workers) * workMem * multiplier,
    },
    {
      what: `${autovacuumWorkers} autovacuum workers x ${readableBytes(vacuum)}`,
      bytes: autovacuumWorkers * vacuum,
    },
  ];
  const sum = (of: readonly MemoryPart[]) => of.reduce((all, { bytes }) => all + bytes, 0);
  return { sharedBuffers, sharedMemory, fixed: sum(fixedParts), fixedParts, parts, total: sum(parts) };
}

/** Human-readable parts: `shared_buffers (32 GiB) + /dev/shm (2.5 GiB)`. */
export function readableParts(parts: readonly MemoryPart[]): string {
  return parts.map(({ what, bytes }) => `${what} (${readableBytes(bytes)})`).join(" + ");
}
