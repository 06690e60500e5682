import { spawn } from "node:child_process";

/** How a command is run. */
export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  input?: string;
  /** Milliseconds after which the command is killed and counts as failed. */
  timeout?: number;
}

/** What a command left behind. `output` is its standard output, `errors` its standard error. */
export interface RunResult {
  ok: boolean;
  output: string;
  errors: string;
}

/** Runs a command to its end; a failure, a missing command included, is in the result and not thrown. */
export function attempt(command: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.timeout === undefined ? {} : { timeout: options.timeout, killSignal: "SIGKILL" }),
    });
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    child.on("error", (error) => resolve({ ok: false, output, errors: error.message }));
    child.on("close", (code) => resolve({ ok: code === 0, output, errors }));
    // A command that ends without reading its input is not an error of its own.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

/**
 * Runs a command and returns its standard output.
 *
 * @throws with the command and the last lines of its standard error
 */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const result = await attempt(command, args, options);
  if (!result.ok) {
    const lastLines = result.errors.trim().split("\n").slice(-8).join("\n");
    throw new Error(`${command} ${args.slice(0, 4).join(" ")} failed: ${lastLines || "no message"}`);
  }
  return result.output;
}

/** Polls `condition` until it holds; false once `milliseconds` have passed. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  milliseconds: number,
  interval = 200,
): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
  return true;
}
