/** Running the engine: the only place that starts it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { CommandFailed } from "../processes.ts";
import type { Engine } from "./engine.ts";

/** How the engine is run. */
export interface EngineRun {
  /** The project's folder. */
  cwd: string;
  /** All of its environment, as engineEnvironment() makes it. */
  env: NodeJS.ProcessEnv;
  /** Text for its standard input. @default none */
  input?: string | undefined;
  /** Whether what it prints goes to this process's output too, as it comes. @default false */
  show?: boolean;
  /** Takes out of whole lines what nobody may see. @default nothing */
  mask?: (text: string) => string;
  /** Whether it prints colours. @default false */
  color?: boolean;
  /** Whether its events are wanted. @default false */
  eventLog?: boolean;
}

/** What a command of the engine did. */
export interface EngineResult {
  /** Null when it was killed. */
  status: number | null;
  /** Its standard output as it was, secrets included. */
  stdout: string;
  /** Standard output and standard error as they came, masked and without colours. */
  output: string;
  /** The text of its event log, secrets included, where it was wanted. Empty where the engine stopped before it. */
  eventLog?: string;
}

/**
 * Runs the engine to its end, without a prompt.
 *
 * @param args the command with its options
 * @returns what it did, a failure too
 * @throws when it cannot be started
 */
export async function runEngine(
  engine: Engine,
  args: readonly string[],
  options: EngineRun,
): Promise<EngineResult> {
  if (options.eventLog !== true) return execute(engine, args, options);
  const directory = mkdtempSync(join(tmpdir(), "transcript-pipeline-events-"));
  try {
    const log = join(directory, "events.jsonl");
    // Pulumi's own Automation API reads this log; the CLI knows the option under this switch.
    const env = { ...options.env, PULUMI_DEBUG_COMMANDS: "true" };
    const result = await execute(engine, [...args, "--event-log", log], { ...options, env });
    return { ...result, eventLog: existsSync(log) ? readFileSync(log, "utf8") : "" };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function execute(
  { command }: Engine,
  args: readonly string[],
  { cwd, env, input = "", show = false, mask = (text) => text, color = false }: EngineRun,
): Promise<EngineResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args, "--non-interactive", "--color", color ? "always" : "never"], {
      cwd,
      env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    // One that ends without reading it says why by its status.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const result: EngineResult = { status: null, stdout: "", output: "" };
    eachLines(child.stdout, (text) => {
      result.stdout += text;
      keep(text, process.stdout);
    });
    eachLines(child.stderr, (text) => keep(text, process.stderr));
    const keep = (text: string, to: NodeJS.WriteStream) => {
      const shown = mask(text);
      result.output += color ? stripVTControlCharacters(shown) : shown;
      if (show) to.write(shown);
    };
    const release = handOnSignals(child);
    child.on("error", (error) => {
      release();
      reject(error);
    });
    child.on("close", (status) => {
      release();
      resolve({ ...result, status });
    });
  });
}

/** Reads whole lines, one or more at once: a secret that is cut in two would be missed. */
function eachLines(stream: NodeJS.ReadableStream, take: (text: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (data: string) => {
    const text = rest + data;
    const end = text.lastIndexOf("\n") + 1;
    if (end > 0) take(text.slice(0, end));
    rest = text.slice(end);
  });
  stream.on("end", () => {
    if (rest !== "") take(rest);
  });
}

/** Milliseconds in which several signals are one: npm hands on what has reached the group of processes already. */
const ONE_SIGNAL = 1000;

/**
 * Lets the engine end the operation it is in, and write down where it was, when this process is told to end. The engine
 * drops everything at a second signal, so it must not get the first one twice.
 *
 * @returns what ends it
 */
function handOnSignals(child: ChildProcess): () => void {
  let last = -Infinity;
  const interrupt = (signal: NodeJS.Signals) => {
    const now = performance.now();
    // Ctrl-C in a terminal reaches the engine by itself.
    const isTerminals = signal === "SIGINT" && process.stdin.isTTY;
    if (!isTerminals && now - last > ONE_SIGNAL) child.kill("SIGINT");
    last = now;
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  return () => process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
}

/**
 * The result of a command that must succeed.
 *
 * @param what the command, for the message
 * @param shown whether its output was shown as it came, and need not be repeated
 * @throws CommandFailed
 */
export function succeeded(what: string, result: EngineResult, shown = false): EngineResult {
  if (result.status === 0) return result;
  throw new CommandFailed(what, result.status, shown ? "" : result.output);
}
