/** Checks across sections: whether the server's settings fit each other and the machine. */
import { sessionBlockers } from "../postgres/session-blockers.ts";
import { planServer, type ServerPlan } from "../postgres/server-plan.ts";
import { contradictions, explainShortfall } from "../postgres/tuning-explanations.ts";
import type { Findings } from "../problem.ts";
import { bytesOfQuantity, cpusOfQuantity } from "../quantities.ts";
import { backupWarnings } from "./backup.ts";
import { memoryFindings } from "./memory.ts";
import { networkWarnings } from "./network.ts";
import { notifyWarnings } from "./notify.ts";
import { secretStoreWarnings } from "./secret-store.ts";
import { bareSizes, conflictProblems } from "./server-settings.ts";
import { checks, type Written } from "./table.ts";
import { tlsWarnings } from "./tls.ts";

/** Configured size of /dev/shm in bytes. */
function chosenSharedMemory({ database }: Written): number | undefined {
  return database.sharedMemory === undefined ? undefined : bytesOfQuantity(database.sharedMemory);
}

function planOf(written: Written): ServerPlan {
  const { database, storage } = written;
  return planServer({
    machine: {
      memory: bytesOfQuantity(database.limits.memory) ?? NaN,
      cpus: cpusOfQuantity(database.limits.cpu) ?? NaN,
      capacity: bytesOfQuantity(storage.capacity) ?? NaN,
      storageKind: database.storageKind,
    },
    configured: database.settings,
    tuning: database.tuning,
    sharedMemory: chosenSharedMemory(written),
    sessions: database.sessions,
    ownerSessions: database.ownerSessions,
  });
}

/**
 * Checks a configuration whose fields each have the right form.
 *
 * @returns the server derived from it, or undefined if a problem prevents planning it
 */
export function checkSettings(written: Written): Findings & { server: ServerPlan | undefined } {
  const problems = checks.flatMap((check) => check(written));
  // The sums need every value to be a number.
  if (problems.some(({ key }) => key.startsWith("database.")))
    return { problems, warnings: [], server: undefined };
  const { database } = written;
  const server = planOf(written);
  problems.push(...conflictProblems(database.settings, server.inForce));
  const shortfall =
    server.tuned && explainShortfall(server.tuned, server.machine, server.named, chosenSharedMemory(written));
  const memory = memoryFindings(database, server, shortfall);
  return {
    problems: [...problems, ...memory.problems],
    warnings: [
      ...backupWarnings(written),
      ...tlsWarnings(written),
      ...networkWarnings(written),
      ...notifyWarnings(written),
      ...secretStoreWarnings(written),
      ...bareSizes(database.settings),
      ...memory.warnings,
      ...contradictions(server.inForce, server.machine, server.memory.sharedMemory),
      ...sessionBlockers({
        settings: server.inForce,
        configured: server.named,
        ownerConnections: server.sessionLimits.owner.connections,
        capacity: server.machine.capacity,
      }),
    ],
    server,
  };
}
