/**
 * Several reads through one kubectl: `kubectl proxy` on a socket that only this user can open. The connection to the API
 * server and the kubeconfig's credential plugin are needed only once.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";

import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ClusterContext,
  contextFlags,
  KubectlError,
  kubectlEnvironment,
  parsedAnswer,
  TIMEOUT,
} from "./kubectl.ts";
import { kubectlMessage } from "./kubectl-errors.ts";

// An import reads all of its exports, one of which loads a whole HTTP client: 50 ms.
const { request } = process.getBuiltinModule("node:http");

/**
 * Reads one object or list by its API path. Undefined if it does not exist.
 *
 * @param accept the form of the answer. @default the whole object
 */
export type Read = <T>(path: string, accept?: string) => Promise<T | undefined>;

/**
 * Runs kubectl and kills it when standard input ends without a line: the proxy would outlive a killed run. The watcher
 * does not hold the output open, which ends with kubectl.
 */
const GUARDED =
  'exec 3<&0; { read -r _ <&3 || kill -9 $$; } >/dev/null 2>&1 & exec kubectl "$@" </dev/null 3<&-';

/** The API server's answer instead of an object (k8s.io/apimachinery, metav1.Status). */
interface Status {
  kind?: string;
  reason?: string;
  message?: string;
}

/** A refusal as kubectl prints it. */
function refusalOf(body: string): string {
  try {
    const { kind, reason, message } = JSON.parse(body) as Status;
    if (kind === "Status") return `Error from server (${reason || "Unknown"}): ${message}`;
  } catch {
    // The proxy's own message: why it did not reach the API server.
  }
  return body;
}

/** One request through the socket. */
function fetched(
  socketPath: string,
  path: string,
  accept: string,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      // The proxy answers only requests for this machine.
      { socketPath, path, headers: { host: "localhost", accept }, timeout: TIMEOUT },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }),
        );
      },
    );
    asked.on("timeout", () => asked.destroy(new Error("i/o timeout")));
    asked.on("error", reject);
    asked.end();
  });
}

/**
 * Runs reads, which fail as `kubectl get --raw` does.
 *
 * @param patience milliseconds for all of it, after which nothing of it is left. @default that of each read
 * @throws KubectlError if kubectl does not start, or from a read
 */
export async function withProxy<T>(
  cluster: ClusterContext,
  work: (read: Read) => Promise<T>,
  patience?: number,
): Promise<T> {
  const env = kubectlEnvironment(cluster);
  // Only this user may enter it: to the cluster, anyone who opens the socket is this user.
  const folder = mkdtempSync(join(tmpdir(), "kubectl-proxy-"));
  const socket = join(folder, "socket");
  const proxy = [...contextFlags(cluster), "proxy", `--unix-socket=${socket}`];
  const child = spawn("sh", ["-c", GUARDED, "kubectl", ...proxy], { stdio: ["pipe", "pipe", "pipe"], env });
  child.stdin.on("error", () => undefined);
  let said = "";
  const ended = new Promise<never>((_, reject) => {
    child.on("error", (error: NodeJS.ErrnoException) =>
      reject(new KubectlError(error.code === "ENOENT" ? "sh is not on PATH" : error.message, false)),
    );
    child.on("close", (code) =>
      reject(
        new KubectlError(
          code === 127 ? "kubectl is not on PATH" : kubectlMessage(said, `kubectl exited with ${code}`),
          false,
        ),
      ),
    );
  });
  ended.catch(() => undefined);
  const serving = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (said.includes("Starting to serve on")) resolve();
      });
    }
  });
  const timers: NodeJS.Timeout[] = [];
  const fails = (words: string, after: number) =>
    new Promise<never>((_, reject) => {
      timers.push(
        setTimeout(() => reject(new KubectlError(`${words} within ${after / 1000} s`, false)), after),
      );
    });
  const late = patience === undefined ? [] : [fails("no answer", patience)];
  try {
    await Promise.race([serving, ended, fails("kubectl did not start", TIMEOUT), ...late]);
    const worked = work(async <Answer>(path: string, accept = "application/json") => {
      const { status, body } = await fetched(socket, path, accept).catch((error: unknown) => {
        throw new KubectlError(kubectlMessage(String(error), "kubectl's proxy does not answer"), false);
      });
      if (status === 200) return parsedAnswer<Answer>(body);
      const refusal = refusalOf(body);
      if (refusal.startsWith("Error from server (NotFound)")) return undefined;
      throw new KubectlError(
        kubectlMessage(refusal, `the API server answered with ${status}`),
        refusal.startsWith("Error from server"),
      );
    });
    return await Promise.race([worked, ...late]);
  } finally {
    timers.forEach(clearTimeout);
    child.kill("SIGKILL");
    child.stdin.end("\n");
    // A credential plugin holds them open.
    child.stdout.destroy();
    child.stderr.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
}
