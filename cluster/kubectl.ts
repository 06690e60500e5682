/** Access to the cluster through kubectl, which supports every kubeconfig: reads, and changes that no resource can make. */
import { execFile } from "node:child_process";
import { KUBECONFIG_VARIABLE, KubeconfigError, kubeconfigVariable, withoutTilde } from "./kubeconfig.ts";
import { isWebPage, kubectlMessage, WEB_PAGE } from "./kubectl-errors.ts";

/** Which cluster. */
export interface ClusterContext {
  /** @default the current one */
  context?: string | undefined;
  /** @default kubectl's own lookup */
  kubeconfig?: string | undefined;
}

/** kubectl could not be run or did not get an answer from the cluster. */
export class KubectlError extends Error {
  /** Whether the cluster answered with a refusal. */
  readonly answered: boolean;
  /** Whether the object does not exist. */
  get notFound(): boolean {
    return this.message.includes("(NotFound)");
  }
  constructor(message: string, answered: boolean) {
    super(message);
    this.answered = answered;
  }
}

/** The flags that select the cluster. */
export function contextFlags({ context, kubeconfig }: ClusterContext): string[] {
  return [
    ...(context === undefined ? [] : ["--context", context]),
    ...(kubeconfig === undefined ? [] : ["--kubeconfig", withoutTilde(kubeconfig)]),
  ];
}

/** Milliseconds after which kubectl is killed: a credential plugin may wait forever. */
export const TIMEOUT = 15_000;

/**
 * The environment for kubectl, which does not expand a `~` in KUBECONFIG.
 *
 * @throws KubectlError if the variable cannot be used
 */
export function kubectlEnvironment({ kubeconfig: path }: ClusterContext): NodeJS.ProcessEnv {
  // With an explicit path, kubectl ignores the variable.
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
 * Runs kubectl. Its standard input ends, so that it cannot prompt.
 *
 * @param timeout milliseconds after which it is killed
 * @param input its standard input. @default empty
 * @returns its standard output
 * @throws KubectlError with the reason, without a kubeconfig's secrets
 */
export async function kubectl(
  cluster: ClusterContext,
  args: readonly string[],
  timeout: number = TIMEOUT,
  input = "",
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
          ? `kubectl did not exit within ${timeout / 1000} s. Run it by hand: kubectl ${[...contextFlags(cluster), "version"].join(" ")}`
          : `kubectl exited with ${String(error.code)}`;
        // Output before the kill is not the reason.
        const message = kubectlMessage(error.killed ? "" : stderr, instead);
        reject(new KubectlError(message, message.startsWith("Error from server")));
      },
    );
    // A kubectl or credential plugin that prompts reads the end of its input.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}

/**
 * Reads one object or list by its API path.
 *
 * @param timeout milliseconds after which kubectl is killed
 * @returns undefined if it does not exist
 * @throws KubectlError if there is no answer, or the answer is not an API server's
 */
export async function read<T>(
  cluster: ClusterContext,
  path: string,
  timeout: number = TIMEOUT,
): Promise<T | undefined> {
  let answer: string;
  try {
    answer = await kubectl(cluster, ["get", "--raw", path], timeout);
  } catch (error) {
    if (error instanceof KubectlError && error.notFound) return undefined;
    throw error;
  }
  return parsedAnswer<T>(answer);
}

/**
 * Parses the API server's answer.
 *
 * @throws KubectlError if it is not an API server's
 */
export function parsedAnswer<T>(answer: string): T {
  try {
    return JSON.parse(answer) as T;
  } catch {
    // Something other than an API server answered with success.
    const reason = isWebPage(answer) ? WEB_PAGE : "the answer is not JSON, so it is not an API server's";
    throw new KubectlError(reason, false);
  }
}
