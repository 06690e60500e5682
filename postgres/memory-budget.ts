/**
 * What PostgreSQL's settings need of the memory limit. Everything a container maps counts against its limit:
 * shared memory, /dev/shm, and the page cache it dirties.
 */
import { bytesInForce, numberInForce, type ServerSettings } from "./effective.ts";
import { restOfSharedMemory, sharedBuffersBytes, walBuffersBytes } from "./shared-memory.ts";
import { effectiveSettings } from "./settings.ts";

const MiB = 2 ** 20;

/** autovacuum_work_mem is never below this, whatever is set (check_autovacuum_work_mem). */
const LEAST_AUTOVACUUM_WORK_MEM = MiB;

/** The parts of the sum, in bytes. */
export interface MemoryBudget {
  sharedBuffers: number;
  sharedMemory: number;
  walBuffers: number;
  /** The rest of what the server maps at its start: locks, processes, descriptors of buffers. */
  rest: number;
  /** These four are always there: shared_buffers + /dev/shm + WAL buffers + the rest. */
  fixed: number;
  connections: number;
  workMem: number;
  autovacuumWorkers: number;
  maintenanceWorkMem: number;
  /** `fixed`, and each connection in one sort, and each autovacuum worker at its full memory. */
  peak: number;
}

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

/**
 * Adds up what the settings need.
 *
 * @param sharedMemory size of /dev/shm in bytes
 */
export function memoryBudget(settings: ServerSettings, sharedMemory: number): MemoryBudget {
  const sharedBuffers = sharedBuffersBytes(settings);
  const workMem = bytesInForce(settings, "work_mem");
  const maintenanceWorkMem = autovacuumWorkMem(settings);
  const connections = numberInForce(settings, "max_connections");
  const autovacuumWorkers = numberInForce(settings, "autovacuum_max_workers");
  const walBuffers = walBuffersBytes(settings);
  const rest = restOfSharedMemory(effectiveSettings(settings));
  const fixed = sharedBuffers + sharedMemory + walBuffers + rest;
  return {
    sharedBuffers,
    sharedMemory,
    walBuffers,
    rest,
    fixed,
    connections,
    workMem,
    autovacuumWorkers,
    maintenanceWorkMem,
    peak: fixed + connections * workMem + autovacuumWorkers * maintenanceWorkMem,
  };
}
