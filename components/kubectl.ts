/** Looking at the cluster, and the one thing that no resource can do, through kubectl: it knows every kubeconfig. */
import { execFile } from "node:child_process";

/** Which cluster. */
export interface ClusterContext {
  /** @default the current one */
  context?: string | undefined;
  /** @default the one kubectl takes */
  kubeconfig?: string | undefined;
}

/** kubectl could not be run, or had no answer from the cluster. */
export class KubectlError extends Error {
  /** Whether the cluster answered, with a refusal. */
  readonly answered: boolean;
  /** Whether its answer was that there is no such object. */
  get notFound(): boolean {
    return this.message.includes("(NotFound)");
  }
  constructor(message: string, answered: boolean) {
    super(message);
    this.answered = answered;
  }
}

/** The flags by which kubectl finds the cluster. */
export function contextFlags({ context, kubeconfig }: ClusterContext): string[] {
  return [
    ...(context === undefined ? [] : ["--context", context]),
    ...(kubeconfig === undefined ? [] : ["--kubeconfig", kubeconfig]),
  ];
}

/**
 * Runs kubectl.
 *
 * @returns what it printed
 * @throws KubectlError with the last line it printed
 */
export function kubectl(cluster: ClusterContext, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      "kubectl",
      [...contextFlags(cluster), "--request-timeout=5s", ...args],
      { timeout: 15_000, maxBuffer: 64 * 2 ** 20 },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        if (error.code === "ENOENT") return reject(new KubectlError("kubectl is not on PATH", false));
        const said = stderr.trim().split("\n").at(-1) || error.message;
        reject(new KubectlError(said, said.includes("Error from server")));
      },
    );
  });
}

/**
 * Reads one object or list by its API path.
 *
 * @returns undefined when the cluster has no such object
 */
export async function read<T>(cluster: ClusterContext, path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await kubectl(cluster, ["get", "--raw", path])) as T;
  } catch (error) {
    if (error instanceof KubectlError && error.notFound) return undefined;
    throw error;
  }
}
