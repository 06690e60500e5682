/** Running other programs: with their output shown, or with it kept. */
import { spawn, type SpawnOptions } from "node:child_process";

/** A program that ended with something other than 0. */
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

/** How a program is run. */
export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Text for its standard input. @default none */
  input?: string;
  /** Whether its output goes to this process's, as it comes, instead of being returned. @default false */
  show?: boolean;
}

/**
 * Runs a program to its end.
 *
 * @returns its standard output; empty when shown
 * @throws CommandFailed
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { cwd, env = process.env, input, show = false } = options;
  const spawnOptions: SpawnOptions = {
    env,
    ...(cwd !== undefined && { cwd }),
    stdio: [
      input === undefined ? (show ? "inherit" : "ignore") : "pipe",
      show ? "inherit" : "pipe",
      show ? "inherit" : "pipe",
    ],
  };
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, spawnOptions);
    let stdout = "";
    let stderr = "";
    child.stdout?.on("data", (data: Buffer) => (stdout += data.toString()));
    child.stderr?.on("data", (data: Buffer) => (stderr += data.toString()));
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) resolve(stdout);
      else reject(new CommandFailed([command, ...args.slice(0, 2)].join(" "), status, stderr || stdout));
    });
    // A program that ends without reading its input says why by its status.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}
