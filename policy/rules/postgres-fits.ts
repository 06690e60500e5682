import { bytesOfQuantity, readableBytes } from "../../components/quantities.ts";
import { memoryAtStart, serversIn } from "../postgres.ts";
import { stackRule } from "../rule.ts";
import { textAt } from "../values.ts";

export const postgresFits = stackRule({
  name: "postgres-fits",
  description:
    "Who gives PostgreSQL more shared memory than its container may use has a server that is killed at every start",
  level: "mandatory",
  check: (stack) =>
    serversIn(stack).flatMap((server) => {
      const { pod, container, sharedMemory } = server;
      const written = textAt(container.body, "resources", "limits", "memory");
      const limit = bytesOfQuantity(written ?? "");
      // Without a limit there is nothing to fit; resource-limits says so.
      if (limit === undefined) return [];
      const { sharedBuffers, walBuffers, total } = memoryAtStart(server);
      const at = { subject: pod.object.subject, urn: pod.object.resource.urn };
      if (Number.isNaN(total)) {
        return [
          {
            ...at,
            why: `shared_buffers (${server.settings.shared_buffers ?? "default"}) or wal_buffers (${server.settings.wal_buffers ?? "default"}) is no size`,
            remedy: "a size with PostgreSQL's unit, as 32GB",
          },
        ];
      }
      if (total < limit) return [];
      return [
        {
          ...at,
          why:
            `shared_buffers ${readableBytes(sharedBuffers)} + /dev/shm ${readableBytes(sharedMemory)} + WAL buffers ` +
            `${readableBytes(walBuffers)} is ${readableBytes(total)}, and the memory limit of container ${container.name} is ${written}`,
          remedy: "a smaller shared_buffers or /dev/shm, or a higher memory limit",
        },
      ];
    }),
});
