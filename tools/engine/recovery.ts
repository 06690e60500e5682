/** Recovers a stack after a killed run: whose lock is left, and what the run had begun. */
import { readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { type EngineResult, succeeded } from "./runner.ts";
import type { StackEngine } from "./stack.ts";

/** The holder of a stack's lock, as the CLI prints it. */
export interface Lock {
  user: string;
  host: string;
  pid: number;
  since: string;
}

/** Where this process runs. */
export interface Machine {
  user: string;
  host: string;
  /** A machine that GitHub creates for one job and discards. */
  isOneJobs: boolean;
  isAlive: (pid: number) => boolean;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return !isZombie(pid);
}

/** Whether a process has ended but was not waited for. Without /proc, this is not known to be so. */
function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** This machine. */
export function thisMachine(): Machine {
  return {
    user: userInfo().username,
    host: hostname(),
    isOneJobs: process.env.RUNNER_ENVIRONMENT === "github-hosted",
    isAlive,
  };
}

/** The locks that the engine names when it refuses to begin (pkg/backend/diy/lock.go). */
export function locksIn(output: string): Lock[] {
  return [...output.matchAll(/: created by (\S+)@(\S+) \(pid (\d+)\) at (\S+)/g)].map(
    ([, user = "", host = "", pid, since = ""]) => ({ user, host, pid: Number(pid), since }),
  );
}

/**
 * Why a lock's holder may be alive, or undefined when it is known to be dead. A workflow's concurrency group allows one
 * run at a time on a stack, so another run's lock is a dead run's; a person's need not be.
 */
export function objectionTo(lock: Lock, here: Machine): string | undefined {
  const holder = `${lock.user}@${lock.host}, process ${lock.pid}, since ${lock.since}`;
  if (lock.host === here.host) {
    return here.isAlive(lock.pid) ? `${holder}, is still running on this machine` : undefined;
  }
  // These machines have a new name each time, and the same user.
  if (here.isOneJobs && lock.user === here.user) return undefined;
  return `${holder}, is from another machine, and may belong to a person`;
}

/** Why a lock's holder may be alive, or undefined. */
export type Objection = (lock: Lock) => string | undefined;

/** Objections to removing a lock, as seen from this machine. */
const objectionHere: Objection = (lock) => objectionTo(lock, thisMachine());

const LOCKED = /the stack is currently locked by/;
/** Pulumi Cloud's answer. A dead run stops renewing its lease there, which then expires. */
const LEASED = /\[409\][^\n]*Another update is currently in progress/;
const LEASE_WAITS = 14;
const LEASE_WAIT_MS = 30_000;

/**
 * Runs a command that needs the stack's lock, and removes the lock of a run that is dead.
 *
 * @param objection whether a lock's holder may be alive. @default judged from this machine and its processes
 * @throws if a process that may be alive holds it
 */
export async function withLockOfDeadRun(
  engine: StackEngine,
  operation: () => Promise<EngineResult>,
  objection: Objection = objectionHere,
  leaseWait: number = LEASE_WAIT_MS,
): Promise<EngineResult> {
  let result = await operation();
  for (let waits = 0; result.status !== 0 && LEASED.test(result.output); waits++) {
    if (waits === LEASE_WAITS) {
      throw new Error(
        `stack ${engine.stack} is being updated by another process. If none is running: pulumi cancel ${engine.stack}`,
      );
    }
    console.log("another update holds the stack; waiting for it to end, or for its lease to expire");
    await wait(leaseWait);
    result = await operation();
  }
  if (result.status === 0 || !LOCKED.test(result.output)) return result;
  const locks = locksIn(result.output);
  const objections = locks.flatMap((lock) => objection(lock) ?? []);
  if (locks.length === 0 || objections.length > 0) {
    throw new Error(
      `stack ${engine.stack} is locked: ${objections.join("; ") || "the engine does not name the holder"}. ` +
        `If that run is dead: pulumi cancel ${engine.stack}`,
    );
  }
  console.log(
    `an earlier run was killed (${locks.map(({ host, pid }) => `${host}, process ${pid}`).join("; ")}); removing its lock`,
  );
  const cancelled = await engine.manage(["cancel", "--yes"]);
  if (cancelled.status !== 0) throw new Error(`the lock could not be removed:\n${cancelled.output}`);
  return operation();
}

/** A resource in the state, as far as it is read. */
interface StateResource {
  urn: string;
  type: string;
  id?: string;
  inputs?: { metadata?: { name?: string; namespace?: string } };
  delete?: boolean;
  pendingReplacement?: boolean;
}

/** A stack's state, as `pulumi stack export` writes it. */
export interface ExportedState {
  deployment?: {
    resources?: StateResource[];
    pending_operations?: { type: string; resource: StateResource }[];
    [other: string]: unknown;
  };
  [other: string]: unknown;
}

/** The operations that a run began and did not end, in words. */
export function unfinished({ deployment }: ExportedState): string[] {
  return (deployment?.pending_operations ?? []).map(
    ({ type, resource }) => `${type} ${resource.type.split(":").at(-1)} ${resource.urn.split("::").at(-1)}`,
  );
}

/** The id that the provider gives an object: its fixed name, by which it is found again. */
function idOf({ type, inputs }: StateResource): string | undefined {
  const { name, namespace } = inputs?.metadata ?? {};
  if (!type.startsWith("kubernetes:") || name === undefined) return undefined;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/**
 * The state in which every Kubernetes object that a killed run was about to create counts as created; the refresh that
 * must follow finds out whether it exists. If they were forgotten instead, as `refresh --clear-pending-creates` does,
 * an existing Job would be killed and created again, and every other object would be adopted unseen; `refresh
 * --import-pending-creates` does not import (both tried with 3.260). What existed only in the run that died, a
 * generated password, is forgotten and generated again.
 */
export function withPendingCreated(state: ExportedState): ExportedState {
  const { deployment } = state;
  if (!deployment) return state;
  const resources = [...(deployment.resources ?? [])];
  const pending = (deployment.pending_operations ?? []).filter(({ type }) => type === "creating");
  for (const { resource } of pending) {
    const id = idOf(resource);
    if (id === undefined) continue;
    const created = { ...resource, id };
    // The object it was to replace is already deleted, and marked; its place in the list suits its dependents.
    const place = resources.findIndex(
      ({ urn, pendingReplacement }) => urn === resource.urn && pendingReplacement,
    );
    if (place >= 0) resources[place] = created;
    else if (!resources.some(({ urn, delete: doomed }) => urn === resource.urn && doomed !== true))
      resources.push(created);
  }
  return {
    ...state,
    deployment: {
      ...deployment,
      resources,
      pending_operations: (deployment.pending_operations ?? []).filter(({ type }) => type !== "creating"),
    },
  };
}

/**
 * Reads the state, which is never shown: it holds everything.
 *
 * @returns undefined for a stack that was never created
 * @throws when it cannot be read
 */
async function exportState(engine: StackEngine): Promise<ExportedState | undefined> {
  const { status, stdout, output } = await engine.manage(["stack", "export"]);
  if (status === 0) return JSON.parse(stdout) as ExportedState;
  if (/no stack named/.test(output)) return undefined;
  throw new Error(output.trim());
}

/** How a stack is recovered. */
export interface Recovery {
  /** Whether a lock's holder may be alive. @default judged from this machine and its processes */
  objection?: Objection;
  /**
   * What happens if the stack was never created: an error, its creation, or nothing.
   * @default "refuse"
   */
  missing?: "refuse" | "create" | "leave";
}

/**
 * Runs an operation on a stack and shows its output. If the last run was killed, first recovers what it had begun,
 * without a prompt.
 *
 * @param args the operation, `up` and its options
 * @throws if the stack does not exist, cannot be read or recovered, or is locked by a process that may be alive
 */
export async function operateRecovered(
  engine: StackEngine,
  args: readonly string[],
  { objection = objectionHere, missing = "refuse" }: Recovery = {},
): Promise<EngineResult> {
  const state = await exportState(engine);
  if (state !== undefined) await takeUp(engine, state, objection);
  else if (missing === "create") succeeded("pulumi stack init", await engine.manage(["stack", "init"]));
  else if (missing === "leave") {
    const output = `the backend has no stack ${engine.stack}: there is nothing to ${args[0]}\n`;
    process.stdout.write(output);
    return { status: 0, stdout: "", output };
  } else {
    throw new Error(
      `no stack named '${engine.stack}' found. Create it once: pulumi stack init ${engine.stack}`,
    );
  }
  return withLockOfDeadRun(engine, () => engine.operate(args, { show: true }), objection);
}

/** Recovers what a killed run had begun, and checks the result. */
async function takeUp(engine: StackEngine, state: ExportedState, objection: Objection): Promise<void> {
  const begun = unfinished(state);
  if (begun.length === 0) return;
  console.log(`an earlier run was killed while ${begun.join(", ")}; checking what it left`);
  const text = JSON.stringify(withPendingCreated(state));
  const imported = await withLockOfDeadRun(engine, () => engine.manage(["stack", "import"], text), objection);
  if (imported.status !== 0)
    throw new Error(`stack ${engine.stack} could not be recovered:\n${imported.output}`);
  const refreshed = await engine.operate(["refresh", "--yes", "--skip-preview", "--suppress-outputs"], {
    show: true,
  });
  if (refreshed.status !== 0) {
    throw new Error(`stack ${engine.stack} could not be recovered: the refresh failed, see above`);
  }
}
