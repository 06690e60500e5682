/** Taking up a stack after a run that was killed: whose lock it is that is left, and what it had begun. */
import { readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { type EngineResult, succeeded } from "./runner.ts";
import type { StackEngine } from "./stack.ts";

/** Who holds a stack's lock, as the CLI says it. */
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
  /** A machine that GitHub makes for one job and throws away. */
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

/** Whether a process has ended and nobody has asked how. Where there is no /proc, it is not known to be. */
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
 * Why a lock may still be somebody's, or undefined when its holder is known to be dead. A workflow's concurrency
 * group lets one run at a time at a stack, so another run's lock is a dead run's; a person's need not be.
 */
export function objectionTo(lock: Lock, here: Machine): string | undefined {
  const holder = `${lock.user}@${lock.host}, process ${lock.pid}, since ${lock.since}`;
  if (lock.host === here.host) {
    return here.isAlive(lock.pid) ? `${holder}, is still running on this machine` : undefined;
  }
  // Those machines have names of their own each time, and one user.
  if (here.isOneJobs && lock.user === here.user) return undefined;
  return `${holder}, is not of this machine, and may be a person's`;
}

/** Why a lock may still be somebody's, or undefined. */
export type Objection = (lock: Lock) => string | undefined;

/** What speaks for the locks that others may hold too. */
const objectionHere: Objection = (lock) => objectionTo(lock, thisMachine());

const LOCKED = /the stack is currently locked by/;
/** Pulumi Cloud's answer. A run that died stops renewing its lease there, which then runs out by itself. */
const LEASED = /\[409\][^\n]*Another update is currently in progress/;
const LEASE_WAITS = 14;
const LEASE_WAIT_MS = 30_000;

/**
 * Runs a command that needs the stack's lock, and takes the lock from a run that is dead.
 *
 * @param objection whether a lock's holder may be alive. @default what is known of this machine and its processes
 * @throws when somebody who may be alive holds it
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
        `stack ${engine.stack} is being updated by somebody else. If nobody is: pulumi cancel ${engine.stack}`,
      );
    }
    console.log("another update holds the stack; waiting for it, or for its lease to run out");
    await wait(leaseWait);
    result = await operation();
  }
  if (result.status === 0 || !LOCKED.test(result.output)) return result;
  const locks = locksIn(result.output);
  const objections = locks.flatMap((lock) => objection(lock) ?? []);
  if (locks.length === 0 || objections.length > 0) {
    throw new Error(
      `stack ${engine.stack} is locked: ${objections.join("; ") || "the engine does not say by whom"}. ` +
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

/** A resource of the state, as far as it is looked at. */
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

/** The operations that a run had begun and not ended, in words. */
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
 * The state in which every object of Kubernetes that a killed run was about to create counts as created. The refresh
 * that must follow finds out whether it is there. Forgotten, as `refresh
 * --clear-pending-creates` does it, a Job that is there would be killed and made again, and every other object
 * would be adopted unseen; `refresh --import-pending-creates` does not import (both run with 3.260).
 * What was made nowhere but in the run that died, a generated password, is forgotten, and made again.
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
    // What it was to replace is deleted already, and marked; its place in the list is right for its dependents.
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
 * Reads the state. Never shown: it holds everything.
 *
 * @returns undefined for a stack that was never made
 * @throws when it cannot be read
 */
async function exportState(engine: StackEngine): Promise<ExportedState | undefined> {
  const { status, stdout, output } = await engine.manage(["stack", "export"]);
  if (status === 0) return JSON.parse(stdout) as ExportedState;
  if (/no stack named/.test(output)) return undefined;
  throw new Error(output.trim());
}

/** How a stack is taken up. */
export interface Recovery {
  /** Whether a lock's holder may be alive. @default what is known of this machine and its processes */
  objection?: Objection;
  /**
   * What becomes of a stack that was never made: it is an error that says so, it is made, or there is nothing to do.
   * @default "refuse"
   */
  missing?: "refuse" | "create" | "leave";
}

/**
 * Runs an operation on a stack, its output shown. Where the last run was killed, takes up first what that one had begun,
 * without a prompt.
 *
 * @param args the operation, `up` and its options
 * @throws when the stack is not there, cannot be read or taken up, or is locked by somebody who may be alive
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
      `no stack named '${engine.stack}' found. A person makes it, once: pulumi stack init ${engine.stack}`,
    );
  }
  return withLockOfDeadRun(engine, () => engine.operate(args, { show: true }), objection);
}

/** Takes up what a killed run had begun, and looks at what became of it. */
async function takeUp(engine: StackEngine, state: ExportedState, objection: Objection): Promise<void> {
  const begun = unfinished(state);
  if (begun.length === 0) return;
  console.log(`an earlier run was killed while ${begun.join(", ")}; looking at what became of it`);
  const text = JSON.stringify(withPendingCreated(state));
  const imported = await withLockOfDeadRun(engine, () => engine.manage(["stack", "import"], text), objection);
  if (imported.status !== 0)
    throw new Error(`stack ${engine.stack} could not be taken up:\n${imported.output}`);
  const refreshed = await engine.operate(["refresh", "--yes", "--skip-preview", "--suppress-outputs"], {
    show: true,
  });
  if (refreshed.status !== 0) {
    throw new Error(`stack ${engine.stack} could not be taken up: the refresh failed, see above`);
  }
}
