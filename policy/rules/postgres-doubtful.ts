import { bytesOfQuantity, readableBytes } from "../../quantities.ts";
import { memoryAtStart, memorySetting, serversIn } from "../postgres.ts";
import { type Finding, stackRule } from "../rule.ts";
import { textAt } from "../values.ts";

export const postgresDoubtful = stackRule({
  name: "postgres-doubtful",
  asks: "the settings' peak within the limit, the request above shared_buffers, /dev/shm above maintenance_work_mem",
  description:
    "Settings that can ask for more memory than the limit get the server killed by the kernel on a busy day; the warning has the numbers",
  level: "advisory",
  check: (stack) =>
    serversIn(stack).flatMap((server): Finding[] => {
      const { pod, container, settings } = server;
      const limit =
        bytesOfQuantity(textAt(container.body, "resources", "limits", "memory") ?? "") ?? Infinity;
      const request =
        bytesOfQuantity(textAt(container.body, "resources", "requests", "memory") ?? "") ?? Infinity;
      const { sharedBuffers, total } = memoryAtStart(server);
      const connections = Number(settings.max_connections ?? 100);
      const workers = Number(settings.autovacuum_max_workers ?? 3);
      const workMemory = memorySetting(settings, "work_mem");
      const chosen = memorySetting(settings, "autovacuum_work_mem");
      const workerMemory = chosen === -1 ? memorySetting(settings, "maintenance_work_mem") : chosen;
      const peak = total + connections * workMemory + workers * workerMemory;
      const at = { subject: pod.object.subject, urn: pod.object.resource.urn };
      const findings: Finding[] = [];
      // Above it from the start: postgres-fits.
      if (total < limit && peak > limit) {
        findings.push({
          ...at,
          why:
            `it takes ${readableBytes(total)} at its start; with ${connections} connections x work_mem ${readableBytes(workMemory)} and ` +
            `${workers} autovacuum workers x ${readableBytes(workerMemory)} it can ask for ${readableBytes(peak)}, above its limit of ${readableBytes(limit)}`,
          remedy: "a smaller work_mem or max_connections, or a higher memory limit",
        });
      }
      if (request < sharedBuffers) {
        findings.push({
          ...at,
          why: `it requests ${readableBytes(request)} of memory, below shared_buffers, ${readableBytes(sharedBuffers)}: with a warm cache it is among the first to be evicted`,
          remedy: `resources.requests.memory of ${readableBytes(total)} or more`,
        });
      }
      const maintenance = memorySetting(settings, "maintenance_work_mem");
      const workersOfOne = Number(settings.max_parallel_maintenance_workers ?? 2);
      if (workersOfOne > 0 && server.sharedMemory < maintenance) {
        findings.push({
          ...at,
          why: `/dev/shm has ${readableBytes(server.sharedMemory)}, below maintenance_work_mem, ${readableBytes(maintenance)}: a parallel HNSW build ends with "could not resize shared memory segment"`,
          remedy: "a memory emptyDir at /dev/shm, a quarter larger than maintenance_work_mem",
        });
      }
      return findings;
    }),
});
