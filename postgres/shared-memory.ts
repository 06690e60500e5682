/**
 * Shared memory that a server maps when it starts: a sum over the settings that affect it. The bytes of each were
 * measured with `postgres -C shared_memory_size` on 16.14, and test/postgres compares the sum with PostgreSQL's own for
 * random settings.
 */
import { WAL_SEGMENT } from "./catalogue.ts";
import { bytesInForce, numberInForce, type ServerSettings, textInForce } from "./effective.ts";
import { splitPaths } from "./lists.ts";

const BLOCK = 8192;

/** Measured bytes. */
const EACH = {
  /** One lock, in the lock table and in the table of holders. */
  lock: 400,
  /** One predicate lock. */
  predicateLock: 260,
  /** A process that can run transactions, without its locks and its query text. */
  process: 7 * 1024,
  replicationSlot: 400,
  replicationWorker: 160,
  /** An entry of pg_stat_statements. */
  statement: 400,
};

/** Independent of the settings. */
const BASE = 3 * 2 ** 20;

/** Processes with a slot in addition to the backends: checkpointer, writers, archiver. */
const AUXILIARY = 5;

/** shared_buffers in bytes. */
export function sharedBuffersBytes(settings: ServerSettings): number {
  return bytesInForce(settings, "shared_buffers");
}

/**
 * WAL buffers in bytes. -1: a 32nd of shared_buffers, at least 64 kB and at most one WAL segment (XLOGChooseNumBuffers).
 * 0 to 3: four blocks (check_wal_buffers).
 */
export function walBuffersBytes(settings: ServerSettings): number {
  const chosen = bytesInForce(settings, "wal_buffers");
  if (chosen !== -1) return Math.max(4 * BLOCK, chosen);
  const share = Math.floor(sharedBuffersBytes(settings) / BLOCK / 32) * BLOCK;
  return Math.min(WAL_SEGMENT, Math.max(8 * BLOCK, share));
}

/** Shared memory without shared_buffers and WAL buffers, in bytes: buffer descriptors, locks, processes, slots. */
export function restOfSharedMemory(settings: ServerSettings): number {
  const count = (name: string) => numberInForce(settings, name);
  const backends =
    1 +
    count("max_connections") +
    count("autovacuum_max_workers") +
    count("max_worker_processes") +
    count("max_wal_senders");
  const prepared = count("max_prepared_transactions");
  const locks =
    count("max_locks_per_transaction") * EACH.lock +
    count("max_pred_locks_per_transaction") * EACH.predicateLock;
  const libraries = splitPaths(textInForce(settings, "shared_preload_libraries")) ?? [];
  return (
    BASE +
    sharedBuffersBytes(settings) / 36 +
    (backends + prepared) * (EACH.process + locks) +
    (backends + AUXILIARY) * bytesInForce(settings, "track_activity_query_size") +
    count("max_replication_slots") * EACH.replicationSlot +
    count("max_logical_replication_workers") * EACH.replicationWorker +
    bytesInForce(settings, "min_dynamic_shared_memory") +
    (libraries.includes("pg_stat_statements") ? count("pg_stat_statements.max") * EACH.statement : 0)
  );
}
