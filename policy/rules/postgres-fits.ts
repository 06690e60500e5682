import { bytesOfQuantity, readableBytes } from "../../quantities.ts";
import type { Container } from "../pods.ts";
import { memoryAtStart, serversIn } from "../postgres.ts";
import { stackRule } from "../rule.ts";
import { listAt, textAt } from "../values.ts";

/** What a process has mapped besides memory that it may use: its program and libraries, with room. */
const PROGRAMS = 2 ** 30;

/** Why the limit on one process's memory has no effect, or undefined. Kilobytes, for `ulimit -v`. */
function unboundedProcess({ body }: Container, limit: number): string | undefined {
  const written = listAt(body, "env").findLast((entry) => textAt(entry, "name") === "ADDRESS_SPACE");
  const kilobytes = textAt(written, "value");
  if (kilobytes === undefined) return undefined;
  if (/^[1-9][0-9]*$/.test(kilobytes) && Number(kilobytes) * 1024 <= limit + PROGRAMS) return undefined;
  return `ADDRESS_SPACE is ${kilobytes}, so one statement can take all of the memory, and the server is killed`;
}

export const postgresFits = stackRule({
  name: "postgres-fits",
  asks: "shared_buffers + /dev/shm + WAL buffers + tables of connections, locks and statements below the limit",
  description:
    "Giving PostgreSQL more shared memory than its container may use gets the server killed at every start",
  level: "mandatory",
  check: (stack) =>
    serversIn(stack).flatMap((server) => {
      const { pod, container, sharedMemory } = server;
      const written = textAt(container.body, "resources", "limits", "memory");
      const limit = bytesOfQuantity(written ?? "");
      // Without a limit there is nothing to fit; resource-limits says so.
      if (limit === undefined) return [];
      const { sharedBuffers, walBuffers, tables, total } = memoryAtStart(server);
      const at = { subject: pod.object.subject, urn: pod.object.resource.urn };
      const unbounded = unboundedProcess(container, limit);
      const findings =
        unbounded === undefined
          ? []
          : [{ ...at, why: unbounded, remedy: `a number of kB below the memory limit, ${written}` }];
      if (Number.isNaN(total)) {
        return [
          ...findings,
          {
            ...at,
            why: `shared_buffers (${server.settings.shared_buffers ?? "default"}) or wal_buffers (${server.settings.wal_buffers ?? "default"}) is not a size`,
            remedy: "a size with PostgreSQL's unit, such as 32GB",
          },
        ];
      }
      if (total < limit) return findings;
      return [
        ...findings,
        {
          ...at,
          why:
            `shared_buffers ${readableBytes(sharedBuffers)} + /dev/shm ${readableBytes(sharedMemory)} + WAL buffers ` +
            `${readableBytes(walBuffers)} + connections, locks and statements ${readableBytes(tables)} is ${readableBytes(total)}, and the memory limit of container ${container.name} is ${written}`,
          remedy: "a smaller shared_buffers or /dev/shm, or a higher memory limit",
        },
      ];
    }),
});
