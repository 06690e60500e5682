/** What each capability says of a plan: the first whose a resource is speaks of it. */
import { backup } from "./backup.ts";
import { cluster } from "./cluster.ts";
import { credentials } from "./credentials.ts";
import { migration } from "./migration.ts";
import { namespace } from "./namespace.ts";
import { objects } from "./objects.ts";
import type { Sentences } from "./sentences.ts";
import { server } from "./server.ts";
import { storage } from "./storage.ts";

export const capabilities: readonly Sentences[] = [
  server,
  migration,
  backup,
  // From here on by kind: whatever makes a volume or a Secret, its change means the same.
  cluster,
  namespace,
  storage,
  credentials,
  objects,
];
