/**
 * What PostgreSQL's settings need of the memory limit. Everything a container maps counts against its limit:
 * shared memory, /dev/shm, and the page cache it dirties.
 */
import { bytesOfSetting } from "./quantities.ts";

const MiB = 2 ** 20;

/** PostgreSQL 16's own defaults, where a sum needs them: https://www.postgresql.org/docs/16/runtime-config.html */
const DEFAULTS: Readonly<Record<string, string>> = {
  shared_buffers: "128MB",
  work_mem: "4MB",
  maintenance_work_mem: "64MB",
  max_connections: "100",
  autovacuum_max_workers: "3",
};

/** The parts of the sum, in bytes. */
export interface MemoryBudget {
  sharedBuffers: number;
  sharedMemory: number;
  walBuffers: number;
  /** These three are always there: shared_buffers + /dev/shm + WAL buffers. */
  fixed: number;
  connections: number;
  workMem: number;
  autovacuumWorkers: number;
  maintenanceWorkMem: number;
  /** `fixed`, and each connection in one sort, and each autovacuum worker at its full memory. */
  peak: number;
}

function setting(settings: Readonly<Record<string, string>>, name: string): string {
  return settings[name] ?? DEFAULTS[name] ?? "0";
}

/** A memory setting in bytes. NaN when it has no unit; the configuration's checks refuse that beforehand. */
function memory(settings: Readonly<Record<string, string>>, name: string): number {
  return bytesOfSetting(setting(settings, name)) ?? NaN;
}

/**
 * /dev/shm, when nobody chose it: a parallel index build puts its whole maintenance_work_mem there (pgvector's
 * HnswParallel build: one dynamic shared memory segment of that size), and parallel queries need some beside it.
 *
 * @returns bytes
 */
export function sharedMemoryFor(settings: Readonly<Record<string, string>>): number {
  return Math.max(64 * MiB, Math.ceil((memory(settings, "maintenance_work_mem") * 1.25) / MiB) * MiB);
}

/**
 * WAL buffers in bytes: a 32nd of shared_buffers, 64 kB at least and one WAL segment at most
 * (https://www.postgresql.org/docs/16/runtime-config-wal.html#GUC-WAL-BUFFERS).
 */
function walBuffers(settings: Readonly<Record<string, string>>): number {
  const chosen = settings.wal_buffers;
  if (chosen !== undefined && chosen !== "-1") return bytesOfSetting(chosen) ?? NaN;
  return Math.min(16 * MiB, Math.max(64 * 1024, memory(settings, "shared_buffers") / 32));
}

/**
 * Adds up what the settings need.
 *
 * @param sharedMemory size of /dev/shm in bytes
 */
export function memoryBudget(settings: Readonly<Record<string, string>>, sharedMemory: number): MemoryBudget {
  const sharedBuffers = memory(settings, "shared_buffers");
  const workMem = memory(settings, "work_mem");
  const maintenanceWorkMem = memory(settings, "maintenance_work_mem");
  const connections = Number(setting(settings, "max_connections"));
  const autovacuumWorkers = Number(setting(settings, "autovacuum_max_workers"));
  const wal = walBuffers(settings);
  const autovacuumWorkMem =
    settings.autovacuum_work_mem === undefined || settings.autovacuum_work_mem === "-1"
      ? maintenanceWorkMem
      : memory(settings, "autovacuum_work_mem");
  const fixed = sharedBuffers + sharedMemory + wal;
  return {
    sharedBuffers,
    sharedMemory,
    walBuffers: wal,
    fixed,
    connections,
    workMem,
    autovacuumWorkers,
    maintenanceWorkMem: autovacuumWorkMem,
    peak: fixed + connections * workMem + autovacuumWorkers * autovacuumWorkMem,
  };
}
