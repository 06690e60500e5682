/**
 * The formulas behind `database.tuning: auto`, each with its source:
 * - resource: https://www.postgresql.org/docs/16/runtime-config-resource.html
 * - wal: https://www.postgresql.org/docs/16/runtime-config-wal.html
 * - pgvector: https://github.com/pgvector/pgvector#indexing, its README
 * - pgtune: https://github.com/le0pard/pgtune, `configurationSlice.js`, for its type `mixed`
 * - measured: on PostgreSQL 16.14 with pgvector
 * - ours: no other source; docs/memory-tuning.md explains why
 */
import { bytesInForce } from "./effective.ts";

const kB = 2 ** 10;
const MB = 2 ** 20;
const GB = 2 ** 30;

/** Kind of storage: `san` is any array of many parallel disks behind a controller or a network. */
export type StorageKind = "ssd" | "hdd" | "san";

/** The server's resources. */
export interface Machine {
  /** The container's memory limit in bytes. */
  memory: number;
  /** The container's CPU limit; may be less than one. */
  cpus: number;
  /** Size of the volume in bytes, including WAL. */
  capacity: number;
  storageKind: StorageKind;
}

/** PostgreSQL's default, which is also pgtune's minimum. Bytes. */
export function usualWorkMem(): number {
  return bytesInForce({}, "work_mem");
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}

/** A size in PostgreSQL's notation, rounded down to whole MB, or to whole kB below 1 MB. */
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
 * Three quarters of the memory (pgtune). Only a hint to the planner; never above the limit, because page cache counts
 * against it. Bytes.
 */
export function effectiveCacheSize({ memory }: Machine): number {
  return (memory * 3) / 4;
}

/**
 * A quarter of the memory (ours; pgtune uses a sixteenth, which is less than a small HNSW graph). pgvector:
 * "indexes build significantly faster when the graph fits into maintenance_work_mem". Bytes.
 */
export function maintenanceWorkMem({ memory }: Machine): number {
  return memory / 4;
}

/**
 * A 64th of the memory (ours), at most 1 GB (resource: "VACUUM is only able to utilize up to a maximum of 1GB").
 * Otherwise each autovacuum worker would use all of maintenance_work_mem (resource). Bytes.
 */
export function autovacuumWorkMem({ memory }: Machine): number {
  return Math.min(GB, memory / 64);
}

/**
 * A 32nd of shared_buffers, at most 16 MB, one segment; at least 4 MB (wal: wal_buffers, "at least a few
 * megabytes can improve write performance on a busy server"). Bytes.
 */
export function walBuffers(sharedBuffersBytes: number): number {
  return clamp(sharedBuffersBytes / 32, 4 * MB, 16 * MB);
}

/**
 * pgtune's work_mem: the memory without shared_buffers, divided by three operations in each connection and worker, and
 * half of that for mixed work. Not below PostgreSQL's default. Bytes.
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
 * CPUs that are counted (ours): the settings allow at most 1024 workers, and each uses memory even when idle. A CPU limit
 * may be any number, even if no node has that many.
 */
const MOST_CPUS = 256;

/**
 * Workers by whole CPUs. A query gets half of them, at most four (pgtune). Below four CPUs, PostgreSQL's defaults
 * apply (pgtune); below two, nothing runs in parallel. An index build gets all CPUs except the leader's
 * (pgvector: "max_parallel_maintenance_workers = 7; -- plus leader"). The logical replication launcher uses one
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

/** The planner's costs for the storage (pgtune; resource and query planning point in the same directions). */
export function storageCosts({ storageKind }: Machine): {
  random_page_cost: string;
  effective_io_concurrency: string;
} {
  return {
    random_page_cost: storageKind === "hdd" ? "4" : "1.1",
    effective_io_concurrency: { ssd: "200", hdd: "2", san: "300" }[storageKind],
  };
}
