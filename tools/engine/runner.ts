/** Runs the engine: the only place that starts it. */
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
  /** Its complete environment, from engineEnvironment(). */
  env: NodeJS.ProcessEnv;
  /** Text for its standard input. @default none */
  input?: string | undefined;
  /** Whether this process also prints the output as it arrives. @default false */
  show?: boolean;
  /** Masks what nobody may see in whole lines. @default nothing */
  mask?: (text: string) => string;
  /** Whether it prints colours. @default false */
  color?: boolean;
  /** Whether to read its events. @default false */
  eventLog?: boolean;
}

/** The result of an engine command. */
export interface EngineResult {
  /** Null when it was killed. */
  status: number | null;
  /** Its standard output, unmasked. */
  stdout: string;
  /** Standard output and standard error in order, masked and without colours. */
  output: string;
  /** The text of its event log, unmasked, if requested. Empty if the engine stopped before it. */
  eventLog?: string;
}

/**
 * Runs the engine to its end, without a prompt.
 *
 * @param args the command with its options
 * @returns the result, also of a failure
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
    // Pulumi's own Automation API reads this log; the CLI has the option only with this switch.
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
    // If it ends without reading its input, its status says why.
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

/** Milliseconds within which several signals count as one: npm forwards what the process group has already received. */
const ONE_SIGNAL = 1000;

/**
 * When this process is told to end, lets the engine finish its operation and record its state. The engine aborts at a
 * second signal, so it must not receive the first one twice.
 *
 * @returns a function that stops this
 */
function handOnSignals(child: ChildProcess): () => void {
  let last = -Infinity;
  const interrupt = (signal: NodeJS.Signals) => {
    const now = performance.now();
    // Ctrl-C in a terminal reaches the engine directly.
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
 * @param shown whether its output was already shown
 * @throws CommandFailed
 */
export function succeeded(what: string, result: EngineResult, shown = false): EngineResult {
  if (result.status === 0) return result;
  throw new CommandFailed(what, result.status, shown ? "" : result.output);
}
