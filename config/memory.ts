/** Whether the server's memory fits its container. */
import { memoryBudget, readableParts } from "../postgres/memory.ts";
import type { ServerPlan } from "../postgres/server-plan.ts";
import type { Findings } from "../problem.ts";
import { bytesOfQuantity, readableBytes } from "../quantities.ts";
import type { DatabaseValues } from "./database.ts";
import { commandToSet } from "./reader.ts";

/** Settings that raise the memory that a start needs. */
const OF_A_START = [
  "shared_buffers",
  "wal_buffers",
  "max_connections",
  "max_locks_per_transaction",
  "max_pred_locks_per_transaction",
  "max_prepared_transactions",
  "max_worker_processes",
  "autovacuum_max_workers",
  "max_wal_senders",
  "max_replication_slots",
  "track_activity_query_size",
  "min_dynamic_shared_memory",
  "wal_decode_buffer_size",
  "pg_stat_statements.max",
];

/** The setting that contributes most to the memory that a start needs. */
function largestOf(settings: Readonly<Record<string, string>>): string {
  const without = (name: string) => {
    const others = Object.fromEntries(Object.entries(settings).filter(([other]) => other !== name));
    return memoryBudget(others, 0).fixed;
  };
  const written = OF_A_START.filter((name) => name in settings);
  return written.sort((a, b) => without(a) - without(b))[0] ?? "shared_buffers";
}

/**
 * Compares the memory that the settings need with the container's limit and request.
 *
 * @param shortfall why even the smallest tuned settings do not fit, with tuning
 */
export function memoryFindings(
  { limits, requests }: Pick<DatabaseValues, "limits" | "requests">,
  { memory, settings, machine }: ServerPlan,
  shortfall: string | undefined,
): Findings {
  if (!(memory.fixed < machine.memory)) {
    const key = `database.settings.${largestOf(settings)}`;
    const message =
      `does not fit: ${readableParts(memory.fixedParts)} is ${readableBytes(memory.fixed)}, and database.limits.memory is ` +
      `${limits.memory}; the container would be killed when it starts. Allowed: a sum below the limit. ` +
      `Set it: ${commandToSet(key, false)}`;
    return { problems: [{ key, message }], warnings: [] };
  }
  const warnings: string[] = [];
  if (shortfall !== undefined) warnings.push(shortfall);
  else if (memory.total > machine.memory) {
    warnings.push(
      `database.limits.memory is ${limits.memory}, but the settings can ask for ${readableBytes(memory.total)}: ` +
        `${readableParts(memory.parts)}. If they do, the kernel kills the server. ` +
        `Lower database.settings.work_mem or max_connections, or raise the limit.`,
    );
  }
  if ((bytesOfQuantity(requests.memory) ?? NaN) < memory.sharedBuffers) {
    warnings.push(
      `database.requests.memory is ${requests.memory}, below shared_buffers, ` +
        `${readableBytes(memory.sharedBuffers)}: once the cache is warm, the pod is among the first to be evicted ` +
        `when the node runs out of memory. Raise the request to ${readableBytes(memory.fixed)} or more.`,
    );
  }
  return { problems: [], warnings };
}
