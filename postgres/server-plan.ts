/** Computes the server from the configuration: settings, memory, session limits. */
import { SETTINGS } from "./catalogue.ts";
import { numberInForce, type ServerSettings } from "./effective.ts";
import { type MemoryBudget, memoryBudget, sharedMemoryFor } from "./memory.ts";
import type { SessionLimit, SessionLimits } from "./session-limits.ts";
import { effectiveSettings, plainSettings } from "./settings.ts";
import type { Machine } from "./tuning-formulas.ts";
import { tune, type Tuning } from "./tuning.ts";

/** Configured limits of a role's sessions. */
export type ChosenLimit = Omit<SessionLimit, "connections"> & { connections: number | undefined };

/** The configuration. */
export interface ServerRequest {
  machine: Machine;
  /** Settings as written. */
  configured: ServerSettings;
  /** `auto`: choose the other settings to fit the machine. */
  tuning: "none" | "auto";
  /** Size of /dev/shm in bytes. @default the size that the settings need */
  sharedMemory: number | undefined;
  /** Limits of each login. @default for connections: half of max_connections */
  sessions: ChosenLimit;
  /** Limits of the owner. @default for connections: three quarters of max_connections */
  ownerSessions: ChosenLimit;
}

/** The server derived from it. */
export interface ServerPlan {
  machine: Machine;
  /** The configured settings, with PostgreSQL's spelling of names and plain numbers. */
  named: Record<string, string>;
  /** The configured and the chosen settings. */
  settings: Record<string, string>;
  /** These, and the settings that the deployment adds to every server. */
  inForce: Record<string, string>;
  /** How settings were chosen. Undefined without tuning. */
  tuned: Tuning | undefined;
  memory: MemoryBudget;
  /** Address space of one server process, in bytes. */
  addressSpace: number;
  sessionLimits: SessionLimits;
}

/** Bytes of virtual memory that a process uses for programs and libraries. Measured. */
const PROGRAM = 128 * 2 ** 20;

/**
 * Address space of one server process in bytes: the shared memory, and three quarters of the rest of the limit. A
 * statement that needs more fails, and leaves enough for the others.
 */
function addressSpaceOf({ fixed }: MemoryBudget, limit: number): number {
  return Math.floor(fixed + ((limit - fixed) * 3) / 4) + PROGRAM;
}

/**
 * Default limit for one process's temporary files: a 64th of the volume, so that a login with half of 100 connections
 * cannot fill it. Ours. For a volume above 128Ti, the setting's maximum.
 */
function temporaryFiles({ capacity }: Machine): string {
  return `${Math.min(Math.floor(capacity / 64 / 1024), SETTINGS.temp_file_limit?.max ?? Infinity)}kB`;
}

/** Plans a server. The request must be valid. */
export function planServer(request: ServerRequest): ServerPlan {
  const { machine } = request;
  const named = plainSettings(request.configured);
  const tuned = request.tuning === "auto" ? tune(machine, named, request.sharedMemory) : undefined;
  const settings = { temp_file_limit: temporaryFiles(machine), ...(tuned?.settings ?? named) };
  const inForce = effectiveSettings(settings);
  const memory = memoryBudget(settings, request.sharedMemory ?? sharedMemoryFor(settings));
  const connections = numberInForce(inForce, "max_connections");
  const limit = (of: ChosenLimit, share: number): SessionLimit => ({
    ...of,
    connections: of.connections ?? Math.max(1, Math.floor(connections * share)),
  });
  const login = limit(request.sessions, 1 / 2);
  return {
    machine,
    named,
    settings,
    inForce,
    tuned,
    memory,
    addressSpace: addressSpaceOf(memory, machine.memory),
    sessionLimits: {
      owner: limit(request.ownerSessions, 3 / 4),
      readwrite: login,
      readonly: login,
      monitoring: login,
    },
  };
}
