/** Looking at the cluster, and the one thing that no resource can do, through kubectl: it knows every kubeconfig. */
import { execFile } from "node:child_process";
import { KUBECONFIG_VARIABLE, KubeconfigError, kubeconfigVariable, withoutTilde } from "./kubeconfig.ts";
import { isWebPage, kubectlMessage, WEB_PAGE } from "./kubectl-errors.ts";

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
    ...(kubeconfig === undefined ? [] : ["--kubeconfig", withoutTilde(kubeconfig)]),
  ];
}

/** Milliseconds after which kubectl is ended: a program by which it logs in may wait for ever. */
export const TIMEOUT = 15_000;

/**
 * The environment for kubectl: a `~` in KUBECONFIG is for a shell.
 *
 * @throws KubectlError when the variable cannot be used
 */
export function kubectlEnvironment({ kubeconfig: path }: ClusterContext): NodeJS.ProcessEnv {
  // With an explicit path kubectl does not look at the variable.
  if (path !== undefined) return process.env;
  try {
    const kubeconfig = kubeconfigVariable();
    return kubeconfig === undefined ? process.env : { ...process.env, [KUBECONFIG_VARIABLE]: kubeconfig };
  } catch (error) {
    if (error instanceof KubeconfigError) throw new KubectlError(error.message, false);
    throw error;
  }
}

/**
 * Runs kubectl. It has nobody to ask: its standard input is empty.
 *
 * @param timeout milliseconds after which it is ended
 * @returns what it printed
 * @throws KubectlError that says what is wrong, and repeats no secret of a kubeconfig
 */
export async function kubectl(
  cluster: ClusterContext,
  args: readonly string[],
  timeout: number = TIMEOUT,
): Promise<string> {
  const env = kubectlEnvironment(cluster);
  return new Promise((resolve, reject) => {
    const child = execFile(
      "kubectl",
      [...contextFlags(cluster), "--request-timeout=5s", ...args],
      { timeout, killSignal: "SIGKILL", maxBuffer: 64 * 2 ** 20, env },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        if (error.code === "ENOENT") return reject(new KubectlError("kubectl is not on PATH", false));
        const instead = error.killed
          ? `kubectl did not end within ${timeout / 1000} s. Run it by hand: kubectl ${[...contextFlags(cluster), "version"].join(" ")}`
          : `kubectl ended with ${String(error.code)}`;
        // What was printed before it was ended is not the reason.
        const message = kubectlMessage(error.killed ? "" : stderr, instead);
        reject(new KubectlError(message, message.startsWith("Error from server")));
      },
    );
    // A kubectl that asks for a user name, or a program by which it logs in, reads the end of its input.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end();
  });
}

/**
 * Reads one object or list by its API path.
 *
 * @returns undefined when the cluster has no such object
 * @throws KubectlError when there is no answer, or one that is not an API server's
 */
export async function read<T>(cluster: ClusterContext, path: string): Promise<T | undefined> {
  let answer: string;
  try {
    answer = await kubectl(cluster, ["get", "--raw", path]);
  } catch (error) {
    if (error instanceof KubectlError && error.notFound) return undefined;
    throw error;
  }
  return parsedAnswer<T>(answer);
}

/**
 * An answer of the API server.
 *
 * @throws KubectlError when it is no API server's
 */
export function parsedAnswer<T>(answer: string): T {
  try {
    return JSON.parse(answer) as T;
  } catch {
    // Whatever answered with success, it was no API server.
    const reason = isWebPage(answer) ? WEB_PAGE : "the answer is not JSON, so it is not an API server's";
    throw new KubectlError(reason, false);
  }
}
