/** Runs other programs, and shows or keeps their output. */
import { spawn } from "node:child_process";

/** How a program is run. */
export interface RunOptions {
  cwd?: string;
  /** Added to this process's own; undefined removes a variable. */
  env?: NodeJS.ProcessEnv;
  /** Text for its standard input. @default none */
  input?: string;
  /** Whether its output is printed as it arrives instead of being returned. @default false */
  show?: boolean;
  /** Milliseconds after which it is killed, and counts as failed. @default none */
  timeout?: number;
}

/** A program's result. */
export interface RunResult {
  /** Whether it exited with 0. */
  ok: boolean;
  /** Null when it could not be started, or was killed. */
  status: number | null;
  /** Its standard output; empty when shown. */
  output: string;
  /** Its standard error, or why it could not be started. */
  errors: string;
}

/** A program that exited with something other than 0. */
export class CommandFailed extends Error {
  readonly status: number | null;
  readonly output: string;
  constructor(command: string, status: number | null, output: string) {
    super(
      `${command} failed${status === null ? "" : ` with ${status}`}${output ? `:\n${output.trim()}` : ""}`,
    );
    this.status = status;
    this.output = output;
  }
}

/** Runs a program to its end; a failure, a missing program included, is in the result, not thrown. */
export function attempt(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const { cwd, env, input, show = false, timeout } = options;
  const output = show ? "inherit" : "pipe";
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [input !== undefined ? "pipe" : show ? "inherit" : "ignore", output, output],
      ...(timeout !== undefined && { timeout, killSignal: "SIGKILL" }),
    });
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (data: string) => (stdout += data));
    child.stderr?.setEncoding("utf8").on("data", (data: string) => (stderr += data));
    // What a killed program has started, such as kubectl's credential plugin, may hold its output open.
    child.on("exit", () => {
      if (!child.killed) return;
      child.stdout?.destroy();
      child.stderr?.destroy();
    });
    child.on("error", ({ message }) => resolve({ ok: false, status: null, output: stdout, errors: message }));
    child.on("close", (status) => resolve({ ok: status === 0, status, output: stdout, errors: stderr }));
    // If a program ends without reading its input, its status says why.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}

/**
 * Runs a program to its end.
 *
 * @returns its standard output; empty when shown
 * @throws CommandFailed
 */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { ok, status, output, errors } = await attempt(command, args, options);
  if (!ok) throw new CommandFailed([command, ...args.slice(0, 2)].join(" "), status, errors || output);
  return output;
}
