/** Everything of the server that is computed from the configuration, once: settings, memory, limits of its sessions. */
import { SETTINGS } from "./catalogue.ts";
import { numberInForce, type ServerSettings } from "./effective.ts";
import { type MemoryBudget, memoryBudget, sharedMemoryFor } from "./memory.ts";
import type { SessionLimit, SessionLimits } from "./session-limits.ts";
import { effectiveSettings, plainSettings } from "./settings.ts";
import type { Machine } from "./tuning-formulas.ts";
import { tune, type Tuning } from "./tuning.ts";

/** What a role's sessions are held to, where it was chosen. */
export type ChosenLimit = Omit<SessionLimit, "connections"> & { connections: number | undefined };

/** What the configuration says. */
export interface ServerRequest {
  machine: Machine;
  /** Settings as they are written. */
  configured: ServerSettings;
  /** `auto`: the others are chosen to fit the machine. */
  tuning: "none" | "auto";
  /** Size of /dev/shm in bytes. @default what the settings need */
  sharedMemory: number | undefined;
  /** Limits of each login. @default of connections: half of max_connections */
  sessions: ChosenLimit;
  /** Limits of the owner. @default of connections: three quarters of max_connections */
  ownerSessions: ChosenLimit;
}

/** What follows from it. */
export interface ServerPlan {
  machine: Machine;
  /** The configured settings, names as PostgreSQL spells them and numbers plain. */
  named: Record<string, string>;
  /** What the server gets: the named settings with those that are chosen for them. */
  settings: Record<string, string>;
  /** These, and what the deployment adds to every server. */
  inForce: Record<string, string>;
  /** How the settings were chosen. Missing where they were not. */
  tuned: Tuning | undefined;
  memory: MemoryBudget;
  /** Bytes of address space that one process of the server may have. */
  addressSpace: number;
  sessionLimits: SessionLimits;
}

/** Virtual memory of a process besides shared memory and what its statement asks for: programs and libraries. Measured. */
const PROGRAM = 128 * 2 ** 20;

/**
 * Address space of one process of the server in bytes: what is shared, and three quarters of what the limit leaves next
 * to it. A statement that asks for more fails, and leaves the others enough to go on.
 */
function addressSpaceOf({ fixed }: MemoryBudget, limit: number): number {
  return Math.floor(fixed + ((limit - fixed) * 3) / 4) + PROGRAM;
}

/**
 * What one process may write to temporary files unless configuration says otherwise: a 64th of the volume, so that a
 * login with half of 100 connections cannot fill it. Ours. A volume of more than 128Ti has more than the setting takes.
 */
function temporaryFiles({ capacity }: Machine): string {
  return `${Math.min(Math.floor(capacity / 64 / 1024), SETTINGS.temp_file_limit?.max ?? Infinity)}kB`;
}

/** Plans a server. Every part of the request must be of the right form. */
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
