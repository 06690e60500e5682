/**
 * What PostgreSQL's settings need of the memory limit. Everything a container maps counts against its limit:
 * shared memory, /dev/shm, and the page cache it dirties.
 */
import { bytesInForce, numberInForce, type ServerSettings } from "./effective.ts";
import { restOfSharedMemory, sharedBuffersBytes, walBuffersBytes } from "./shared-memory.ts";
import { effectiveSettings } from "./settings.ts";
import { readableBytes } from "../quantities.ts";

const MiB = 2 ** 20;

/** autovacuum_work_mem is never below this, whatever is set (check_autovacuum_work_mem). */
const LEAST_AUTOVACUUM_WORK_MEM = MiB;

/** What settings can ask for, in bytes. */
export interface MemoryBudget {
  sharedBuffers: number;
  sharedMemory: number;
  /**
   * What a start needs in one piece or maps for good: shared_buffers, /dev/shm, WAL buffers, locks and processes, and
   * the buffer in which the startup process decodes WAL (InitWalRecovery allocates all of it before the first record).
   */
  fixed: number;
  /** `fixed` in its parts. */
  fixedParts: MemoryPart[];
  /** What the settings can ask for at most, part by part: `fixed`, and what processes take. */
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
 * Private memory of one process beside work_mem. Measured: 1.4 MB in a connection that runs pgbench. One that
 * touches thousands of tables takes more.
 */
const PROCESS = 2 * MiB;

/** Processes that are always there: postmaster, checkpointer, background writer, WAL writer, two launchers. */
const BACKGROUND_PROCESSES = 6;

/**
 * What the kernel's 4 KiB pages cost each process that has touched all of shared_buffers: 8 bytes a page. This is
 * what huge pages would save (resource: huge_pages, "smaller page tables").
 */
const PAGES_PER_ENTRY = 512;

/**
 * /dev/shm, when nobody chose it: a parallel index build puts its whole maintenance_work_mem there (pgvector's
 * HnswParallel build: one dynamic shared memory segment of that size), and parallel queries need some beside it.
 *
 * @returns bytes
 */
export function sharedMemoryFor(settings: ServerSettings): number {
  return Math.max(64 * MiB, Math.ceil((bytesInForce(settings, "maintenance_work_mem") * 1.25) / MiB) * MiB);
}

/** What each autovacuum worker may take, in bytes. -1: as much as maintenance_work_mem. */
function autovacuumWorkMem(settings: ServerSettings): number {
  const chosen = bytesInForce(settings, "autovacuum_work_mem");
  return chosen === -1
    ? bytesInForce(settings, "maintenance_work_mem")
    : Math.max(LEAST_AUTOVACUUM_WORK_MEM, chosen);
}

/** Processes that may each hold work_mem: connections, and workers at their queries. */
export function queryProcesses(settings: ServerSettings): number {
  return numberInForce(settings, "max_connections") + numberInForce(settings, "max_parallel_workers");
}

/**
 * The one sum, which `database.tuning: auto` keeps within the limit and by which chosen settings are judged: what is
 * mapped at the start, each process, each of those that run queries in one hash at a time (resource: work_mem x
 * hash_mem_multiplier), and each autovacuum worker. An index build is in /dev/shm; of those that do not run in
 * parallel, one at a time fits in its place. Sources are named as in tuning-formulas.ts.
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

/** Parts as a person reads them: `shared_buffers (32 GiB) + /dev/shm (2.5 GiB)`. */
export function readableParts(parts: readonly MemoryPart[]): string {
  return parts.map(({ what, bytes }) => `${what} (${readableBytes(bytes)})`).join(" + ");
}
