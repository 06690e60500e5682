/** The capabilities' sentences about a plan: the first capability that owns a resource speaks about it. */
import { backup } from "./backup.ts";
import { cluster } from "./cluster.ts";
import { credentials } from "./credentials.ts";
import { migration } from "./migration.ts";
import { monitoring } from "./monitoring.ts";
import { namespace } from "./namespace.ts";
import { network } from "./network.ts";
import { objects } from "./objects.ts";
import type { Sentences } from "./sentences.ts";
import { sealedSecrets } from "./sealed-secrets.ts";
import { secretStore } from "./secret-store.ts";
import { server } from "./server.ts";
import { storage } from "./storage.ts";
import { tls } from "./tls.ts";

export const capabilities: readonly Sentences[] = [
  server,
  migration,
  backup,
  tls,
  network,
  monitoring,
  // From here on by kind: a change to a volume or a Secret means the same, whatever creates it.
  cluster,
  namespace,
  storage,
  sealedSecrets,
  secretStore,
  credentials,
  objects,
];
