/**
 * The formulas behind `database.tuning: auto`, each with its source:
 * - resource: https://www.postgresql.org/docs/16/runtime-config-resource.html
 * - wal: https://www.postgresql.org/docs/16/runtime-config-wal.html
 * - pgvector: https://github.com/pgvector/pgvector#indexing, its README
 * - pgtune: https://github.com/le0pard/pgtune, `configurationSlice.js`, for its type `mixed`
 * - measured: on PostgreSQL 16.14 with pgvector
 * - ours: no source but this page, docs/memory-tuning.md, which says why
 */
import { bytesInForce } from "./effective.ts";

const kB = 2 ** 10;
const MB = 2 ** 20;
const GB = 2 ** 30;

/** What the data lies on: `san` is any array behind a controller or a network with many disks at work at once. */
export type StorageKind = "ssd" | "hdd" | "san";

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

/** PostgreSQL's default, which pgtune does not go below either. Bytes. */
export function usualWorkMem(): number {
  return bytesInForce({}, "work_mem");
}

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
  return Math.max(usualWorkMem(), (memory - sharedBuffersBytes) / (processes * 3) / 2);
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
 * CPUs that are counted (ours): more workers than that are more than any setting of them can use (1024), and each takes
 * memory whether it works or not. A limit of CPUs may be any number: no node has to have them.
 */
const MOST_CPUS = 256;

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
  const whole = Math.min(MOST_CPUS, Math.floor(cpus));
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
